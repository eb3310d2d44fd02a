import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import training.search.trial_training
from training.checkpoint import load_checkpoint
from training.checkpoint_scores import CheckpointScorer
from training.data import TaskData, load_task
from training.encoder import Encoder
from training.errors import NotFiniteError, TrainingError
from training.evaluator import evaluate
from training.hyper_parameters import ClassWeights, TrainingPrecision
from training.kinds import Kind
from training.loop import Fit
from training.model import Branch, Trunk
from training.prepared_task import PreparedTask
from training.search.result import SearchResult, read_result
from training.search.search import Search
from training.search.settings import Baseline, Grid, Settings

GRID = Grid(teacher_layers=[1, 2, 3], student_layers=[1, 2], learning_rates=[2e-3], seeds=[0])
Run = Callable[..., SearchResult]


@pytest.fixture
def run(tmp_path: Path, tasks: dict[Kind, TaskData], encoder: Encoder) -> Run:
    """run(kind=..., grid=..., ...) searches in tmp_path; `told` collects what it reports."""

    def run(
        kind: Kind = Kind.CLASSIFICATION,
        grid: Grid = GRID,
        prune: bool = False,
        cache: int = 10**9,
        data: TaskData | None = None,
        told: list[str] | None = None,
        halve_dev: int | None = None,
    ) -> SearchResult:
        of_kind = tasks[kind] if halve_dev is None else load_task(tasks[kind].source, halve_dev=halve_dev)
        task = PreparedTask(data or of_kind, "mood", encoder, 24)
        settings = Settings(
            task="mood",
            kind=kind,
            metric=task.metric,
            data=task.data.source,
            data_sha256=task.data.sha256,
            train_rows=len(task.data.train),
            dev_rows=len(task.data.dev),
            encoder=encoder.name,
            encoder_fingerprint="f",
            max_length=24,
            batch_size=8,
            accumulation=1,
            first_epoch=2,
            epochs=3,
            patience=0,
            class_weights=ClassWeights.NONE,
            precision=TrainingPrecision.FP32,
            prune=prune,
            halve_dev=halve_dev,
        )
        report = told.append if told is not None else lambda _: None
        return Search(tmp_path, task, settings, grid, None, report).run(cache)

    return run


def checkpoints(folder: Path) -> dict[str, int]:
    """The time at which each checkpoint was written, by name."""
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("checkpoints/*/branch.json")}


@pytest.mark.parametrize("kind", list(Kind))
def test_search_of_each_kind_trains_all_teachers_and_students_of_the_best(
    run: Run, tmp_path: Path, tasks: dict[Kind, TaskData], encoder: Encoder, kind: Kind
) -> None:
    result = run(kind)
    teacher = result.trials[result.teacher]
    best = max(trial.score for trial in result.best("teacher").values())
    assert list(result.best("teacher")) == [1, 2, 3]
    assert (teacher.role, teacher.score) == ("teacher", best)
    assert all(trial.score < best for trial in result.finished("teacher") if trial.layers < teacher.layers)
    assert list(result.best("student")) == [layers for layers in (1, 2) if layers < teacher.layers]
    assert read_result(tmp_path) == result
    data = tasks[kind]
    for trial in result.trials:
        checkpoint = load_checkpoint(tmp_path / trial.checkpoint)
        assert list(trial.epochs) == [1, 2, 3]
        assert trial.epochs[trial.best_epoch] == trial.score
        assert trial.best_epoch >= 2
        # The search scored on stored hidden states; the whole model in full precision must agree.
        trunk = Trunk(encoder, [checkpoint.record.tap])
        scores = evaluate(trunk, checkpoint.branch, encoder.tokenizer, data.dev, kind, data.labels, 24)
        assert scores[result.metric] == pytest.approx(trial.score, abs=1.0)


def test_search_that_is_done_trains_nothing_again(run: Run, tmp_path: Path) -> None:
    first = run()
    written = checkpoints(tmp_path)
    assert run() == first
    assert checkpoints(tmp_path) == written


def test_search_that_was_ended_goes_on_where_it_stopped(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, trained = training.search.trial_training.fine_tune_branch, []

    def fail_at_the_third(task: PreparedTask, layers: int, *rest: object) -> tuple[Branch, Fit]:
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(layers)
        return train(task, layers, *rest)

    monkeypatch.setattr(training.search.trial_training, "fine_tune_branch", fail_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run()
    before = checkpoints(tmp_path)
    assert trained == [1, 2]
    assert len(before) == 2
    monkeypatch.undo()
    result = run()
    assert [trial.layers for trial in result.finished("teacher")] == [1, 2, 3]
    assert before.items() <= checkpoints(tmp_path).items()


def test_loss_that_is_no_number_ends_the_trial_and_not_the_search(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    train = training.search.trial_training.fine_tune_branch

    def diverge(task: PreparedTask, layers: int, *rest: object) -> tuple[Branch, Fit]:
        if layers == 3:
            raise NotFiniteError("the loss is nan")
        return train(task, layers, *rest)

    monkeypatch.setattr(training.search.trial_training, "fine_tune_branch", diverge)
    told: list[str] = []
    result = run(told=told)
    failed = [trial for trial in result.trials if trial.state == "failed"]
    assert [(trial.layers, trial.message, trial.checkpoint) for trial in failed] == [(3, "the loss is nan", None)]
    assert [trial.layers for trial in result.finished("teacher")] == [1, 2]
    assert any("failed: the loss is nan" in line for line in told)


def test_search_in_which_no_teacher_learns_says_why(run: Run) -> None:
    with pytest.raises(TrainingError, match=r"all teachers of mood failed; the last one: .*lower learning rate"):
        run(grid=GRID.model_copy(update={"learning_rates": [1e30]}))


def test_learning_rate_that_diverges_leaves_the_choice_to_the_others(run: Run) -> None:
    result = run(grid=GRID.model_copy(update={"learning_rates": [1e30, 2e-3]}))
    assert {trial.state for trial in result.trials if trial.learning_rate == 1e30} == {"failed"}
    assert result.trials[result.teacher].learning_rate == 2e-3


def test_baselines_are_trials_of_the_same_search(run: Run) -> None:
    result = run(grid=GRID.model_copy(update={"baselines": [Baseline.FULL, Baseline.VANILLA]}))
    assert list(result.best("full")) == [4]
    assert result.best("vanilla").keys() == result.best("student").keys()
    full = result.finished("full")[0]
    assert result.cost.full_fine_tuning == full.seconds
    assert result.cost.ratio == pytest.approx(result.cost.search / full.seconds)
    searched = [trial.seconds for trial in result.trials if trial.role in ("teacher", "student")]
    assert result.cost.search >= sum(searched)


def test_baselines_keep_the_weights_of_their_best_trial_and_a_vanilla_student_is_a_branch(
    run: Run, tmp_path: Path, tasks: dict[Kind, TaskData]
) -> None:
    grid = {"full_learning_rates": [1e-5, 2e-3], "baselines": [Baseline.FULL, Baseline.VANILLA]}
    result = run(grid=GRID.model_copy(update=grid))
    kept = [trial for trial in result.finished("full") if trial.checkpoint]
    assert [trial.score for trial in kept] == [max(trial.score for trial in result.finished("full"))]
    assert (tmp_path / kept[0].checkpoint).is_dir()
    scored = CheckpointScorer().score(
        tmp_path / kept[0].checkpoint, Path(tasks[Kind.CLASSIFICATION].source) / "dev.jsonl"
    )
    assert scored.score == pytest.approx(kept[0].score)
    again = run(grid=GRID.model_copy(update=grid | {"full_learning_rates": [1e-5, 2e-3, 2.1e-3]}))
    best = again.best("full")[4]  # also where two trials have the same score
    assert best.checkpoint is not None
    assert [trial for trial in again.finished("full") if trial.checkpoint] == [best]
    for trial in result.finished("vanilla"):
        record = load_checkpoint(tmp_path / trial.checkpoint).record
        assert record.training.hyper_parameters["start"] == "the pretrained encoder"


def test_search_to_the_end_with_adapters_other_taps_and_a_half_of_dev_held_back(run: Run, tmp_path: Path) -> None:
    more = {
        "teacher_layers": [2],
        "student_layers": [1],
        "student_taps": [1, 2, 3],
        "baselines": [Baseline.FULL, Baseline.LORA],
        "double_until": 0.3,
        "most_epochs": 12,
    }
    told: list[str] = []
    result = run(grid=GRID.model_copy(update=more), halve_dev=0, told=told)
    assert (result.dev_rows, result.held_rows, result.to_do, result.epochs) == (12, 12, 0, 3)
    teacher = result.trials[result.teacher]
    assert {trial.total_epochs for trial in result.finished("teacher")} == {None, 6}
    assert result.best_of_other_taps().keys() == {(1, 1), (3, 1)}
    assert {trial.total_epochs for trial in result.finished("student")} == {None, 6}  # with its teacher's 12
    assert {trial.total_epochs for trial in result.trials if trial.tap} == {None, 6}
    for role in ("full", "lora"):
        assert {trial.total_epochs for trial in result.finished(role)} == {None, 6, 12}, role
    for trial in result.trials:
        assert trial.held_scores.keys() == trial.scores.keys()
        assert len(trial.draws) == 200
        if trial.role in ("teacher", "student"):
            assert load_checkpoint(tmp_path / trial.checkpoint).record.tap == (trial.tap or 4 - teacher.layers)
    cost = result.cost
    assert cost.processor is not None
    assert min(cost.processor.other_taps, cost.processor.longer_runs, cost.processor.full_fine_tuning) > 0
    assert cost.full_fine_tunings == cost.processor.ratio
    assert read_result(tmp_path) == result == run(grid=GRID.model_copy(update=more), halve_dev=0)


def test_missing_peft_is_said_before_anything_trains(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(TrainingError, match=r"needs the package peft .*\.\[adapters\]"):
        run(grid=GRID.model_copy(update={"baselines": [Baseline.FULL, Baseline.LORA]}))
    assert not (tmp_path / "checkpoints").exists()


def test_unfinished_search_counts_what_is_left(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training.search.trial_training, "distill_branch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(grid=GRID.model_copy(update={"teacher_layers": [3]}))
    left = read_result(tmp_path)
    assert (left.to_do, left.teacher) == (2, 0)


def test_teacher_within_the_tolerance_wins_with_fewer_layers(run: Run) -> None:
    exact = run()
    fewest = run(grid=GRID.model_copy(update={"tolerance": 100.0}))
    assert exact.trials[exact.teacher].score == max(trial.score for trial in exact.best("teacher").values())
    assert fewest.trials[fewest.teacher].layers == 1


def test_search_without_a_cache_finds_the_same(run: Run, tmp_path: Path) -> None:
    told: list[str] = []
    result = run(cache=0, told=told)
    assert any("0 of 3 taps are kept" in line for line in told)
    assert result.best("teacher").keys() == {1, 2, 3}
    assert not list(tmp_path.glob("cache/*.f16"))


def test_nothing_of_the_cache_is_left_behind(run: Run, tmp_path: Path) -> None:
    run()
    assert not (tmp_path / "cache").exists()


def test_search_of_other_data_in_the_same_folder_is_refused(
    run: Run, tmp_path: Path, tasks: dict[Kind, TaskData]
) -> None:
    first = run()
    changed = replace(tasks[Kind.CLASSIFICATION], sha256="another")
    with pytest.raises(TrainingError, match=r"holds a search with data sha256 .*choose another --output"):
        run(data=changed)
    assert read_result(tmp_path) == first


def test_pruned_teacher_has_its_scores_and_no_checkpoint(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    falling = {1: iter([90.0, 91.0, 92.0]), 2: iter([10.0, 11.0, 12.0]), 3: iter([91.0, 92.0, 93.0])}

    def scored(task: PreparedTask, model: object) -> dict[str, float]:  # noqa: ARG001
        return {"accuracy": next(falling.get(len(model.branch.layers), iter([50.0])), 50.0)}  # type: ignore[attr-defined]

    monkeypatch.setattr(PreparedTask, "scores", scored)
    result = run(prune=True)
    pruned = [trial for trial in result.trials if trial.state == "pruned"]
    assert [(trial.layers, trial.epochs, trial.checkpoint) for trial in pruned] == [(2, {1: 10.0, 2: 11.0}, None)]
    assert result.trials[result.teacher].layers == 3
    assert math.isclose(result.trials[result.teacher].score, 93.0)
