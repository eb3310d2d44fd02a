"""Folders as a search leaves them, and the paper's scores: for the tests of what reads a search."""

from collections.abc import Mapping
from pathlib import Path

from training.kinds import Kind
from training.search.result import Cost, Role, SearchResult, State, Trial, write_result

# The paper's Table 1 (teachers) and rows KD-1, KD-2, KD-3 of its Table 2 (students).
PAPER_SCORES = Path(__file__).parent / "unit" / "training" / "selection" / "paper_scores.json"


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
    """Writes a finished search of a 12-layer encoder whose teacher has L = 5, with (empty) checkpoint folders."""
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
