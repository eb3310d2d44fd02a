import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from build_tools.serving.errors import ServeError
from build_tools.serving.triton import serving_folder as module
from build_tools.serving.triton.serving_folder import ServingFolder, is_plain

# Each means something to a shell, or is read in another encoding there.
HOSTILE = [
    " ",
    "(1)",
    "'",
    '"',
    "&",
    "$HOME",
    ";",
    "`id`",
    "$(id)",
    "\n",
    "é",
    "日本",
    "*",
    "?",
    "[a]",
    "{a,b}",
    "~",
    "#",
]
HOSTILE += ["|", "<", ">", "!", "\\", "\t", "%25", "=", "\udcff"]


@pytest.fixture
def repository(tmp_path):
    repository = tmp_path / "repository"
    repository.mkdir()
    return repository


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Replaces /tmp, /var/tmp and ~/.cache by one folder."""
    usual = tmp_path / "usual"
    usual.mkdir()
    monkeypatch.setattr(module, "_USUAL", (str(usual),))
    return usual


def _paths(folder):
    return [folder.repository, folder.backends, folder.work, folder.temporary, folder.log]


@pytest.mark.parametrize("sign", HOSTILE)
def test_a_repository_with_such_a_sign_in_its_path_is_reached_through_a_plain_link(tmp_path, sign):
    repository = tmp_path / f"a{sign}b"
    repository.mkdir()
    (repository / "registry.json").write_text("{}")

    folder = ServingFolder(repository)

    assert all(is_plain(str(path)) for path in _paths(folder))
    (repository / "later.json").write_text("[]")
    assert sorted(path.name for path in folder.repository.iterdir()) == ["later.json", "registry.json"]
    folder.remove()
    assert (repository / "registry.json").read_text() == "{}"


@pytest.mark.parametrize("sign", HOSTILE)
def test_a_temporary_folder_with_such_a_sign_is_passed_over(tmp_path, repository, places, monkeypatch, sign):
    unsafe = tmp_path / f"t{sign}t"
    unsafe.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(unsafe))

    folder = ServingFolder(repository)

    assert all(path.is_relative_to(places) for path in _paths(folder))
    assert list(unsafe.iterdir()) == []


def test_a_temporary_folder_that_is_a_link_to_an_unsafe_path_is_passed_over(tmp_path, repository, places, monkeypatch):
    (tmp_path / "a b").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a b")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "link"))

    assert ServingFolder(repository).work.is_relative_to(places)


def test_a_safe_temporary_folder_is_the_users_own(tmp_path, repository, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    assert ServingFolder(repository).work.parent.parent == tmp_path


def test_a_temporary_folder_where_no_program_may_run_is_passed_over(tmp_path, repository, places, monkeypatch):
    noexec = tmp_path / "noexec"
    noexec.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(noexec))
    monkeypatch.setattr(
        module.os, "statvfs", lambda place: SimpleNamespace(f_flag=os.ST_NOEXEC if place == noexec else 0)
    )

    assert ServingFolder(repository).work.is_relative_to(places)


def test_without_any_usable_place_the_message_says_why_and_what_to_set(tmp_path, repository, places, monkeypatch):
    (tmp_path / "a b").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "a b"))
    places.rmdir()

    with pytest.raises(ServeError, match=r"a b has other characters\): set TMPDIR to a folder"):
        ServingFolder(repository)


@pytest.mark.parametrize("name", [f"trunk{sign}" for sign in HOSTILE])
def test_a_model_folder_that_a_shell_would_misread_is_refused_at_once(repository, name):
    (repository / name).mkdir()
    (repository / name / "config.pbtxt").touch()

    with pytest.raises(ServeError, match=r"^the model folder .* cannot be served: rename it"):
        ServingFolder(repository)


def test_a_model_that_has_only_a_config_for_our_backends_is_refused_too(repository):
    (repository / "trunk (copy)" / "configs").mkdir(parents=True)
    (repository / "trunk (copy)" / "configs" / "espalier.pbtxt").touch()

    with pytest.raises(ServeError, match=r"^the model folder 'trunk \(copy\)' cannot be served"):
        ServingFolder(repository)


def test_other_folders_in_a_repository_may_have_any_name(repository):
    (repository / "notes (old)").mkdir()

    ServingFolder(repository).remove()


def test_a_relative_repository_is_found_from_every_folder(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = ServingFolder(Path("repository"))
    monkeypatch.chdir("/")

    assert folder.repository.resolve() == repository
    folder.remove()


def test_a_repository_behind_a_link_is_followed_when_the_link_moves_on(repository, tmp_path):
    (tmp_path / "current").symlink_to(repository)
    folder = ServingFolder(tmp_path / "current")
    (tmp_path / "next").mkdir()
    (tmp_path / "current").unlink()
    (tmp_path / "current").symlink_to(tmp_path / "next")

    assert folder.repository.resolve() == tmp_path / "next"
    folder.remove()
