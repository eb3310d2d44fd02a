"""What it costs to move fine-tuned models onto one trunk: points lost and layers saved, with labels and without.

    PYTHONPATH=. python tests/performance/adopted_models.py MPNET DATA OUTPUT [TASK...]

MPNET: the encoder that tests/performance/mpnet.py fetches. DATA: the folder of the tasks' data. Each task is fine-tuned
in full on it, by plain transformers code, to stand for a team's model. Then a MiniLM trunk gets branches of it, once
from labelled rows and once from their texts alone. OUTPUT keeps models, branches and table.md; what is there is not
made again. docs/adopt.md has the table.
"""

import json
import math
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from training.adoption.original import load_original
from training.adoption.score import score_original
from training.checkpoint import load_record

BATCH, LENGTH, TAP, SEED = 32, 128, 4, 0


@dataclass(frozen=True)
class Plan:
    """How a task's model is fine-tuned, and the layers of its branches. rows: of train, drawn at random."""

    rows: int
    epochs: int
    rate: float
    layers: tuple[int, ...] = (2,)


PLANS = {
    "trec": Plan(4882, 1, 5e-5, (1, 2)),
    "banking77": Plan(4000, 3, 1e-4),
    "snips": Plan(3000, 4, 2e-4),
    "mrpc": Plan(1800, 3, 5e-5),
    "emotion": Plan(3000, 2, 5e-5),
}


def rows_of(file: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def write_rows(folder: Path, task: str, data: Path, plan: Plan) -> None:
    """Writes `TASK` (labelled) and `TASK_texts`, whose train rows have no labels; dev keeps its own in both."""
    train, dev = rows_of(data / task / "train.jsonl"), rows_of(data / task / "dev.jsonl")
    train = random.Random(SEED).sample(train, min(plan.rows, len(train)))
    texts = [{name: row[name] for name in ("text", "text_pair", "tokens") if name in row} for row in train]
    for name, rows in ((task, train), (f"{task}_texts", texts)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for split, content in (("train", rows), ("dev", dev)):
            lines = "".join(json.dumps(row) + "\n" for row in content)
            (folder / name / f"{split}.jsonl").write_text(lines, encoding="utf-8")


def names_of(rows: list[dict[str, Any]]) -> list[str]:
    """The labels, or the tags, that occur."""
    return sorted(
        {tag for row in rows for tag in row["tags"]} if "tags" in rows[0] else {str(r["label"]) for r in rows}
    )


def fine_tune(base: Path, rows: list[dict[str, Any]], names: list[str], plan: Plan, output: Path) -> None:
    """All layers, cross-entropy, AdamW with warm-up: what a team without Espalier would do."""
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer

    torch.manual_seed(SEED)
    shuffle = random.Random(SEED)
    tokenizer = AutoTokenizer.from_pretrained(base)
    tags_words = "tags" in rows[0]
    loader: Any = AutoModelForTokenClassification if tags_words else AutoModelForSequenceClassification
    model = loader.from_pretrained(base, num_labels=len(names), id2label=dict(enumerate(names)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=plan.rate, weight_decay=0.01, fused=True)
    steps, step = plan.epochs * math.ceil(len(rows) / BATCH), 0
    model.train()
    for _ in range(plan.epochs):
        shuffle.shuffle(rows)
        for start in range(0, len(rows), BATCH):
            chosen = rows[start : start + BATCH]
            inputs = _inputs(tokenizer, chosen, tags_words)
            targets = _targets(inputs, chosen, names, tags_words)
            optimizer.param_groups[0]["lr"] = plan.rate * min(
                (step + 1) / (0.1 * steps), (steps - step) / (0.9 * steps)
            )
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(**inputs).logits
            loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, -2), targets, ignore_index=-100)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            if step % 20 == 0:
                print(f"{output.name}: step {step} of {steps}, loss {loss.item():.3f}", file=sys.stderr, flush=True)
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)


def _inputs(tokenizer: Any, rows: list[dict[str, Any]], tags_words: bool) -> Any:
    common = {"truncation": True, "max_length": LENGTH, "padding": True, "return_tensors": "pt"}
    if tags_words:
        return tokenizer([row["tokens"] for row in rows], is_split_into_words=True, **common)
    pairs = [row["text_pair"] for row in rows] if "text_pair" in rows[0] else None
    return tokenizer([row["text"] for row in rows], pairs, **common)


def _targets(inputs: Any, rows: list[dict[str, Any]], names: list[str], tags_words: bool) -> torch.Tensor:
    """int64 [B], or [B x T] with -100 at all tokens but the first of each word."""
    if not tags_words:
        return torch.tensor([names.index(str(row["label"])) for row in rows])
    targets = torch.full(inputs["input_ids"].shape, -100)
    for place, row in enumerate(rows):
        words = inputs.word_ids(place)
        for token, word in enumerate(words):
            if word is not None and (token == 0 or words[token - 1] != word):
                targets[place, token] = names.index(row["tags"][word])
    return targets.flatten()


def move(model: Path, data: Path, task: str, layers: int, output: Path) -> float:
    """Distils a branch by the verb, unless it is there. Returns its dev score."""
    if not output.exists():
        verb = [
            sys.executable,
            "-c",
            "from espalier import main; main()",
            "distill",
            "--teacher",
            str(model),
            str(data),
        ]
        options = {
            "-l": layers,
            "--tap": TAP,
            "--epochs": 6,
            "--learning-rate": 3e-4,
            "--task": task,
            "--output": output,
        }
        subprocess.run([*verb, *(str(one) for pair in options.items() for one in pair)], check=True, env=os.environ)
    record = load_record(output)
    return record.scores[record.metric]


def main() -> None:
    """Fine-tunes, moves and prints one row of the table for each branch."""
    if len(sys.argv) < 4:
        raise SystemExit("usage: PYTHONPATH=. python tests/performance/adopted_models.py MPNET DATA OUTPUT [TASK...]")
    base, data, output = (Path(argument) for argument in sys.argv[1:4])
    table = ["| task | original | layers | points | branch | with labels | from texts alone |", "| --- " * 7 + "|"]
    for task in sys.argv[4:] or PLANS:
        plan, model = PLANS[task], output / "models" / task
        write_rows(output / "data", task, data, plan)
        if not model.exists():
            names = names_of(rows_of(data / task / "train.jsonl"))  # of all rows: a sample may lack some
            fine_tune(base, rows_of(output / "data" / task / "train.jsonl"), names, plan, model)
        original = load_original(str(model))
        found = score_original(original, output / "data" / task / "dev.jsonl")
        points = found.scores[found.metric]
        for layers in plan.layers:
            moved = [
                move(model, output / "data" / name, task, layers, output / "branches" / f"{name}_l{layers}")
                for name in (task, f"{task}_texts")
            ]
            lost = " | ".join(f"{score:.1f} ({score - points:+.1f})" for score in moved)
            table.append(f"| {task} | {found.metric} | {original.layers} | {points:.1f} | l = {layers} | {lost} |")
            print(table[-1], flush=True)
    (output / "table.md").write_text("\n".join(table) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
