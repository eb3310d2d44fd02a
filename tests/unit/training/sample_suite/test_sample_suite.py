import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from training.sample_suite import write_sample_suite

TASKS = ["domain", "intent", "slots", "emotion", "coherence"]
CLASSIFICATION_LABELS = {"domain": 6, "intent": 18, "emotion": 6, "coherence": 2}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_sample_suite(tmp_path_factory.mktemp("suite"))


def rows(folder: Path, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]


def words(row: dict[str, Any]) -> str:
    """The words of a row without case and marks."""
    said = " ".join([*row.get("tokens", []), row.get("text", ""), row.get("text_pair", "")]).lower()
    for mark in ",.!?":
        said = said.replace(mark, " ")
    return " ".join(said.split())


def bytes_of(suite: dict[str, Path]) -> dict[str, bytes]:
    return {f"{task}/{path.name}": path.read_bytes() for task in suite for path in sorted(suite[task].iterdir())}


def span_values(row: dict[str, Any], slot: str) -> set[str]:
    values: list[str] = []
    for token, tag in zip(row["tokens"], row["tags"], strict=True):
        if tag == f"B-{slot}":
            values.append(token.lower())
        elif tag == f"I-{slot}":
            values[-1] += f" {token.lower()}"
    return set(values)


def test_all_five_tasks_have_the_rows_asked_for(suite: dict[str, Path]) -> None:
    assert list(suite) == TASKS
    for folder in suite.values():
        assert (len(rows(folder, "train")), len(rows(folder, "dev"))) == (1200, 240)


def test_rows_have_the_fields_of_their_kind(suite: dict[str, Path]) -> None:
    fields = {"slots": {"tokens", "tags"}, "coherence": {"text", "text_pair", "label"}}
    for task, folder in suite.items():
        for row in rows(folder, "train") + rows(folder, "dev"):
            assert set(row) == fields.get(task, {"text", "label"})
            assert len(words(row).split()) <= 20


def test_same_seed_writes_the_same_bytes(suite: dict[str, Path], tmp_path: Path) -> None:
    assert bytes_of(write_sample_suite(tmp_path)) == bytes_of(suite)


def test_other_seed_writes_other_text_in_every_file(suite: dict[str, Path], tmp_path: Path) -> None:
    other = bytes_of(write_sample_suite(tmp_path, seed=1))
    assert all(other[name] != content for name, content in bytes_of(suite).items())


def test_text_does_not_depend_on_the_process_or_its_hash_seed(suite: dict[str, Path], tmp_path: Path) -> None:
    program = "import sys, pathlib, training.sample_suite as s; s.write_sample_suite(pathlib.Path(sys.argv[1]))"
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], env=environment, check=True)
    assert bytes_of({task: tmp_path / task for task in TASKS}) == bytes_of(suite)


def test_tags_are_valid_bio_of_the_tokens_length(suite: dict[str, Path]) -> None:
    for row in rows(suite["slots"], "train") + rows(suite["slots"], "dev"):
        assert len(row["tags"]) == len(row["tokens"])
        for before, tag in zip(["O", *row["tags"]], row["tags"], strict=False):
            assert tag == "O" or tag[:2] in ("B-", "I-")
            assert not tag.startswith("I-") or before in (f"B-{tag[2:]}", tag)


def test_slot_tokens_are_single_words_and_marks_stand_apart(suite: dict[str, Path]) -> None:
    for row in rows(suite["slots"], "train"):
        for token, tag in zip(row["tokens"], row["tags"], strict=True):
            assert token == token.strip()
            assert " " not in token
            assert token in ",.!?" or token[-1] not in ",.!?"
            assert token not in ",.!?" or tag == "O"


def test_no_template_notation_is_left_in_a_row(suite: dict[str, Path]) -> None:
    for folder in suite.values():
        for row in rows(folder, "train") + rows(folder, "dev"):
            assert not set("[]{}<>|") & set(words(row))


def labels(folder: Path, split: str) -> set[str]:
    return {label for row in rows(folder, split) for label in row.get("tags", [row.get("label")])}


def test_every_label_and_tag_of_dev_occurs_in_train(suite: dict[str, Path]) -> None:
    for folder in suite.values():
        assert labels(folder, "dev") <= labels(folder, "train")
    for task, count in CLASSIFICATION_LABELS.items():
        assert len(labels(suite[task], "train")) == count


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_tag_of_dev_is_new_when_train_is_tiny(tmp_path: Path, seed: int) -> None:
    folder = write_sample_suite(tmp_path, seed=seed, train_rows=18, dev_rows=60)["slots"]
    assert labels(folder, "dev") <= labels(folder, "train")


def test_classes_are_balanced_to_one_row(suite: dict[str, Path]) -> None:
    for task in CLASSIFICATION_LABELS:
        for split in ("train", "dev"):
            found = [row["label"] for row in rows(suite[task], split)]
            counts = [found.count(label) for label in set(found)]
            assert max(counts) - min(counts) <= 1


def test_no_row_is_written_twice_nor_in_both_train_and_dev(suite: dict[str, Path]) -> None:
    for folder in suite.values():
        said = [words(row) for row in rows(folder, "train") + rows(folder, "dev")]
        assert len(said) == len(set(said))


@pytest.mark.parametrize("slot", ["artist", "song", "city", "contact", "device", "room", "event"])
def test_dev_names_things_that_train_never_does(suite: dict[str, Path], slot: str) -> None:
    def named(split: str) -> set[str]:
        return {value for row in rows(suite["slots"], split) for value in span_values(row, slot)}

    assert len(named("dev") - named("train")) >= 2
    assert named("dev") & named("train")


def test_running_out_of_different_rows_is_an_error_and_not_a_duplicate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.sample_suite.write._MAX_TRIES", 1)
    with pytest.raises(ValueError, match="found no 1200 different rows for task 'domain'"):
        write_sample_suite(tmp_path)


def test_fewer_rows_than_intents_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 18"):
        write_sample_suite(tmp_path, dev_rows=5)
