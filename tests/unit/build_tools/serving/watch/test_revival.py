"""How a model is brought back, by a Triton that notes what it is asked."""

import time
from types import SimpleNamespace

import grpc
import pytest
from filelock import FileLock

from build_tools.serving.triton.triton_control import Loaded, TritonError
from build_tools.serving.watch import revival as revival_module
from build_tools.serving.watch.revival import Revival


class _NoRoom(grpc.RpcError):
    def code(self):
        return grpc.StatusCode.INTERNAL

    def details(self):
        return "no memory"


class NotingTriton:
    """ready: its models. full: whether there is no room for a second one of a model."""

    def __init__(self):
        self.ready, self.full, self.asked = {"branch_intent"}, False, []

    def loaded(self):
        return Loaded(frozenset((model, 1) for model in self.ready), frozenset())

    def load_afresh(self, model, config, number):
        self.asked.append(("load afresh", model, config.backend, number))
        if self.full:
            raise TritonError(_NoRoom())

    def load(self, model):
        self.asked.append(("load", model))

    def unload(self, model):
        self.asked.append(("unload", model))


@pytest.fixture
def triton():
    return NotingTriton()


@pytest.fixture
def revival(triton, tmp_path, monkeypatch):
    folder = tmp_path / "branch_intent"
    folder.mkdir()
    (folder / "config.pbtxt").write_text('backend: "openvino"')
    monkeypatch.setattr(revival_module, "read_registry", lambda _: SimpleNamespace(tasks={}))
    monkeypatch.setattr(revival_module, "_LOCK_PATIENCE", 0.1)
    return Revival(triton, tmp_path, own_backends=True)


def test_a_model_is_loaded_afresh_as_its_folder_says(revival, triton):
    assert revival.revive("branch_intent", 7, interrupting=True)
    assert triton.asked == [("load afresh", "branch_intent", "openvino", 7)]


def test_a_dead_model_without_room_for_two_is_unloaded_first(revival, triton):
    triton.full = True
    assert revival.revive("branch_intent", 7, interrupting=True)
    assert triton.asked[1:] == [("unload", "branch_intent"), ("load", "branch_intent")]


def test_a_model_of_which_one_process_still_answers_is_not_unloaded(revival, triton):
    triton.full = True
    with pytest.raises(TritonError, match="no memory"):
        revival.revive("branch_intent", 7, interrupting=False)
    assert len(triton.asked) == 1


def test_a_model_that_was_retired_meanwhile_stays_away(revival, triton):
    triton.ready.clear()
    assert not revival.revive("branch_intent", 7, interrupting=True)
    assert triton.asked == []


def test_a_command_that_changes_the_repository_is_waited_for_but_not_for_ever(revival, tmp_path):
    with FileLock(tmp_path / "repository.lock"):
        began = time.monotonic()
        assert revival.revive("branch_intent", 7, interrupting=True)
        assert time.monotonic() - began > 0.09


def test_the_lock_is_held_while_the_model_is_loaded(revival, triton, tmp_path, monkeypatch):
    taken = []

    def load_afresh(*_):
        lock = FileLock(tmp_path / "repository.lock")
        with pytest.raises(TimeoutError):
            lock.acquire(timeout=0)
        taken.append(True)

    monkeypatch.setattr(triton, "load_afresh", load_afresh)
    revival.revive("branch_intent", 7, interrupting=True)
    assert taken
    with FileLock(tmp_path / "repository.lock", timeout=0):
        pass
