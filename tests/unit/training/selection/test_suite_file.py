import json
from collections.abc import Callable
from pathlib import Path

import pytest

from training.errors import TrainingError
from training.selection.mixed import mixed
from training.selection.options import Options
from training.selection.options_from_search import read_searched
from training.selection.suite_file import read_suite, write_suite

WriteSearch = Callable[..., Path]


def test_a_suite_names_each_checkpoint_relative_to_itself(tmp_path: Path, write_search: WriteSearch) -> None:
    folders = [write_search(tmp_path / "results" / "rte", "rte")]
    folders.append(write_search(tmp_path / "results" / "qqp", "qqp", students={1: 71.5}))
    path = tmp_path / "suites" / "mixed.json"
    write_suite(path, mixed(read_searched(folders), 1.0))
    assert json.loads(path.read_text()) == {
        "format_version": 2,
        "threshold": 1.0,
        "tasks": {
            "rte": {"checkpoint": "../results/rte/teacher-5", "role": "teacher", "layers": 5, "score": 71.5},
            "qqp": {"checkpoint": "../results/qqp/student-1", "role": "student", "layers": 1, "score": 71.5},
        },
    }
    assert [file.name for file in path.parent.iterdir()] == ["mixed.json"]
    assert read_suite(path).tasks["rte"].layers == 5


def test_a_suite_reached_over_a_link_still_finds_its_checkpoints(tmp_path: Path, write_search: WriteSearch) -> None:
    folder = write_search(tmp_path / "deep" / "results" / "rte", "rte")
    (tmp_path / "link").symlink_to(folder.parent)
    write_suite(tmp_path / "link" / "suite.json", mixed(read_searched([folder]), 1.0))
    assert read_suite(folder.parent / "suite.json").tasks["rte"].checkpoint == "rte/teacher-5"


def test_nothing_is_overwritten(tmp_path: Path, write_search: WriteSearch) -> None:
    suite = mixed(read_searched([write_search(tmp_path / "rte", "rte")]), 1.0)
    path = tmp_path / "suite.json"
    path.write_text("mine")
    with pytest.raises(TrainingError, match=r"suite\.json already exists and is not overwritten"):
        write_suite(path, suite)
    assert path.read_text() == "mine"


def test_a_missing_checkpoint_is_named_and_nothing_written(
    tmp_path: Path, write_search: WriteSearch, paper: Options
) -> None:
    folder = write_search(tmp_path / "rte", "rte")
    (folder / "teacher-5").rmdir()
    with pytest.raises(TrainingError, match=r"task rte: its teacher of 5 layers has no checkpoint \(.*/teacher-5\)"):
        write_suite(tmp_path / "new" / "suite.json", mixed(read_searched([folder]), 1.0))
    with pytest.raises(TrainingError, match="task qnli: its student of 3 layers has no checkpoint"):
        write_suite(tmp_path / "new" / "suite.json", mixed(paper, 1.0))
    assert not (tmp_path / "new").exists()


GOOD = {
    "format_version": 2,
    "threshold": 1.0,
    "tasks": {"rte": {"checkpoint": "rte", "role": "teacher", "layers": 5, "score": 71.5}},
}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**GOOD, "format_version": 3}, "format_version: "),
        ({**GOOD, "tasks": {}}, "tasks: "),
        ({**GOOD, "threshold": -1}, "threshold: "),
        ({**GOOD, "tasks": {"rte": {**GOOD["tasks"]["rte"], "role": "full"}}}, r"tasks\.rte\.role: "),  # type: ignore[index]
        ({**GOOD, "tasks": {"rte": {**GOOD["tasks"]["rte"], "checkpoint": ""}}}, r"tasks\.rte\.checkpoint: "),  # type: ignore[index]
        ({"encoder_layers": 12, "tasks": {}}, "format_version: Field required"),
    ],
)
def test_a_damaged_suite_names_its_field(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "suite.json"
    path.write_text(json.dumps(content))
    with pytest.raises(TrainingError, match=rf"suite\.json: {message}"):
        read_suite(path)


def test_a_suite_of_format_version_1_says_what_it_is_and_what_to_run(tmp_path: Path) -> None:
    path = tmp_path / "suite.json"
    entry = {"checkpoint": "rte", "kind": "teacher", "layers": 5, "score": 71.5}
    path.write_text(json.dumps({"format_version": 1, "threshold": 1.0, "tasks": {"rte": entry}}))
    with pytest.raises(TrainingError) as caught:
        read_suite(path)
    assert str(caught.value) == (
        f"{path}: an earlier Espalier wrote this suite file (format version 1, where a branch's role is called kind): "
        "write a new one with `espalier select RESULTS --threshold C --suite NEW_FILE`."
    )
