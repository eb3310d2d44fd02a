import numpy as np
import pytest
import torch

from training.checkpoint import Checkpoint
from training.data import TaskData
from training.encoder import Encoder
from training.errors import TrainingError
from training.evaluator import decode, evaluate, logits_of
from training.kinds import Kind
from training.model import Trunk, new_branch
from training.task_model import ComputedStates, TaskModel
from training.tokenization import NOT_SEEN, Tokens, tokenize


@pytest.mark.parametrize("kind", [Kind.CLASSIFICATION, Kind.TAGGING])
def test_logits_come_in_the_callers_order_whatever_the_batches(
    encoder: Encoder, teachers: dict[Kind, Checkpoint], tasks: dict[Kind, TaskData], kind: Kind
) -> None:
    tokens = tokenize(encoder.tokenizer, tasks[kind].dev, 24)
    assert [len(one.ids) for one in tokens] != sorted(len(one.ids) for one in tokens)
    trunk, branch = Trunk(encoder, [1]), teachers[kind].branch
    alone = logits_of(TaskModel(ComputedStates(trunk), branch), tokens, kind, batch_size=1)
    together = logits_of(TaskModel(ComputedStates(trunk), branch), tokens, kind, batch_size=5)
    for one, other, token in zip(alone, together, tokens, strict=True):
        outputs = len(tasks[kind].labels)
        assert one.shape == ((len(token.ids), outputs) if kind is Kind.TAGGING else (outputs,))
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert max(np.abs(one[0] - alone[0][0]).max() for one in alone) > 1e-2  # so a wrong order would be detected


def test_branch_is_evaluated_without_dropout_and_left_in_its_mode(
    encoder: Encoder, tasks: dict[Kind, TaskData]
) -> None:
    branch = new_branch(encoder, 1, 2, per_token=False).train()
    tokens = tokenize(encoder.tokenizer, tasks[Kind.CLASSIFICATION].dev, 24)
    first, again = (
        logits_of(TaskModel(ComputedStates(Trunk(encoder, [1])), branch), tokens, Kind.CLASSIFICATION) for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)
    assert branch.training


def test_outputs_that_are_no_numbers_are_an_error(encoder: Encoder, tasks: dict[Kind, TaskData]) -> None:
    branch = new_branch(encoder, 1, 2, per_token=False)
    with torch.no_grad():
        branch.classifier.bias[1] = float("nan")
    tokens = tokenize(encoder.tokenizer, tasks[Kind.CLASSIFICATION].dev, 24)
    with pytest.raises(TrainingError, match="outputs are NaN or infinite"):
        logits_of(TaskModel(ComputedStates(Trunk(encoder, [1])), branch), tokens, Kind.CLASSIFICATION)


def test_logits_are_decoded_by_kind() -> None:
    plain = Tokens([2, 7, 3], [0, 0, 0], [])
    assert decode(np.array([0.1, 2.0, -1.0]), plain, Kind.CLASSIFICATION, "abc") == "b"
    assert decode(np.array([2.5], dtype=np.float32), plain, Kind.PAIR_REGRESSION, ()) == 2.5
    assert decode(np.array([0.1, -0.1, 3.0]), plain, Kind.MULTI_LABEL, "abc") == ["a", "c"]
    assert decode(np.array([-0.1, -0.1, -3.0]), plain, Kind.MULTI_LABEL, "abc") == []


def test_tags_are_read_at_first_sub_words_and_words_cut_off_are_o() -> None:
    logits = np.array([[9, 0, 0], [0, 9, 0], [0, 0, 9], [9, 0, 0]], dtype=np.float32)
    tokens = Tokens([2, 7, 8, 3], [0] * 4, [1, NOT_SEEN, 2])
    assert decode(logits, tokens, Kind.TAGGING, ("O", "B-x", "I-x")) == ["B-x", "O", "I-x"]


def test_evaluate_scores_the_decoded_predictions(
    encoder: Encoder, teachers: dict[Kind, Checkpoint], tasks: dict[Kind, TaskData]
) -> None:
    data, branch, trunk = tasks[Kind.CLASSIFICATION], teachers[Kind.CLASSIFICATION].branch, Trunk(encoder, [1])
    logits = logits_of(TaskModel(ComputedStates(trunk), branch), tokenize(encoder.tokenizer, data.dev, 24), data.kind)
    right = [data.labels[one.argmax()] == example.label for one, example in zip(logits, data.dev, strict=True)]
    scores = evaluate(trunk, branch, encoder.tokenizer, data.dev, data.kind, data.labels, 24)
    assert scores["accuracy"] == pytest.approx(100 * sum(right) / len(right), abs=1e-4)
    swapped = evaluate(trunk, branch, encoder.tokenizer, data.dev, data.kind, data.labels[::-1], 24)
    assert swapped["accuracy"] == pytest.approx(100 - scores["accuracy"], abs=1e-3)
