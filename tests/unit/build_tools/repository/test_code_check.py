"""What a repository may hold when Triton starts on it: its own files, unchanged, and not open to every user."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from build_tools.errors import BuildError
from build_tools.repository import code_check
from build_tools.repository.code_check import check_code
from build_tools.repository.manifest import MANIFEST, write_manifest


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_check, "_SETTLE_SECONDS", 0.0)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    repository = tmp_path / "repository"
    for name in (
        "nlu/config.pbtxt",
        "nlu/1/model.py",
        "nlu/1/router/router.py",
        "branch_intent/1/model.onnx",
        "tokenizer/1/tokenizer.json",
    ):
        _write(repository / name, name)
    write_manifest(repository)
    _write(repository / "registry.json", "{}")
    return repository


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_what_was_built_may_run_and_compiled_files_beside_it(repository: Path) -> None:
    _write(repository / "nlu/1/router/__pycache__/router.cpython-312.pyc", "made by the last server")

    check_code(repository)


def _linked(repository: Path, name: str, target: str) -> None:
    place = repository / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "changed code": (lambda repository: _write(repository / "nlu/1/model.py", "import os"), "espalier upgrade"),
    "a changed config": (lambda repository: _write(repository / "nlu/config.pbtxt", "backend"), "espalier upgrade"),
    "a changed tokenizer": (lambda repository: _write(repository / "tokenizer/1/tokenizer.json", "{"), "put the file"),
    "a foreign model": (lambda repository: _write(repository / "zz/1/model.py", ""), "move it out"),
    "a foreign graph": (lambda repository: _write(repository / "zz/1/model.onnx", ""), "move it out"),
    "code in a branch's folder": (lambda repository: _write(repository / "branch_intent/1/model.py", ""), "move it"),
    "code below another name": (lambda repository: _write(repository / "nlu/1/router/zz.so", ""), "move it out"),
    "code in a hidden folder": (lambda repository: _write(repository / ".zz/1/model.py", ""), "move it out"),
    "missing code": (lambda repository: (repository / "nlu/1/router/router.py").unlink(), "is missing"),
    "a model that is a link": (lambda repository: _linked(repository, "zz", "/usr"), "is a link"),
    "a version that is a link": (lambda repository: _linked(repository, "nlu/2", "/usr"), "is a link"),
    "a file that is a link": (lambda repository: _linked(repository, "nlu/1/zz.py", "model.py"), "is a link"),
    "a link to nothing": (lambda repository: _linked(repository, "nlu/1/zz.py", "nothing"), "is a link"),
    "a file that all may change": (lambda repository: (repository / "nlu/1/model.py").chmod(0o666), "chmod -R o-w"),
    "a folder that all may change": (lambda repository: (repository / "nlu").chmod(0o777), "chmod -R o-w"),
    "the repository open to all": (lambda repository: repository.chmod(0o777), "chmod -R o-w"),
    "a sticky repository open to all": (lambda repository: repository.chmod(0o1777), "chmod -R o-w"),
    "registry.json open to all": (lambda repository: (repository / "registry.json").chmod(0o666), "chmod -R o-w"),
    "the folder above open to all": (lambda repository: repository.parent.chmod(0o777), "move the repository"),
    "no manifest": (lambda repository: (repository / MANIFEST).unlink(), "build it again"),
}


@pytest.mark.parametrize(("damage", "fix"), DAMAGES.values(), ids=DAMAGES)
def test_each_is_refused_with_a_sentence_that_names_the_fix(
    repository: Path, damage: Callable[[Path], object], fix: str
) -> None:
    damage(repository)

    with pytest.raises(BuildError) as refusal:
        check_code(repository)

    assert fix in str(refusal.value)
    assert str(repository) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_group_may_write_and_so_may_others_where_the_file_system_is_read_only(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "nlu").chmod(0o775)
    check_code(repository)

    (repository / "nlu").chmod(0o777)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
    check_code(repository)


def test_a_sticky_folder_above_may_be_open_to_all_as_tmp_is(repository: Path) -> None:
    repository.parent.chmod(0o1777)

    check_code(repository)


def test_a_change_under_way_is_given_a_moment(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(repository / "branch_intent/2/model.onnx", "moved in, not yet in the manifest that was read")
    monkeypatch.setattr(code_check.time, "sleep", lambda _: write_manifest(repository))

    check_code(repository)
