from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import training.trainer_distillation
from training.adoption.adopt import adopt
from training.adoption.distill import branch_of_encoder, default_tap, distill_original
from training.adoption.original import Original
from training.adoption.summary import move_line
from training.data import Example
from training.data.example import UnlabelledExample
from training.encoder import Encoder
from training.errors import TrainingError
from training.evaluator import evaluate
from training.hyper_parameters import HyperParameters
from training.kinds import Kind
from training.model import Trunk
from training.prepared_task import PreparedTask

Rows = list[dict[str, Any]]
ADOPTED = (Kind.TAGGING, Kind.PAIR_CLASSIFICATION, Kind.CLASSIFICATION)


@pytest.fixture
def texts_folder(
    tmp_path: Path, rows_of: Callable[[Kind], Rows], write_rows: Callable[[Path, Rows], Path]
) -> Callable[[Kind], str]:
    """(kind) -> the task's rows without their labels."""

    def texts_folder(kind: Kind) -> str:
        dropped = ("label", "tags", "intent")
        rows = [{name: value for name, value in row.items() if name not in dropped} for row in rows_of(kind)]
        for split in ("train", "dev"):
            write_rows(tmp_path / "texts" / f"{split}.jsonl", rows)
        return str(tmp_path / "texts")

    return texts_folder


@pytest.mark.parametrize("kind", ADOPTED)
@pytest.mark.parametrize("labelled", [True, False])
def test_a_branch_of_one_layer_learns_what_an_original_of_another_architecture_answers(
    originals: dict[Kind, Original],
    task_folders: dict[Kind, Path],
    texts_folder: Callable[[Kind], str],
    encoder: Encoder,
    hyper: HyperParameters,
    kind: Kind,
    labelled: bool,
) -> None:
    folder = str(task_folders[kind]) if labelled else texts_folder(kind)
    adopted = adopt(originals[kind], folder)
    student = distill_original(adopted, "moved", encoder, 2, 1, replace(hyper, epochs=20, learning_rate=5e-3))
    record = student.record
    assert (record.tap, record.layers, record.labels) == (2, 1, list(adopted.data.labels))
    assert (record.training.role, record.training.teacher) == ("student", adopted.original)
    assert record.scores[kind.default_metric] > 85
    trunk = Trunk(encoder, [2])
    data = adopted.data
    scores = evaluate(trunk, student.branch, encoder.tokenizer, data.dev, kind, data.labels, hyper.max_length)
    assert scores == record.scores
    line = move_line(adopted, record)
    assert "(3 layers, 0 M parameters)" in line
    assert "the branch has 1 layer of its own on tap 2" in line
    assert ("points" in line) is labelled


def test_student_starts_as_the_encoders_layers_above_the_tap(
    originals: dict[Kind, Original], task_folders: dict[Kind, Path], encoder: Encoder
) -> None:
    adopted = adopt(originals[Kind.CLASSIFICATION], str(task_folders[Kind.CLASSIFICATION]))
    branch = branch_of_encoder(PreparedTask(adopted.data, "t", encoder, 24), 1, 2)
    for own, pretrained in zip(branch.layers, encoder.network.layers[1:3], strict=True):
        assert all(torch.equal(own.state_dict()[name], one) for name, one in pretrained.state_dict().items())


def test_the_tap_is_by_default_the_deepest_of_a_search_that_leaves_room(encoder: Encoder) -> None:
    assert [default_tap(encoder, layers) for layers in (1, 2, 3)] == [2, 2, 1]


@pytest.mark.parametrize(("tap", "layers"), [(0, 1), (4, 1), (2, 3), (1, 0)])
def test_tap_and_layers_that_do_not_fit_the_encoder_are_refused(
    originals: dict[Kind, Original],
    task_folders: dict[Kind, Path],
    encoder: Encoder,
    hyper: HyperParameters,
    tap: int,
    layers: int,
) -> None:
    adopted = adopt(originals[Kind.CLASSIFICATION], str(task_folders[Kind.CLASSIFICATION]))
    with pytest.raises(TrainingError, match=f"{layers} layers on tap {tap} does not fit an encoder of 4 layers"):
        distill_original(adopted, "t", encoder, tap, layers, hyper)


class TestLoss:
    """Rows without a label have no hard part, words that the teacher did not read no soft part."""

    @pytest.fixture
    def loss(self, encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[float, torch.Tensor]]:
        """loss(examples, kind, labels, teacher logits) -> of zero logits, and the gradient of each."""
        from training.batches import make_batch
        from training.data import TaskData
        from training.trainer_distillation import TeacherLogitsOnTrain, distill_branch

        def loss(
            train: list[Example], kind: Kind, labels: tuple[str, ...], taught: list[list[float]]
        ) -> tuple[float, torch.Tensor]:
            task = PreparedTask(TaskData("here", kind, labels, train, train, "0"), "t", encoder, 24)
            found: dict[str, Any] = {}
            monkeypatch.setattr(
                training.trainer_distillation, "train_branch", lambda *given: found.update(loss=given[3])
            )
            teacher = TeacherLogitsOnTrain(task, torch.tensor(taught).numpy())
            distill_branch(task, None, 2, teacher, HyperParameters(temperature=1.0))  # type: ignore[arg-type]
            logits = torch.zeros(len(taught), len(labels), requires_grad=True)
            value = found["loss"](logits, make_batch(task.tokens["train"], task.targets, kind))
            value.backward()
            assert logits.grad is not None
            return value.item(), logits.grad

        return loss

    def test_of_unlabelled_rows_is_soft_alone(self, loss: Callable[..., tuple[float, torch.Tensor]]) -> None:
        rows = [Example("good", "a"), UnlabelledExample("bad", "a")]
        value, gradient = loss(rows, Kind.CLASSIFICATION, ("a", "b"), [[0.0, 0.0], [0.0, 0.0]])
        assert value == pytest.approx(torch.log(torch.tensor(2.0)).item() / 2)
        assert gradient[0].tolist() == pytest.approx([-0.25, 0.25])
        assert gradient[1].tolist() == [0.0, 0.0]

    def test_of_words_that_were_not_read_is_hard_alone(self, loss: Callable[..., tuple[float, torch.Tensor]]) -> None:
        nan = float("nan")
        words = ((0, 4), (5, 8))
        rows = [Example("good bad", ("O", "O"), words=words), UnlabelledExample("good bad", ("O", "O"), words=words)]
        taught = [[5.0, -5.0, -5.0], [nan, nan, nan], [nan, nan, nan], [0.0, 0.0, 0.0]]
        _, gradient = loss(rows, Kind.TAGGING, ("O", "B-x", "I-x"), taught)
        hard = torch.tensor([-2 / 3, 1 / 3, 1 / 3]) / 4
        torch.testing.assert_close(gradient[1], hard)
        assert gradient[0, 0] < hard[0]  # of a word that has both
        torch.testing.assert_close(gradient[2:], torch.zeros(2, 3), rtol=0, atol=1e-6)

    def test_of_a_batch_with_neither_is_zero(self, loss: Callable[..., tuple[float, torch.Tensor]]) -> None:
        nan = float("nan")
        rows = [UnlabelledExample("good", ("O",), words=((0, 4),))]
        value, gradient = loss(rows, Kind.TAGGING, ("O", "B-x", "I-x"), [[nan, nan, nan]])
        assert value == 0.0
        assert not gradient.any()
