"""The paper's scores, and folders as a search leaves them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from training.kinds import Kind
from training.search.result import Cost, Role, SearchResult, State, Trial, write_result
from training.selection.options import Options
from training.selection.options_from_scores import read_scores

PAPER = Path(__file__).with_name("paper_scores.json")


@pytest.fixture(scope="session")
def paper_file() -> Path:
    """The paper's Table 1 (teachers) and rows KD-1, KD-2, KD-3 of its Table 2 (students)."""
    return PAPER


@pytest.fixture(scope="session")
def paper() -> Options:
    return read_scores(PAPER).options()


def trial(
    role: Role,
    layers: int,
    score: float | None,
    state: State = "finished",
    seed: int = 0,
    checkpoint: str | None = None,
) -> Trial:
    return Trial(
        role=role,
        layers=layers,
        learning_rate=2e-5,
        seed=seed,
        state=state,
        epochs={},
        score=score,
        seconds=1.0,
        checkpoint=checkpoint,
    )


@pytest.fixture(scope="session")
def make_trial() -> Callable[..., Trial]:
    return trial


@pytest.fixture(scope="session")
def write_search() -> Callable[..., Path]:
    """write_search(folder, task): a finished search of a 12-layer encoder whose teacher has L = 5, with checkpoints."""

    def write_search(
        folder: Path,
        task: str,
        teachers: Mapping[int, float] = {4: 69.0, 5: 71.5},
        students: Mapping[int, float] = {1: 66.1, 2: 64.6, 3: 66.8},
        chosen: int | None = 5,
        more: list[Trial] | None = None,
        encoder: str = "bert",
        encoder_layers: int = 12,
    ) -> Path:
        folder.mkdir(parents=True)
        scored: list[tuple[Role, int, float]] = [("teacher", layers, score) for layers, score in teachers.items()]
        scored += [("student", layers, score) for layers, score in students.items()]
        trials = [trial(role, layers, score, checkpoint=f"{role}-{layers}") for role, layers, score in scored]
        for one in trials:
            (folder / str(one.checkpoint)).mkdir()
        result = SearchResult(
            task=task,
            kind=Kind.CLASSIFICATION,
            metric="accuracy",
            labels=["a", "b"],
            encoder=encoder,
            encoder_layers=encoder_layers,
            data="data",
            data_sha256="0",
            train_rows=1,
            dev_rows=1,
            teacher=None if chosen is None else list(teachers).index(chosen),
            trials=trials + (more or []),
            cost=Cost(hidden_states=0, teachers=1, teacher_logits=0, students=1),
        )
        write_result(folder, result)
        return folder

    return write_search
