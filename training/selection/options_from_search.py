"""Reads options from the folders that `espalier search` wrote."""

from collections.abc import Iterable
from pathlib import Path

from training.errors import TrainingError
from training.figure import Figure
from training.search.result import FILE, SearchResult, Trial, read_result
from training.selection.options import Option, OptionRole, Options, TaskOptions


def find_searched(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Returns the folders that hold a result.json, and the folders beside them that do not.

    paths: searched task folders, or folders of them. Raises TrainingError for a path without any result.
    """
    found: list[Path] = []
    others: list[Path] = []
    for path in paths:
        if (path / FILE).is_file():
            found.append(path)
            continue
        if not path.is_dir():
            raise TrainingError(f"{path} is not a folder: give one that `espalier search` wrote, or --scores FILE.")
        inside = sorted(folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith("."))
        searched = [folder for folder in inside if (folder / FILE).is_file()]
        if not searched:
            raise TrainingError(f"{path} holds no searched task ({FILE} is missing): run `espalier search` first.")
        found += searched
        others += [folder for folder in inside if folder not in searched]
    return found, others


def read_searched(folders: Iterable[Path], teacher_layers: range | None = None) -> Options:
    """Returns the options of all searched tasks.

    A task's teacher is the one that its search chose and distilled the students from. Of several students with the same
    l, the best counts.
    teacher_layers: the range in which L must be. Raises TrainingError, naming folder and task, if a search is
    unfinished, a teacher is outside the range, a task has two results, or the results are of different encoders.
    """
    results: dict[str, tuple[Path, SearchResult]] = {}
    for folder in folders:
        result = read_result(folder)
        if result.task in results:
            raise TrainingError(f"{results[result.task][0]} and {folder} are both of task {result.task}: give one.")
        results[result.task] = folder, result
    _check_one_encoder([result for _, result in results.values()])
    tasks = {task: _task_options(folder, result, teacher_layers) for task, (folder, result) in results.items()}
    return Options(next(iter(results.values()))[1].encoder_layers, tasks)


def _check_one_encoder(results: list[SearchResult]) -> None:
    first, *others = results
    for other in others:
        if (other.encoder, other.encoder_layers) != (first.encoder, first.encoder_layers):
            raise TrainingError(
                f"task {first.task} was searched on {first.encoder} ({first.encoder_layers} layers), task {other.task} "
                f"on {other.encoder} ({other.encoder_layers} layers): one trunk serves one encoder, so select "
                "them separately."
            )


def _task_options(folder: Path, result: SearchResult, teacher_layers: range | None) -> TaskOptions:
    teacher = _chosen_teacher(folder, result)
    students = result.best("student")
    is_finished = result.to_do == 0  # and may have no student, where all l are as large as the teacher
    if not students and teacher.layers > 1 and not is_finished:
        raise _unfinished(folder, result, "student")
    if teacher_layers is not None and teacher.layers not in teacher_layers:
        raise TrainingError(
            f"task {result.task}: its students are distilled from a teacher of {teacher.layers} layers, outside "
            f"--teacher-layers {teacher_layers[0]}-{teacher_layers[-1]}: search it again with that range."
        )
    tap = result.encoder_layers - teacher.layers
    full = result.best("full").get(result.encoder_layers)
    return TaskOptions(
        teacher=_option("teacher", teacher, tap, folder, result),
        students={layers: _option("student", trial, tap, folder, result) for layers, trial in students.items()},
        full=None if full is None else _option("full", full, 0, folder, result),
        other_taps=tuple(
            _option("student", trial, other, folder, result)
            for (other, _), trial in sorted(result.best_of_other_taps().items())
        ),
    )


def unfinished(folders: Iterable[Path]) -> list[str]:
    """Returns a sentence for each search that has trainings left. Raises TrainingError if a result is damaged."""
    sentences = []
    for folder in folders:
        result = read_result(folder)
        if result.to_do:
            trainings = "1 training is" if result.to_do == 1 else f"{result.to_do} trainings are"
            sentences.append(
                f"the search of task {result.task} in {folder} is unfinished ({trainings} left), so its choice may "
                "change: run `espalier search` again to resume it."
            )
    return sentences


def figure_of(trial: Trial, result: SearchResult) -> Figure | None:
    """Returns the score to tell of a finished trial; None if only the score that chose is known."""
    score = trial.held_scores.get(result.metric, trial.score)
    if score is None or not (trial.held_scores or trial.draws):
        return None
    is_held = bool(trial.held_scores)
    rows = result.held_rows if is_held else result.dev_rows
    return Figure(rows=rows, score=score, draws=trial.draws, chose_nothing=is_held)


def _chosen_teacher(folder: Path, result: SearchResult) -> Trial:
    if result.teacher is None:
        raise _unfinished(folder, result, "teacher")
    if not 0 <= result.teacher < len(result.trials):
        raise TrainingError(f"{folder / FILE}: teacher: trial {result.teacher} does not exist: search again.")
    trial = result.trials[result.teacher]
    if (trial.role, trial.state) != ("teacher", "finished"):
        raise _unfinished(folder, result, "teacher")
    return trial


def _unfinished(folder: Path, result: SearchResult, role: str) -> TrainingError:
    return TrainingError(
        f"the search of task {result.task} in {folder} is unfinished (it has no finished {role}): run "
        "`espalier search` again to resume it."
    )


def _option(role: OptionRole, trial: Trial, tap: int, folder: Path, result: SearchResult) -> Option:
    if trial.score is None:
        raise TrainingError(f"{folder / FILE}: a finished {role} of {trial.layers} layers has no score: search again.")
    checkpoint = None if trial.checkpoint is None else folder / trial.checkpoint
    return Option(role, trial.layers, tap, trial.score, checkpoint, figure_of(trial, result))
