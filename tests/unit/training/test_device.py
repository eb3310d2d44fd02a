from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import pytest
import torch

import training.device
from training.data import TaskData
from training.device import autocast, has_bf16
from training.encoder import Encoder
from training.evaluator import evaluate
from training.hyper_parameters import HyperParameters, TrainingPrecision
from training.kinds import Kind
from training.model import Trunk, new_branch
from training.prepared_task import PreparedTask
from training.trainer import fine_tune

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(params=[False, True], ids=["without bf16", "with bf16"])
def hardware(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """True if training finds bf16 in hardware."""
    monkeypatch.setattr(training.device, "has_bf16", lambda _device: request.param)
    return bool(request.param)


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"avx512_bf16": False, "amx_bf16": False, "avx512_f": True, "amx_tile": True}, False),
        ({"architecture": "another"}, False),
    ],
)
def test_processor_has_bf16_where_it_can_multiply_it(
    capabilities: dict[str, bool], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: MappingProxyType(capabilities))
    assert has_bf16(CPU) is expected


@pytest.mark.parametrize("expected", [False, True])
def test_gpu_that_only_emulates_bf16_has_none(expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_supported(including_emulation: bool = True) -> bool:
        return including_emulation or expected

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_supported)
    assert has_bf16(GPU) is expected


def computes_in(precision: TrainingPrecision) -> torch.dtype:
    with autocast(CPU, precision):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


def test_auto_is_bf16_exactly_where_the_machine_has_it(hardware: bool) -> None:
    assert computes_in(TrainingPrecision.AUTO) is (torch.bfloat16 if hardware else torch.float32)


def test_fp32_and_bf16_are_what_was_asked_for_on_any_machine(hardware: bool) -> None:  # noqa: ARG001
    assert computes_in(TrainingPrecision.FP32) is torch.float32
    assert computes_in(TrainingPrecision.BF16) is torch.bfloat16


@pytest.fixture
def losses_logits(
    tasks: dict[Kind, TaskData], encoder: Encoder, hyper: HyperParameters
) -> Callable[[TrainingPrecision], torch.Tensor]:
    """losses_logits(precision): the logits that the loss of a training step gets."""

    def logits(precision: TrainingPrecision) -> torch.Tensor:
        task = PreparedTask(tasks[Kind.CLASSIFICATION], "task", encoder, 24)
        model = task.model("train", new_branch(encoder, 1, 2, per_token=False), 1)
        # This loss function returns the logits themselves.
        return next(task.losses(model, lambda logits, _batch: logits, replace(hyper, precision=precision))())

    return logits


def test_training_step_computes_in_the_precision_and_its_loss_in_float32(
    losses_logits: Callable[[TrainingPrecision], torch.Tensor],
) -> None:
    exact, rounded = losses_logits(TrainingPrecision.FP32), losses_logits(TrainingPrecision.BF16)
    assert exact.dtype is rounded.dtype is torch.float32
    assert torch.equal(rounded, rounded.bfloat16().float())
    assert not torch.equal(exact, exact.bfloat16().float())


def test_training_in_bf16_learns_and_keeps_weights_and_scores_in_float32(
    tasks: dict[Kind, TaskData], encoder: Encoder, hyper: HyperParameters
) -> None:
    data = tasks[Kind.PAIR_REGRESSION]
    in_bf16 = replace(hyper, precision=TrainingPrecision.BF16, learning_rate=3e-3, epochs=24, batch_size=2)
    checkpoint = fine_tune(data, "task", encoder, layers=3, hyper=in_bf16)
    record, branch = checkpoint.record, checkpoint.branch
    assert record.scores["pearson"] > 95
    assert {tensor.dtype for tensor in branch.state_dict().values()} == {torch.float32}
    trunk = Trunk(encoder, [1])

    def score() -> dict[str, float]:
        return evaluate(trunk, branch, checkpoint.tokenizer, data.dev, data.kind, data.labels, record.max_length)

    assert record.scores == score()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert record.scores != score()  # so this test would detect scores in bf16
