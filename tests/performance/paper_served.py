"""Served = offline: `python tests/performance/paper_served.py suite.json DATA`, while a server serves the suite.

    espalier select RESULTS --threshold 4 --suite suite.json && espalier build suite.json && espalier serve &

Scores every branch of the suite twice on its task's dev rows: by PyTorch, and by the answers of `nlu`. The goal is a
difference of at most 0.5 points.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for served_prediction
from served_prediction import prediction

from clients import Client
from training.checkpoint import load_record
from training.checkpoint_scores import CheckpointScorer
from training.data.task import read_examples
from training.kinds import Kind
from training.metrics import score
from training.selection.suite_file import read_suite

GOAL = 0.5


def compare(
    suite: Annotated[Path, typer.Argument(help="The suite file that the repository was built from.")],
    data: Annotated[Path, typer.Argument(help="One folder per task, with dev.jsonl.")],
    url: Annotated[str, typer.Option(help="Of the server.")] = "localhost:8001",
) -> None:
    """Compare the scores of served answers with PyTorch's, task by task."""
    scorer, misses = CheckpointScorer(), []
    print("| task | metric | rows | offline | served | difference |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    with Client(url) as client:
        for task, entry in read_suite(suite).tasks.items():
            folder = suite.parent / entry.checkpoint
            record, file = load_record(folder), data / task / "dev.jsonl"
            if record.kind is Kind.MULTI_LABEL:
                print(f"| {task} | {record.metric} | not compared: multi-label | | | |")
                continue
            examples = read_examples(file, record.kind, tuple(record.labels))
            pairs = [example.text_pair or "" for example in examples] if record.kind.is_pair else None
            answers = client.predict_batch([example.text for example in examples], pairs, tasks=[task])
            given = [
                prediction(answer[task], example, record.kind)
                for answer, example in zip(answers, examples, strict=True)
            ]
            golds = [example.label for example in examples]
            served = score(record.kind, record.labels, given, golds)[record.metric]
            offline = scorer.score(folder, file).score
            print(f"| {task} | {record.metric} | {len(examples)} | {offline:.2f} | {served:.2f} |", end="")
            print(f" {served - offline:+.2f} |", flush=True)
            if abs(served - offline) > GOAL:
                misses.append(task)
    if misses:
        raise SystemExit(f"more than {GOAL} points apart: {', '.join(misses)}")


if __name__ == "__main__":
    typer.run(compare)
