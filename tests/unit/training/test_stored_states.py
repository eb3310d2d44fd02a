"""Stored hidden states against the trunk's own, on real files and a real limit on their size."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import training.stored_states
from training.batches import Inputs, make_inputs
from training.data import Example, TaskData
from training.encoder import Encoder
from training.errors import TrainingWarning
from training.evaluator import decode, logits_of
from training.hyper_parameters import HyperParameters, TrainingPrecision
from training.kinds import Kind
from training.model import Branch, Trunk, new_branch
from training.prepared_task import PreparedTask, Split
from training.stored_states import BATCH, Cache, drop_states, states_stored_in, store_states
from training.task_model import TaskModel
from training.trainer import fine_tune_branch

PLENTY = 10**9
WORDS = ["good", "jazz", "in", "paris", "Porto", "it", "was", "St.Ives", "today"]
HALF_PRECISION = {"rtol": 2**-10, "atol": 1e-4}


def text(number: int, most: int) -> str:
    """From one word to `most`."""
    words = [WORDS[(number * step + step) % len(WORDS)] for step in range(1, 1 + number * 7 % most)]
    return " ".join(["film", *words])


@pytest.fixture(params=[Kind.CLASSIFICATION, Kind.PAIR_CLASSIFICATION])
def uneven(request: pytest.FixtureRequest, encoder: Encoder) -> PreparedTask:
    """More rows than are computed at a time, of all lengths up to 24 tokens, in no order; dev has other texts."""
    pair = request.param is Kind.PAIR_CLASSIFICATION
    rows = [
        Example(text(n, 9 if pair else 31), "ab"[n % 2], text(3 * n, 8) if pair else None) for n in range(BATCH + 20)
    ]
    data = TaskData("memory", request.param, ("a", "b"), rows[:-9], rows[-9:], "0")
    return PreparedTask(data, "mood", encoder, 24)


@pytest.fixture
def prepare(tasks: dict[Kind, TaskData], encoder: Encoder) -> Callable[..., PreparedTask]:
    """prepare(kind, **changes of its data): the same task again, of which nothing is stored."""

    def prepare(kind: Kind = Kind.CLASSIFICATION, **changes: object) -> PreparedTask:
        return PreparedTask(replace(tasks[kind], **changes), "mood", encoder, 24)

    return prepare


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
def no_trunk(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """no_trunk(): from here on no hidden state can be computed to be stored."""

    def forbid() -> None:
        monkeypatch.setattr(training.stored_states, "Trunk", None)

    return forbid


def bytes_per_tap(task: PreparedTask) -> int:
    return sum(2 * 32 * len(one.ids) for split in ("train", "dev") for one in task.tokens[split])


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"lock"}


def both(*taps: int) -> set[str]:
    return {f"{split}_hidden_{tap}.f16" for split in ("train", "dev") for tap in taps}


def batches(task: PreparedTask, split: Split) -> Iterator[Inputs]:
    """All texts in random batches, so that short ones stand beside long ones."""
    order = torch.randperm(len(task.tokens[split]), generator=torch.Generator().manual_seed(0))
    for rows in order.split(7):
        yield make_inputs(task.tokens[split], rows.tolist())


def trunk_states(task: PreparedTask, tap: int, inputs: Inputs) -> torch.Tensor:
    with torch.no_grad():
        return Trunk(task.encoder, [tap])(inputs.input_ids, inputs.attention_mask, inputs.token_type_ids)[-1]


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Writing more bytes than `size` to a file fails, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_stored_states_are_the_trunks_in_half_precision(
    uneven: PreparedTask, tmp_path: Path, reports: list[str]
) -> None:
    lengths = {len(one.ids) for one in uneven.tokens["train"]}
    assert min(lengths) <= 5
    assert max(lengths) == 24
    assert store_states(uneven, [1, 3], tmp_path / "cache", PLENTY, reports.append)
    assert reports == []
    assert uneven.stored.keys() == {("train", 1), ("train", 3), ("dev", 1), ("dev", 3)}
    for split, tap in uneven.stored:
        for inputs in batches(uneven, split):
            seen, states = inputs.attention_mask.bool(), uneven.states(split, tap)(inputs)
            assert states.dtype is torch.float32
            torch.testing.assert_close(states[seen], trunk_states(uneven, tap, inputs)[seen], **HALF_PRECISION)


@torch.no_grad()
@pytest.mark.parametrize("per_token", [False, True])
def test_what_stands_at_padding_is_of_no_account(
    uneven: PreparedTask, tmp_path: Path, reports: list[str], per_token: bool
) -> None:
    store_states(uneven, [2], tmp_path / "cache", PLENTY, reports.append)
    branch = new_branch(uneven.encoder, 2, 2, per_token).eval()
    inputs = next(batches(uneven, "train"))
    stored, seen = uneven.states("train", 2), inputs.attention_mask.bool()
    assert not seen.all()

    def with_noise(inputs: Inputs) -> torch.Tensor:
        states = stored(inputs)
        states[~seen] = 100.0
        return states

    logits = TaskModel(stored, branch)(inputs)
    noisy = TaskModel(with_noise, branch)(inputs)
    expected = branch(trunk_states(uneven, 2, inputs), inputs.attention_mask)
    at = seen if per_token else slice(None)
    torch.testing.assert_close(noisy[at], logits[at], rtol=0, atol=1e-6)
    torch.testing.assert_close(logits[at], expected[at], rtol=0, atol=5e-3)


def test_files_hold_two_bytes_per_number_and_no_padding(
    uneven: PreparedTask, tmp_path: Path, reports: list[str]
) -> None:
    store_states(uneven, [1], tmp_path, PLENTY, reports.append)
    assert files(tmp_path) == both(1)
    assert sum((tmp_path / name).stat().st_size for name in both(1)) == bytes_per_tap(uneven)


def test_budget_of_nothing_stores_nothing_and_says_so_in_one_sentence(
    prepare: Callable[..., PreparedTask], tmp_path: Path, reports: list[str]
) -> None:
    task = prepare()
    assert not store_states(task, [1, 2], tmp_path, 0, reports.append)
    assert (files(tmp_path), task.stored) == (set(), {})
    assert reports == [
        "mood: the hidden states of a tap take 0.00 GB, the cache may take 0.00 GB: 0 of 2 taps are kept, "
        "the rest is recomputed each epoch."
    ]


@pytest.mark.parametrize(("taps_of_room", "kept"), [(1.0, {3}), (1.99, {3}), (2.0, {2, 3}), (3.0, {1, 2, 3})])
def test_budget_keeps_the_deepest_taps_that_fit(
    prepare: Callable[..., PreparedTask], tmp_path: Path, reports: list[str], taps_of_room: float, kept: set[int]
) -> None:
    task = prepare()
    budget = int(taps_of_room * bytes_per_tap(task))
    assert store_states(task, [1, 2, 3], tmp_path, budget, reports.append)
    assert files(tmp_path) == both(*kept)
    assert {tap for _, tap in task.stored} == kept
    assert sum((tmp_path / name).stat().st_size for name in files(tmp_path)) <= budget
    assert [f"{len(kept)} of 3 taps are kept" in one for one in reports] == [True] * (len(kept) < 3)


def test_tap_given_twice_is_stored_once(
    prepare: Callable[..., PreparedTask], tmp_path: Path, reports: list[str]
) -> None:
    task = prepare()
    assert store_states(task, [2, 1, 2], tmp_path, 2 * bytes_per_tap(task), reports.append)
    assert (files(tmp_path), reports) == (both(1, 2), [])


def test_second_call_computes_nothing_and_reads_what_the_first_stored(
    prepare: Callable[..., PreparedTask], no_trunk: Callable[[], None], tmp_path: Path, reports: list[str]
) -> None:
    first, second = prepare(), prepare()
    assert store_states(first, [1, 2], tmp_path, PLENTY, reports.append) is True
    no_trunk()
    assert store_states(first, [1, 2], tmp_path, PLENTY, reports.append) is False
    assert store_states(second, [2], tmp_path, PLENTY, reports.append) is False
    inputs = next(batches(second, "dev"))
    assert torch.equal(second.states("dev", 2)(inputs), first.states("dev", 2)(inputs))


def test_later_call_computes_only_the_taps_that_are_missing(
    prepare: Callable[..., PreparedTask], tmp_path: Path, reports: list[str]
) -> None:
    task = prepare()
    store_states(task, [2], tmp_path, PLENTY, reports.append)
    before = {name: (tmp_path / name).stat().st_ino for name in both(2)}
    assert store_states(task, [3, 2, 1], tmp_path, PLENTY, reports.append)
    assert files(tmp_path) == both(1, 2, 3)
    assert {name: (tmp_path / name).stat().st_ino for name in both(2)} == before


def test_what_a_killed_process_left_unfinished_is_computed_anew(
    prepare: Callable[..., PreparedTask], tmp_path: Path, reports: list[str]
) -> None:
    first, second = prepare(), prepare()
    store_states(first, [1], tmp_path, PLENTY, reports.append)
    whole = {name: (tmp_path / name).read_bytes() for name in both(1)}
    (tmp_path / "dev_hidden_1.f16").rename(tmp_path / "dev_hidden_1.part")
    with (tmp_path / "dev_hidden_1.part").open("ab") as file:
        file.write(bytes(1000))
    assert store_states(second, [1], tmp_path, PLENTY, reports.append)
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == whole


def test_what_a_machine_that_went_down_left_cut_is_computed_anew(
    prepare: Callable[..., PreparedTask], tmp_path: Path, reports: list[str]
) -> None:
    store_states(prepare(), [1], tmp_path, PLENTY, reports.append)
    whole = {name: (tmp_path / name).read_bytes() for name in both(1)}
    (tmp_path / "train_hidden_1.f16").write_bytes(b"")
    assert store_states(prepare(), [1], tmp_path, PLENTY, reports.append)
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == whole


def test_taps_that_are_wanted_now_take_the_room_of_the_lowest_of_the_others(
    prepare: Callable[..., PreparedTask], tmp_path: Path, reports: list[str]
) -> None:
    task = prepare()
    budget = 2 * bytes_per_tap(task)
    store_states(task, [1, 3], tmp_path, budget, reports.append)
    assert store_states(task, [2], tmp_path, budget, reports.append)
    assert (files(tmp_path), reports) == (both(2, 3), [])
    assert {tap for _, tap in task.stored} == {2, 3}


def test_full_disk_leaves_nothing_behind_and_training_goes_on_with_the_same_result(
    prepare: Callable[..., PreparedTask], hyper: HyperParameters, tmp_path: Path, reports: list[str]
) -> None:
    task, brief = prepare(), replace(hyper, epochs=2)
    with no_file_above(4096):
        store_states(task, [1, 2], tmp_path, PLENTY, reports.append)
    assert (files(tmp_path), task.stored) == (set(), {})
    assert reports == [
        f"mood: the hidden states could not be stored in {tmp_path} (File too large): they are recomputed in each "
        "epoch, which is slower; make room or give a smaller cache."
    ]
    branch, result = fine_tune_branch(task, 3, brief)
    expected_branch, expected = fine_tune_branch(prepare(), 3, brief)
    assert result == expected
    assert torch.equal(_vector(branch), _vector(expected_branch))


def _vector(branch: Branch) -> torch.Tensor:
    return nn.utils.parameters_to_vector(branch.parameters())


def test_disk_full_after_train_was_stored_gives_its_room_back(
    prepare: Callable[..., PreparedTask], tmp_path: Path, reports: list[str]
) -> None:
    """The room that states without their dev half take is what checkpoints then lack."""
    rows = prepare().examples["train"]
    task = prepare(train=rows[:4], dev=rows)
    with no_file_above(4096):
        store_states(task, [1, 2], tmp_path, PLENTY, reports.append)
    assert (files(tmp_path), task.stored, len(reports)) == (set(), {}, 1)


def test_disk_that_was_full_is_used_once_there_is_room(
    prepare: Callable[..., PreparedTask], tmp_path: Path, reports: list[str]
) -> None:
    task = prepare()
    store_states(task, [3], tmp_path, PLENTY, reports.append)
    with no_file_above(4096):
        store_states(task, [2, 3], tmp_path, PLENTY, reports.append)
    assert files(tmp_path) == both(3)  # what was whole before is left as it was
    assert store_states(task, [2, 3], tmp_path, PLENTY, reports.append)
    assert task.stored.keys() == {(split, tap) for split in ("train", "dev") for tap in (2, 3)}
    assert len(reports) == 1


@pytest.mark.parametrize("kind", [Kind.PAIR_CLASSIFICATION, Kind.TAGGING])
def test_branch_trained_on_stored_states_answers_as_one_trained_on_computed_ones(
    prepare: Callable[..., PreparedTask], hyper: HyperParameters, tmp_path: Path, reports: list[str], kind: Kind
) -> None:
    longer = replace(hyper, epochs=12, batch_size=2, precision=TrainingPrecision.FP32)
    computing, reading = prepare(kind), prepare(kind)
    store_states(reading, [1], tmp_path, PLENTY, reports.append)
    branch, result = fine_tune_branch(computing, 3, longer)
    on_stored, result_on_stored = fine_tune_branch(reading, 3, longer)
    assert result.scores[computing.metric] > 95
    assert result_on_stored.scores == result.scores
    assert answers(computing, on_stored) == answers(computing, branch)  # on the trunk that will serve it
    assert not torch.equal(_vector(branch), _vector(on_stored))  # it did read the rounded ones


def answers(task: PreparedTask, branch: Branch) -> list[object]:
    """To the texts of dev."""
    tokens = task.tokens["dev"]
    logits = logits_of(task.model("dev", branch, 1), tokens, task.kind)
    return [decode(one, of, task.kind, task.data.labels) for one, of in zip(logits, tokens, strict=True)]


def test_dropped_states_leave_no_file_and_are_computed_again(
    prepare: Callable[..., PreparedTask], tmp_path: Path, reports: list[str]
) -> None:
    task = prepare()
    folder = tmp_path / "cache"
    store_states(task, [1, 2], folder, PLENTY, reports.append)
    inputs, mapped = next(batches(task, "train")), task.states("train", 2)
    before = mapped(inputs)
    drop_states(task, folder)
    assert not folder.exists()
    assert task.stored == {}
    assert torch.equal(task.states("train", 2)(inputs), trunk_states(task, 2, inputs))
    assert torch.equal(mapped(inputs), before)  # as another process would still read them
    drop_states(task, folder)  # nothing there any more is fine
    assert store_states(task, [1], folder, PLENTY, reports.append)


def test_states_are_stored_inside_the_block_alone(prepare: Callable[..., PreparedTask], tmp_path: Path) -> None:
    task = prepare()
    with states_stored_in(Cache(tmp_path, PLENTY), task, tap=2, passes=2):
        assert task.stored.keys() == {("train", 2), ("dev", 2)}
        assert sum(file.stat().st_size for file in tmp_path.rglob("*.f16")) == bytes_per_tap(task)
    assert (task.stored, files(tmp_path)) == ({}, set())


def test_training_that_fails_leaves_no_states_behind(prepare: Callable[..., PreparedTask], tmp_path: Path) -> None:
    task = prepare()
    with pytest.raises(KeyboardInterrupt), states_stored_in(Cache(tmp_path, PLENTY), task, tap=2, passes=2):
        raise KeyboardInterrupt
    assert (task.stored, files(tmp_path)) == ({}, set())


@pytest.mark.parametrize(("budget", "passes"), [(None, 9), (0, 9), (PLENTY, 1)])
def test_nothing_is_stored_without_room_or_for_a_single_pass(
    prepare: Callable[..., PreparedTask], tmp_path: Path, budget: int | None, passes: int
) -> None:
    task = prepare()
    cache = None if budget is None else Cache(tmp_path, budget)
    with states_stored_in(cache, task, tap=2, passes=passes):
        assert (task.stored, files(tmp_path)) == ({}, set())


def test_states_over_the_budget_are_computed_in_each_epoch_with_a_warning(
    prepare: Callable[..., PreparedTask], tmp_path: Path
) -> None:
    task = prepare()
    with (
        pytest.warns(TrainingWarning, match="0 of 1 taps are kept"),
        states_stored_in(Cache(tmp_path, bytes_per_tap(task) - 1), task, tap=2, passes=2),
    ):
        assert task.stored == {}
