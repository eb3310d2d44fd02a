import fcntl

import pytest

from build_tools.errors import BuildError
from build_tools.publishing.running_server import NoServer
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import settle
from build_tools.publishing.verify import verify
from build_tools.repository.locking import LOCK
from build_tools.repository.registry import TaskEntry, read_registry


def test_a_change_begins_with_a_repository_in_order_and_holds_it(repository, registry, triton):
    dead = repository.parent / ".repository.publish-dead"
    dead.mkdir()
    begun = repository / f".registry.json.{'0' * 32}"
    begun.touch()
    (repository / "branch_intent" / "9").mkdir()
    server = triton(repository)
    server.unload("branch_mood")
    inode = (repository / "registry.json").stat().st_ino

    with ServedRepository.locked(repository, server, lambda _: None) as served, (repository / LOCK).open("a") as lock:
        settle(served)
        assert served.registry == registry
        assert not dead.exists()
        assert not begun.exists()
        assert not (repository / "branch_intent" / "9").exists()
        assert server.ready_versions()["branch_mood"] == [1]
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    assert (repository / "registry.json").stat().st_ino == inode  # routers have nothing to read anew


def test_what_nothing_can_come_back_to_is_out_of_the_registry_before_it_is_gone(
    repository, registry, make_version, lay_out, triton
):
    entry = registry.tasks["intent"]
    idle = TaskEntry(
        live=3, newest=4, versions=entry.versions | {"4": make_version(model="branch_intent.2", labels=["a"])}
    )
    lay_out(repository, registry.model_copy(update={"tasks": registry.tasks | {"intent": idle}}))
    server = triton(repository)

    settle(ServedRepository(repository, server))

    found = read_registry(repository)
    assert sorted(found.tasks["intent"].versions) == ["1", "2", "3"]

    assert not (repository / "branch_intent.2").exists()
    assert "branch_intent.2" not in server.ready_versions()
    assert verify(repository) == []


def test_a_registry_that_is_damaged_is_told_and_nothing_is_removed(repository):
    (repository / "registry.json").write_text("{")

    with pytest.raises(BuildError, match=r"registry\.json is damaged"):
        settle(ServedRepository(repository, NoServer()))

    assert (repository / "branch_intent" / "3" / "model.onnx").is_file()


def test_a_change_that_fails_gives_the_lock_back(repository):
    with pytest.raises(ZeroDivisionError), ServedRepository.locked(repository, NoServer(), print):
        raise ZeroDivisionError

    with ServedRepository.locked(repository, NoServer(), pytest.fail):  # it would report that it waits
        pass
