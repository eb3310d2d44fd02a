import numpy as np
import pytest
import torch

from build_tools.backends.espalier_backend.chain import Chain
from build_tools.errors import BuildError
from build_tools.golden import dev_set as module
from build_tools.golden.dev_set import DevSet, dev_folders
from training.checkpoint import Checkpoint
from training.errors import TrainingError
from training.kinds import Kind
from training.model import Branch


class Trunk:
    """Its hidden states are the token ids."""

    outputs = ("hidden_2",)

    def __init__(self):
        self.lengths = []

    def __call__(self, tensors):
        self.lengths.append(tensors["attention_mask"].sum(axis=1).tolist())
        return {"hidden_2": tensors["input_ids"][..., None].astype(np.float32)}


class BranchGraph:
    """Logits of a text are a function of its token ids."""

    outputs = ("logits",)

    def __init__(self, logits):
        self._logits = logits

    def __call__(self, tensors):
        return {"logits": self._logits(tensors["hidden"][..., 0])}


@pytest.fixture
def dev_set(encoder, make_record, tmp_path, write_dev):
    """(kind, rows) -> DevSet"""

    def dev_set(kind, rows):
        torch.manual_seed(0)
        record = make_record(kind)
        branch = Branch(encoder.architecture, 2, 1, record.outputs, per_token=kind is Kind.TAGGING)
        checkpoint = Checkpoint(record=record, branch=branch, tokenizer=encoder.tokenizer, golden=[])
        return DevSet(write_dev(tmp_path / "intent", rows), checkpoint)

    return dev_set


def test_each_answer_is_held_against_its_own_row_though_batches_are_sorted_by_length(dev_set, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)
    texts = ["a b c d", "b", "a c", "b d e"]
    dev = dev_set(Kind.CLASSIFICATION, [{"text": text, "label": text[0]} for text in texts])
    first_is_b = BranchGraph(lambda ids: np.stack([ids[:, 1] == 4, ids[:, 1] == 5], axis=1).astype(np.float32))
    always_a = BranchGraph(lambda ids: np.tile(np.array([[1.0, 0.0]], np.float32), (len(ids), 1)))
    trunk = Trunk()

    assert dev.score(Chain([trunk]), Chain([first_is_b])) == 100.0
    assert trunk.lengths == [[3, 4], [5, 6]]
    assert dev.score(Chain([trunk]), Chain([always_a])) == 50.0


def test_tags_are_read_at_first_sub_words_and_padding_is_not(dev_set):
    dev = dev_set(Kind.TAGGING, [{"tokens": ["a"], "tags": ["B-x"]}, {"tokens": ["b", "a"], "tags": ["O", "B-x"]}])
    # "a" (4) is B-x, everything else O but the padding, which would begin spans.
    tagger = BranchGraph(lambda ids: np.stack([ids > 4, (ids == 4) | (ids == 0), 0 * ids], axis=2).astype(np.float32))

    assert dev.score(Chain([Trunk()]), Chain([tagger])) == 100.0


def test_values_are_scored_by_correlation(dev_set):
    rows = [{"text": text, "text_pair": "a", "label": value} for text, value in (("a", 1.0), ("b", 2.5), ("c", 3.0))]
    dev = dev_set(Kind.PAIR_REGRESSION, rows)
    graph = BranchGraph(lambda ids: np.select([ids[:, 1:2] == 4, ids[:, 1:2] == 5], [10.0, 25.0], 30.0))

    assert dev.score(Chain([Trunk()]), Chain([graph])) == pytest.approx(100)


def test_a_label_that_the_branch_does_not_have_is_named(dev_set):
    with pytest.raises(TrainingError, match=r"dev\.jsonl.*'c'.*not one of the task's"):
        dev_set(Kind.CLASSIFICATION, [{"text": "a", "label": "c"}])


def test_folders_are_found_by_the_tasks_names(tmp_path):
    (tmp_path / "intent").mkdir()
    (tmp_path / "other").mkdir()

    assert dev_folders(tmp_path, ["intent", "mood"]) == {"intent": tmp_path / "intent"}


def test_a_folder_without_any_task_s_data_is_refused(tmp_path):
    with pytest.raises(BuildError, match=rf"{tmp_path}/nowhere holds no folder named after a task \(intent, mood\)"):
        dev_folders(tmp_path / "nowhere", ["intent", "mood"])
