"""A repository of an earlier release becomes one of this release, whole or not at all."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from earlier_release import GONE, make_earlier

from build_tools.errors import BuildError
from build_tools.publishing.publish import publish
from build_tools.publishing.running_server import NoServer
from build_tools.publishing.upgrade import upgrade
from build_tools.publishing.verify import verify
from build_tools.repository.code_check import check_code
from build_tools.repository.control_key import read_control_key
from build_tools.repository.golden_examples import read_golden
from build_tools.repository.identity import identity_of
from build_tools.repository.registry import FORMAT_VERSION, REGISTRY, Registry, read_registry
from build_tools.repository.triton_config import read_config

CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"}
POINTS = 16


@pytest.fixture
def earlier(repository: Path) -> Path:
    config = (repository / "nlu/config.pbtxt").read_text()
    (repository / "nlu/config.pbtxt").write_text(config.replace("count: 2", "count: 5"))
    make_earlier(repository)
    return repository


def _all_of(registry: Registry) -> dict[str, object]:
    return registry.model_dump(exclude={"generation"})


def test_every_command_but_upgrade_says_to_run_it(earlier: Path, checkpoints: Callable[..., Path]) -> None:
    with pytest.raises(BuildError, match=f"run espalier upgrade {earlier}"):
        read_registry(earlier)
    with pytest.raises(BuildError, match=f"run espalier upgrade {earlier}"):
        publish(checkpoints("intent", seed=1), earlier, NoServer())


def test_it_has_then_what_this_release_builds_and_keeps_what_was_its_own(
    earlier: Path, built: Path, checkpoints: Callable[..., Path]
) -> None:
    identity = identity_of(read_config(earlier / "nlu"))
    told: list[str] = []

    assert upgrade(earlier, NoServer(), [checkpoints("intent").parent], told.append)

    check_code(earlier)
    assert verify(earlier) == []
    assert _all_of(read_registry(earlier)) == _all_of(read_registry(built))
    router = read_config(earlier / "nlu")
    assert (router.instance_group[0].count, identity_of(router)) == (5, identity)
    assert not (earlier / GONE).exists()
    assert (earlier / "nlu/1/router/router.py").read_bytes() == (built / "nlu/1/router/router.py").read_bytes()
    assert (earlier / "trunk/config.pbtxt").read_bytes() == (built / "trunk/config.pbtxt").read_bytes()
    assert read_control_key(earlier)
    for task in ("intent", "slots", "same"):
        place = f"branch_{task}/1/golden.npz"
        assert (earlier / place).read_bytes() == (built / place).read_bytes()
    assert told == []
    assert not upgrade(earlier, NoServer(), [])


def test_versions_whose_checkpoints_are_not_given_are_named(earlier: Path, checkpoints: Callable[..., Path]) -> None:
    told: list[str] = []

    upgrade(earlier, NoServer(), [checkpoints("intent")], told.append)

    assert told[0].startswith("no golden examples for slots 1, same 1: give the folder of their checkpoints as")
    assert read_golden(earlier / "branch_intent/1") is not None
    assert verify(earlier) == []


def test_changed_code_is_restored_and_foreign_code_is_not_taken_over(built: Path, earlier: Path) -> None:
    upgrade(earlier, NoServer(), [])
    (earlier / "nlu/1/model.py").write_text("import os")
    (earlier / "nlu/1/foreign.py").write_text("import os")
    (earlier / "zz/1").mkdir(parents=True)
    (earlier / "zz/1/model.py").write_text("import os")

    assert upgrade(earlier, NoServer(), [])

    assert (earlier / "nlu/1/model.py").read_bytes() == (built / "nlu/1/model.py").read_bytes()
    assert not (earlier / "nlu/1/foreign.py").exists()
    with pytest.raises(BuildError, match=r"zz/1/model\.py was neither built nor published"):
        check_code(earlier)


def _killed_at(repository: Path, point: int) -> bool:
    """Upgrades in another process, which is killed right before that change of a file. False if it came to its end."""
    child = os.fork()
    if child == 0:
        left = [point]

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            if event in CHANGES or writes:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(hook)
            upgrade(repository, NoServer(), [])
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_killed_anywhere_it_is_old_or_new_and_the_next_upgrade_completes_it(earlier: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(earlier, whole)
    upgrade(whole, NoServer(), [])
    wanted = _all_of(read_registry(whole))
    most = 1
    while _killed_at(_copy(earlier, tmp_path / "count"), most):
        most *= 2
    old = new = 0
    for point in range(0, most, max(1, most // POINTS)):
        killed = _copy(earlier, tmp_path / "killed")
        _killed_at(killed, point)
        assert _all_of(read_registry(killed, also_earlier=True)) == wanted
        if json.loads((killed / REGISTRY).read_text())["format_version"] == FORMAT_VERSION:
            check_code(killed)
            assert verify(killed) == []
            new += 1
        else:
            with pytest.raises(BuildError, match="run espalier upgrade"):
                read_registry(killed)
            old += 1
        upgrade(killed, NoServer(), [])
        check_code(killed)
        assert verify(killed) == []
        assert _all_of(read_registry(killed)) == wanted
        assert not list(tmp_path.glob(".killed.*"))
    assert old
    assert new


def _copy(repository: Path, place: Path) -> Path:
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(repository, place)
    return place
