"""Forty and more ways in which a checkpoint can be damaged; those that are signed have hashes that fit."""

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from training.branch_record import RECORD, record_sha256
from training.checkpoint import GOLDEN, TOKENIZER, WEIGHTS

Damage = Callable[[Path], None]
FILES = (WEIGHTS, RECORD, TOKENIZER, GOLDEN)


def sign(folder: Path, **changes: Any) -> None:
    """Changes fields of branch.json and makes all hashes fit, as whoever wants to be published would."""
    content = json.loads((folder / RECORD).read_text()) | changes
    content["files"] = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (WEIGHTS, TOKENIZER, GOLDEN)
    }
    content["sha256"] = record_sha256(content)
    (folder / RECORD).write_text(json.dumps(content))


def _flipped(name: str, place: float) -> Damage:
    def damage(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[int(place * (len(content) - 1))] ^= 1
        (folder / name).write_bytes(bytes(content))

    return damage


def _cut(name: str, share: float) -> Damage:
    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(share * len(content))])

    return damage


def _field(**changes: Any) -> Damage:
    return lambda folder: sign(folder, **changes)


def _encoder(**changes: Any) -> Damage:
    def damage(folder: Path) -> None:
        encoder = json.loads((folder / RECORD).read_text())["encoder"]
        sign(folder, encoder=encoder | {"config": encoder["config"] | changes})

    return damage


def _training(**changes: Any) -> Damage:
    def damage(folder: Path) -> None:
        sign(folder, training=json.loads((folder / RECORD).read_text())["training"] | changes)

    return damage


def _weights(change: Callable[[dict[str, torch.Tensor]], None]) -> Damage:
    def damage(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        change(tensors)
        save_file(tensors, folder / WEIGHTS)
        sign(folder)

    return damage


def _filled(value: float) -> Damage:
    return _weights(lambda tensors: tensors["classifier.weight"].fill_(value))


def _added(name: str, tensor: torch.Tensor) -> Damage:
    return _weights(lambda tensors: tensors.update({name: tensor}))


def _written(name: str, content: bytes) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).write_bytes(content)
        sign(folder)

    return damage


def _golden(change: Callable[[list[dict[str, Any]]], None]) -> Damage:
    def damage(folder: Path) -> None:
        rows = [json.loads(line) for line in (folder / GOLDEN).read_text().splitlines()]
        change(rows)
        (folder / GOLDEN).write_text("".join(json.dumps(row) + "\n" for row in rows))
        sign(folder)

    return damage


def _a_step_further(rows: list[dict[str, Any]]) -> None:
    rows[-1]["logits"][0] += 0.01


def _no_number(rows: list[dict[str, Any]]) -> None:
    rows[0]["logits"][0] = float("nan")


def _one_logit_less(rows: list[dict[str, Any]]) -> None:
    rows[0]["logits"].pop()


def _endless_text(rows: list[dict[str, Any]]) -> None:
    rows[0]["text"] = "a " * (5 * 2**19)


def _endless_file(rows: list[dict[str, Any]]) -> None:
    rows[0]["more"] = "a" * 65 * 2**20


def _no_text(rows: list[dict[str, Any]]) -> None:
    del rows[0]["text"]


DAMAGES: dict[str, Damage] = {
    **{f"a bit of {name} flipped at {place}": _flipped(name, place) for name in FILES for place in (0.0, 0.5, 1.0)},
    **{f"{name} cut to {share}": _cut(name, share) for name in FILES for share in (0.0, 0.5)},
    **{f"{name} missing": lambda folder, name=name: (folder / name).unlink() for name in FILES},
    "a later format version": _field(format_version=2),
    "no format version": _field(format_version=None),
    "a path in the name": _field(task="../../evil"),
    "a folder in the name": _field(task="evil/intent"),
    "an absolute path in the name": _field(task="/tmp/evil"),
    "a name of the repository's own": _field(task="nlu"),
    "a name of a branch's model": _field(task="branch_intent"),
    "a name without a letter": _field(task=""),
    "a name too long": _field(task="x" * 65),
    "another trunk": _field(trunk_fingerprint="f" * 64),
    "another tap": _field(tap=1),
    "a label more than the head has": _field(labels=["a", "b", "c", "d"]),
    "a label less than the head has": _field(labels=["a", "b"]),
    "a label twice": _field(labels=["a", "b", "b"]),
    "another kind": _field(kind="tagging"),
    "more layers than there are weights for": _field(layers=2),
    "more layers than any encoder has": _field(layers=10**9),
    "more positions than the encoder has": _field(max_length=10**9),
    "a width that no memory holds": _encoder(hidden_size=2**22),
    "weights that are no numbers": _filled(float("nan")),
    "weights without bounds": _filled(float("inf")),
    "weights of something else": _filled(1.0),
    "a tensor more": _added("extra", torch.zeros(2**20)),
    "a tensor of another shape": _added("classifier.bias", torch.zeros(4)),
    "pickle in place of safetensors": _written(WEIGHTS, pickle.dumps({"classifier.weight": 1})),
    "a tokenizer that is none": _written(TOKENIZER, b"{}"),
    "no golden examples": _written(GOLDEN, b""),
    "golden examples that are no JSON": _written(GOLDEN, b"\x00\x01"),
    "golden logits of something else": _golden(_a_step_further),
    "golden logits that are no numbers": _golden(_no_number),
    "golden logits of too few labels": _golden(_one_logit_less),
    "golden examples without a text": _golden(_no_text),
    "an unknown field": _field(run_this="rm -rf /"),
    "a label with a control character": _field(labels=["a", "b\x1b[2J", "c"]),
    "a label of a megabyte": _field(labels=["a", "b", "c" * 2**20]),
    "a hundred thousand labels": _field(labels=[str(number) for number in range(10**5)]),
    "data with a name of nine megabytes": _training(data="x" * 9 * 2**20),
    "data whose name is two lines": _training(data="a\nb"),
    "hyper-parameters without end": _training(hyper_parameters={str(number): 1 for number in range(10**4)}),
    "a metric of a megabyte": _field(metric="x" * 2**20),
    "a branch.json of 17 megabytes": _field(scores={"x": 1.0}, metric="x" * 17 * 2**20),
    "golden texts of five megabytes": _golden(_endless_text),
    "a golden.jsonl of 65 megabytes": _golden(_endless_file),
}
# What a test tries that has no time for all of them.
ONE_OF_EACH_KIND = (
    "a bit of branch.safetensors flipped at 0.5",
    "branch.json cut to 0.5",
    "golden.jsonl missing",
    "a later format version",
    "a path in the name",
    "another trunk",
    "a label more than the head has",
    "a width that no memory holds",
    "weights that are no numbers",
    "a tensor more",
    "pickle in place of safetensors",
    "golden logits of something else",
    "an unknown field",
)
