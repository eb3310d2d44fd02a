import fcntl
import os
from pathlib import Path

import pytest

from build_tools.errors import BuildError
from build_tools.repository import staging
from build_tools.repository.staging import remove_dead_staging, staging_folder


@pytest.fixture
def repository(tmp_path):
    repository = tmp_path / "repository"
    repository.mkdir()
    return repository


def _beside(repository):
    return sorted(path.name for path in repository.parent.iterdir())


def test_the_folder_is_on_the_repository_s_file_system_but_not_in_it(repository):
    with staging_folder(repository) as folder:
        assert folder.parent == repository.parent
        assert list(repository.iterdir()) == []
        (folder / "branch").mkdir()
        (folder / "branch" / "model.onnx").touch()
        (folder / "branch").rename(repository / "branch")

    assert _beside(repository) == ["repository"]
    assert (repository / "branch" / "model.onnx").is_file()


def _fail(repository, failure):
    with staging_folder(repository) as folder:
        (folder / "branch").mkdir()
        raise failure


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
def test_the_folder_is_gone_when_the_work_fails(repository, failure):
    with pytest.raises(failure):
        _fail(repository, failure)

    assert _beside(repository) == ["repository"]


def test_what_a_killed_process_has_left_is_removed_and_a_living_one_s_is_not(repository):
    dead = repository.parent / ".repository.publish-dead"
    (dead / "0" / "branch").mkdir(parents=True)
    (dead / "alive.lock").touch()  # a file that nobody holds
    early = repository.parent / ".repository.publish-early"
    early.mkdir()
    with staging_folder(repository) as living:
        (living / "branch").mkdir()
        remove_dead_staging(repository)

        assert _beside(repository) == [living.name, "repository"]
        assert (living / "branch").is_dir()


def test_another_user_s_folder_that_may_not_be_looked_into_is_left_to_that_user(repository, monkeypatch):
    (repository.parent / ".repository.publish-theirs").mkdir()

    def refuse(*_, **__):
        raise PermissionError("alive.lock")

    monkeypatch.setattr(staging, "FileLock", refuse)
    remove_dead_staging(repository)

    assert _beside(repository) == [".repository.publish-theirs", "repository"]


def test_a_folder_that_its_own_command_removes_meanwhile_is_no_failure(repository, monkeypatch):
    gone = repository.parent / ".repository.publish-gone"
    lock = staging.FileLock

    def lock_after_its_removal(file, **given):
        gone.rmdir()
        return lock(file, **given)

    gone.mkdir()
    monkeypatch.setattr(staging, "FileLock", lock_after_its_removal)
    remove_dead_staging(repository)

    assert _beside(repository) == ["repository"]


def test_another_process_can_tell_that_the_one_that_works_there_lives(repository):
    with (
        staging_folder(repository) as folder,
        (folder / "alive.lock").open("a") as lock,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_other_folders_beside_the_repository_are_left_alone(repository):
    for name in ("notes", ".other.publish-dead", ".repository.build", "repository.publish-1"):
        (repository.parent / name).mkdir()

    remove_dead_staging(repository)

    assert _beside(repository) == [
        ".other.publish-dead",
        ".repository.build",
        "notes",
        "repository",
        "repository.publish-1",
    ]


def test_a_repository_s_name_may_hold_brackets(tmp_path):
    repository = tmp_path / "nlu[1]"
    repository.mkdir()
    (tmp_path / ".nlu[1].publish-dead").mkdir()

    remove_dead_staging(repository)

    assert _beside(repository) == ["nlu[1]"]


def test_a_folder_that_another_command_is_removing_at_the_same_moment_is_no_failure(repository, monkeypatch):
    remove = os.rmdir

    def rmdir_while_the_other_looks(path, **given):
        if Path(path).name.startswith(".repository.publish-"):
            (folder / "alive.lock").touch()  # the other process's FileLock creates it again
        remove(path, **given)

    with staging_folder(repository) as folder:
        monkeypatch.setattr(os, "rmdir", rmdir_while_the_other_looks)


def test_of_a_link_it_is_beside_the_folder_to_which_the_link_leads(repository, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "link").symlink_to(repository)
    with staging_folder(elsewhere / "link") as folder:
        assert folder.parent == repository.parent
    dead = repository.parent / ".repository.publish-dead"
    dead.mkdir()
    remove_dead_staging(elsewhere / "link")
    assert not dead.exists()


def test_a_repository_that_is_a_mount_is_refused_with_what_to_do():
    with pytest.raises(BuildError, match=r"^/proc is a file system of its own, .* one folder down, to /proc/proc"):
        staging_folder(Path("/proc")).__enter__()


def test_what_a_killed_process_had_taken_out_to_exchange_it_goes_back(repository):
    """On NFS two folders cannot be exchanged at once; what was there would be removed with the rest."""
    models = repository.parent / ".repository.publish-dead" / "models"
    for name in ("nlu", "nlu.before", "tokenizer.before"):
        (models / name).mkdir(parents=True)
    (models / "tokenizer.before" / "earlier").touch()
    (repository / "tokenizer").mkdir()

    remove_dead_staging(repository)

    assert _beside(repository) == ["repository"]
    assert sorted(path.name for path in repository.iterdir()) == ["nlu", "tokenizer"]
    assert list((repository / "tokenizer").iterdir()) == []
