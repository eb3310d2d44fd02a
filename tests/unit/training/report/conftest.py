"""Search results for reports: with a pruned and a failed trial, and with baselines for some tasks only."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from training.baselines.joint_result import JointResult, write_joint_result
from training.checkpoint import Checkpoint, save_checkpoint
from training.data import TaskData
from training.kinds import Kind
from training.report.collected_results import CollectedResults, collect_results
from training.report.page import Page, make_page
from training.search.result import Cost, Role, SearchResult, State, Trial, write_result
from training.selection.mixed import mixed
from training.selection.teacher_choice import choose_teacher

PAPER = Path(__file__).parents[1] / "selection" / "paper_scores.json"


def trial(role: Role, layers: int, score: float, state: State = "finished", seed: int = 0, message: str = "") -> Trial:
    """A trial whose third and last epoch has the score; a pruned trial has two epochs, a failed one none."""
    epochs = {1: score - 4, 2: score - 1, 3: score}
    done = state == "finished"
    return Trial(
        role=role,
        layers=layers,
        learning_rate=5e-5,
        seed=seed,
        state=state,
        epochs={"finished": epochs, "pruned": {1: score - 4, 2: score - 1}, "failed": {}}[state],
        best_epoch=3 if done else None,
        score=score if done else None,
        scores={"accuracy": score, "f1_macro": score - 2} if done else {},
        seconds=20,
        message=message,
    )


def result(
    task: str,
    trials: list[Trial],
    teacher: int,
    kind: Kind = Kind.PAIR_CLASSIFICATION,
    full_seconds: float | None = 100.0,
    encoder_layers: int = 6,
) -> SearchResult:
    """A search that cost 250 s. teacher: the index of the chosen one in `trials`."""
    labels = {Kind.PAIR_REGRESSION: [], Kind.TAGGING: ["O", "B-city", "I-city", "B-genre", "I-genre"]}
    return SearchResult(
        task=task,
        kind=kind,
        metric=kind.default_metric,
        labels=labels.get(kind, ["no", "yes"]),
        encoder="minilm",
        encoder_layers=encoder_layers,
        data=f"data/{task}",
        data_sha256="0",
        train_rows=2490,
        dev_rows=277,
        teacher=teacher,
        trials=trials,
        cost=Cost(hidden_states=20, teachers=150, teacher_logits=5, students=75, full_fine_tuning=full_seconds),
    )


def four_tasks() -> list[SearchResult]:
    rte = [
        trial("teacher", 5, 66.0, "pruned"),
        trial("teacher", 4, 70.0),
        trial("teacher", 4, 69.0, seed=1),
        trial("teacher", 3, 69.5),
        trial("student", 1, 64.0),
        trial("student", 2, 65.5),
        trial("student", 3, 0.0, "failed", message="the loss of rte is nan in epoch 1: try less than <5e-05>."),
        trial("vanilla", 1, 60.0),
        trial("vanilla", 2, 63.0),
        trial("full", 6, 71.0),
    ]
    stsb = [trial("teacher", 2, 88.0), trial("student", 1, 87.5), trial("vanilla", 1, 80.0), trial("full", 6, 88.5)]
    slots = [trial("teacher", 3, 95.0), trial("student", 1, 90.0), trial("student", 2, 94.0)]
    topics = [trial("teacher", 3, 77.0), trial("student", 1, 76.5), trial("student", 2, 76.0), trial("full", 6, 77.0)]
    return [
        result("rte", rte, teacher=1),
        result("stsb", stsb, 0, Kind.PAIR_REGRESSION),
        result("slots", slots, 0, Kind.TAGGING, full_seconds=None),
        result("topics", topics, 0, Kind.MULTI_LABEL),
    ]


def write_searches(root: Path, results: list[SearchResult], joint: bool = False) -> Path:
    for one in results:
        (root / one.task).mkdir(parents=True)
        write_result(root / one.task, one)
    if joint:
        scores = {one.task: 70.0 + number for number, one in enumerate(results)}
        left_out = {task: score - 20 for task, score in scores.items() if task != "rte"}
        encoder = results[0].encoder
        write_joint_result(
            root,
            JointResult(
                encoder=encoder,
                encoder_layers=results[0].encoder_layers,
                full=scores,
                leave_one_out=left_out,
                seconds=9.0,
            ),
        )
    return root


@pytest.fixture(scope="session")
def make_trial() -> Callable[..., Trial]:
    return trial


@pytest.fixture(scope="session")
def make_result() -> Callable[..., SearchResult]:
    return result


@pytest.fixture(scope="session")
def write_all() -> Callable[..., Path]:
    """write_all(root, results, joint=False) writes root/<task>/result.json for each, and root/joint.json."""
    return write_searches


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four tasks with MT-DNN, whose LOO lacks rte. Tests must not change it."""
    return write_searches(tmp_path_factory.mktemp("searched"), four_tasks(), joint=True)


@pytest.fixture(scope="session")
def results(searched: Path) -> CollectedResults:
    return collect_results([searched])


@pytest.fixture(scope="session")
def paper(tmp_path_factory: pytest.TempPathFactory) -> CollectedResults:
    """The paper's Tables 1 and 2 as results of searches, and two more tasks."""
    tasks: Mapping[str, dict[str, dict[str, float]]] = json.loads(PAPER.read_text())["tasks"]
    found = []
    for task, scores in tasks.items():
        teachers = {int(layers): score for layers, score in scores["teachers"].items() if 4 <= int(layers) <= 10}
        chosen = choose_teacher(teachers)
        trials = [trial("teacher", chosen, teachers[chosen]), trial("full", 12, scores["teachers"]["12"])]
        trials += [trial("student", int(layers), score) for layers, score in scores["students"].items()]
        found.append(result(task, trials, 0, encoder_layers=12))
    trials = [trial("teacher", 4, 90.0), *(trial("student", layers, 89.9) for layers in (1, 2, 3))]
    found += [result(task, trials, 0, encoder_layers=12) for task in ("emotion", "domain")]
    return collect_results([write_searches(tmp_path_factory.mktemp("paper"), found)])


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory,
    teachers: dict[Kind, Checkpoint],
    tasks: dict[Kind, TaskData],
    encoder_folder: Path,
) -> Path:
    """A search of each kind with its data and its teacher's checkpoint. Tests must not change it."""
    root = tmp_path_factory.mktemp("trained")
    for kind, checkpoint in teachers.items():
        record, data = checkpoint.record, tasks[kind]
        teacher = trial("teacher", 3, 99.0)
        teacher.scores, teacher.checkpoint = record.scores, "checkpoints/teacher"
        one = result(kind.value, [teacher, trial("student", 1, 10.0)], 0, kind, encoder_layers=4)
        one.encoder, one.data, one.data_sha256, one.labels = (
            str(encoder_folder),
            data.source,
            data.sha256,
            record.labels,
        )
        write_searches(root, [one])
        (root / kind / "checkpoints").mkdir()
        save_checkpoint(root / kind / "checkpoints" / "teacher", checkpoint)
    return root


@pytest.fixture(scope="session")
def page(results: CollectedResults) -> Page:
    """The page of the four tasks, without the errors of their branches."""
    suites = [mixed(results.options, threshold) for threshold in (1.0, 2.0)]
    return make_page(results, suites, dict.fromkeys(results.names, "No model was <loaded>."))
