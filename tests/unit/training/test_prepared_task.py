import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from torch.nn import functional

from training.batches import Inputs, make_batch, make_inputs
from training.data import Example, TaskData
from training.encoder import Encoder, load_encoder
from training.errors import TrainingError
from training.hyper_parameters import ClassWeights, HyperParameters, TrainingPrecision
from training.kinds import Kind
from training.loop import go_on
from training.model import Branch, Trunk, new_branch
from training.prepared_task import PreparedTask
from training.task_model import HiddenStates
from training.tokenization import NOT_SEEN
from training.trainer import train_branch

PAIRS = [
    Example("good", "same", "it was really bad today, in paris"),
    Example("play some jazz in rome", "same", "fine"),
    Example("jazz", "different", "rock"),
]
WORDLESS = Example("\u200b \u200b", ("O", "O"), words=((0, 1), (2, 3)))  # characters that the tokenizer drops


@pytest.fixture
def prepare(tasks: dict[Kind, TaskData], encoder: Encoder) -> Callable[..., PreparedTask]:
    """prepare(kind, max_length, **changes of its data)."""

    def prepare(kind: Kind = Kind.CLASSIFICATION, max_length: int = 24, **changes: object) -> PreparedTask:
        return PreparedTask(replace(tasks[kind], **changes), "task", encoder, max_length)

    return prepare


@pytest.mark.parametrize(
    ("of_data", "asked_for", "expected"),
    [(None, None, "accuracy"), ("matthews", None, "matthews"), ("matthews", "f1", "f1"), (None, "f1", "f1")],
)
def test_metric_is_the_one_asked_for_else_the_datas_else_the_kinds(
    tasks: dict[Kind, TaskData], encoder: Encoder, of_data: str | None, asked_for: str | None, expected: str
) -> None:
    data = replace(tasks[Kind.CLASSIFICATION], metric=of_data)
    assert PreparedTask(data, "task", encoder, 24, asked_for).metric == expected


def test_metric_of_the_data_that_is_none_of_the_kinds_is_refused(prepare: Callable[..., PreparedTask]) -> None:
    with pytest.raises(TrainingError, match="'span_f1' is not a metric of classification tasks"):
        prepare(metric="span_f1")


@pytest.mark.parametrize(("kind", "outputs"), [(Kind.CLASSIFICATION, 2), (Kind.PAIR_REGRESSION, 1), (Kind.TAGGING, 5)])
def test_head_has_one_output_per_label_and_one_for_a_value(
    prepare: Callable[..., PreparedTask], kind: Kind, outputs: int
) -> None:
    assert prepare(kind).outputs == outputs


def test_tagging_rows_without_a_word_are_left_out_of_train_but_scored_on_dev(
    prepare: Callable[..., PreparedTask], tasks: dict[Kind, TaskData]
) -> None:
    rows = tasks[Kind.TAGGING].train
    task = prepare(Kind.TAGGING, train=[WORDLESS, rows[0], WORDLESS, rows[1], rows[2]], dev=[rows[0], WORDLESS])
    assert task.examples == {"train": rows[:3], "dev": [rows[0], WORDLESS]}
    assert task.tokens["train"] == prepare(Kind.TAGGING, train=rows[:3]).tokens["train"]
    assert [len(one.word_positions) for one in task.tokens["dev"]] == [4, 2]
    assert len(task.targets) == 3
    assert task.batches(HyperParameters(batch_size=1)) == 3


def test_row_of_which_one_word_is_cut_off_is_learnt_from(prepare: Callable[..., PreparedTask]) -> None:
    task = prepare(Kind.TAGGING, max_length=4)  # [CLS] play jazz [SEP]
    assert {tuple(one.word_positions) for one in task.tokens["train"]} == {(1, 2, NOT_SEEN, NOT_SEEN)}


def test_tagging_data_without_any_word_is_refused_naming_it(prepare: Callable[..., PreparedTask]) -> None:
    with pytest.raises(TrainingError, match="somewhere: no word of any training row has a token"):
        prepare(Kind.TAGGING, train=[WORDLESS, WORDLESS], source="somewhere")


@pytest.mark.parametrize(("rows", "batch_size", "batches"), [(1, 8, 1), (8, 8, 1), (9, 8, 2), (24, 7, 4)])
def test_an_epoch_has_the_number_of_batches_that_it_says(
    prepare: Callable[..., PreparedTask], hyper: HyperParameters, rows: int, batch_size: int, batches: int
) -> None:
    task, wanted = prepare(), replace(hyper, batch_size=batch_size)
    task = prepare(train=task.examples["train"][:rows])
    losses = task.losses(_Zero(2), lambda logits, _batch: logits.sum(), wanted)
    assert task.batches(wanted) == batches
    for _ in range(2):
        assert len(list(losses())) == batches


class _Zero(nn.Module):
    """Inputs -> logits of 0 for so many classes."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, inputs: Inputs) -> torch.Tensor:
        return torch.zeros(len(inputs.rows), self.outputs)


def test_order_of_rows_is_the_seeds_and_another_in_each_epoch(
    prepare: Callable[..., PreparedTask], hyper: HyperParameters
) -> None:
    task = prepare()

    def two_epochs(seed: int) -> list[list[int]]:
        losses = task.losses(_Zero(2), lambda _logits, batch: batch.rows, replace(hyper, seed=seed))
        return [torch.cat(list(losses())).tolist() for _ in range(2)]

    first, second = two_epochs(1)
    assert sorted(first) == sorted(second) == list(range(24))
    assert first != second
    assert two_epochs(1) == [first, second]
    assert two_epochs(2)[0] != first


@pytest.mark.parametrize("accumulation", [1, 2])
def test_branch_accumulated_over_two_batches_of_4_is_the_one_of_a_batch_of_8(
    prepare: Callable[..., PreparedTask], encoder: Encoder, accumulation: int
) -> None:
    """An epsilon above the gradients makes Adam plain gradient descent: see test_loop.py."""
    hyper = HyperParameters(
        learning_rate=1e3,
        epsilon=1e4,
        beta_1=0.0,
        clip_norm=1e9,
        epochs=2,
        first_epoch=2,
        precision=TrainingPrecision.FP32,
    )
    task = prepare()
    task = prepare(train=task.examples["train"][::3])

    def weights(batch_size: int, accumulation: int) -> torch.Tensor:
        torch.manual_seed(0)
        branch = new_branch(encoder, 2, task.outputs, per_token=False)
        for module in branch.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        wanted = replace(hyper, batch_size=batch_size, accumulation=accumulation)
        train_branch(task, branch, 2, task.hard_loss(wanted), wanted, go_on)
        return nn.utils.parameters_to_vector(branch.parameters()).detach()

    difference = (weights(4, accumulation) - weights(8, 1)).abs().max()
    assert difference < 1e-4 if accumulation == 2 else difference > 1e-2


@pytest.mark.parametrize("class_weights", list(ClassWeights))
def test_class_weights_of_tags_count_the_words_that_are_seen(
    prepare: Callable[..., PreparedTask], class_weights: ClassWeights
) -> None:
    task = prepare(Kind.TAGGING, max_length=5)  # cities are cut off: B-city is declared and has no example
    loss = task.hard_loss(HyperParameters(class_weights=class_weights))
    logits = torch.randn(24, task.outputs, generator=torch.Generator().manual_seed(0))
    batch = make_batch(task.tokens["train"], task.targets, task.kind)
    seen = [task.data.labels.index(tag) for one in task.examples["train"] for tag in one.label[:3]]
    assert batch.targets.tolist() == seen
    weights = None
    if class_weights is ClassWeights.BALANCED:
        of_seen = compute_class_weight("balanced", classes=np.unique(seen), y=seen)
        weights = torch.ones(task.outputs)
        weights[np.unique(seen)] = torch.from_numpy(of_seen).float()
    torch.testing.assert_close(loss(logits, batch), functional.cross_entropy(logits, batch.targets, weight=weights))


def test_class_weights_leave_a_value_alone(prepare: Callable[..., PreparedTask]) -> None:
    loss = prepare(Kind.PAIR_REGRESSION).hard_loss(HyperParameters(class_weights=ClassWeights.BALANCED))
    task = prepare(Kind.PAIR_REGRESSION)
    batch = make_batch(task.tokens["train"], task.targets, task.kind)
    assert loss(batch.targets + 2, batch).item() == pytest.approx(4)


def stored_at(task: PreparedTask, tap: int) -> HiddenStates:
    """The trunk's hidden states of dev at a tap, as half precision keeps them."""
    trunk = Trunk(task.encoder, [tap])

    def states(inputs: Inputs) -> torch.Tensor:
        return trunk(inputs.input_ids, inputs.attention_mask, inputs.token_type_ids)[-1].half().float()

    return states


def unwanted(_inputs: Inputs) -> torch.Tensor:
    """Hidden states that must not be read."""
    raise AssertionError


def check_states(task: PreparedTask, tap: int, tolerance: float) -> None:
    """Those of dev at `tap` are the trunk's own, wherever a token stands."""
    inputs = make_inputs(task.tokens["dev"], [2, 0, 1])
    seen = inputs.attention_mask.bool()
    assert not seen.all()
    with torch.no_grad():
        expected = Trunk(task.encoder, [tap])(inputs.input_ids, inputs.attention_mask, inputs.token_type_ids)[-1]
    torch.testing.assert_close(task.states("dev", tap)(inputs)[seen], expected[seen], rtol=0, atol=tolerance)


@pytest.mark.parametrize("tap", [1, 2, 3])
def test_states_of_which_nothing_below_is_stored_are_the_trunks(prepare: Callable[..., PreparedTask], tap: int) -> None:
    task = prepare(Kind.PAIR_CLASSIFICATION, dev=PAIRS)
    task.stored = {("dev", 4): unwanted, ("train", 1): unwanted}  # above the tap, and of the other split
    check_states(task, tap, 0)


def test_states_stored_at_the_tap_are_taken_as_they_are(prepare: Callable[..., PreparedTask]) -> None:
    task = prepare()
    stored = stored_at(task, 2)
    task.stored = {("dev", 1): unwanted, ("dev", 2): stored, ("dev", 3): unwanted, ("train", 2): unwanted}
    assert task.states("dev", 2) is stored


@pytest.mark.parametrize(("stored", "tap"), [(1, 2), (1, 4), (2, 3)])
def test_states_go_on_from_the_nearest_stored_below(
    prepare: Callable[..., PreparedTask], stored: int, tap: int
) -> None:
    task = prepare(Kind.PAIR_CLASSIFICATION, dev=PAIRS)
    lower = stored_at(task, stored)
    times = []

    def counted(inputs: Inputs) -> torch.Tensor:
        times.append(1)
        return lower(inputs)

    task.stored = {("dev", stored): counted, ("dev", stored - 1): unwanted}
    check_states(task, tap, 5e-3)
    assert times == [1]


def test_only_the_branch_learns(prepare: Callable[..., PreparedTask], encoder: Encoder) -> None:
    task = prepare()
    branch: Branch = new_branch(encoder, 2, task.outputs, per_token=False)
    for states in ({}, {("train", 1): stored_at(task, 1)}):
        task.stored = states
        model = task.model("train", branch, 2)
        assert {id(one) for one in model.parameters()} == {id(one) for one in branch.parameters()}
        model(make_inputs(task.tokens["train"], [0, 1])).sum().backward()
        assert all(one.grad is None for one in encoder.network.parameters())


@pytest.mark.parametrize("kind", [Kind.PAIR_CLASSIFICATION, Kind.PAIR_REGRESSION])
def test_pair_task_on_an_encoder_with_one_token_type_is_refused(
    tasks: dict[Kind, TaskData], encoder_folder: Path, tmp_path: Path, kind: Kind
) -> None:
    one_type = _with_one_token_type(encoder_folder, tmp_path / "encoder")
    with pytest.raises(TrainingError, match=r"has 1 token type\(s\).*task of kind pair_"):
        PreparedTask(tasks[kind], "task", one_type, 24)
    PreparedTask(tasks[Kind.CLASSIFICATION], "task", one_type, 24)


def _with_one_token_type(folder: Path, copy: Path) -> Encoder:
    shutil.copytree(folder, copy)
    weights = load_file(copy / "model.safetensors")
    name = "embeddings.token_type_embeddings.weight"
    weights[name] = weights[name][:1].clone()
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"type_vocab_size": 1}))
    return load_encoder(str(copy))
