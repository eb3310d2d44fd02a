import os
import threading

import pytest

from clients.errors import RequestRejected
from clients.renewable import Renewable


class Made:
    """What a Renewable opened and closed, in order."""

    def __init__(self) -> None:
        self.opened: list[list[int]] = []
        self.closed: list[list[int]] = []
        self.renewable = Renewable[list[int]](self._open, self.closed.append)

    def _open(self) -> list[int]:
        self.opened.append([len(self.opened)])
        return self.opened[-1]


def test_nothing_is_opened_before_the_first_use_and_then_once() -> None:
    made = Made()
    assert made.opened == []
    with made.renewable.use() as one, made.renewable.use() as same:
        assert one is same


def test_a_renewed_resource_is_closed_when_its_last_user_leaves() -> None:
    made = Made()
    with made.renewable.use() as old:
        with made.renewable.use() as same:
            made.renewable.renew(same)
            with made.renewable.use() as new:
                assert new is not old
        assert made.closed == []
    assert made.closed == [old]
    with made.renewable.use() as still:
        assert still is new


def test_a_second_renewal_of_the_same_resource_changes_nothing() -> None:
    made = Made()
    with made.renewable.use() as old:
        made.renewable.renew(old)
        with made.renewable.use():
            made.renewable.renew(old)
    with made.renewable.use():
        assert len(made.opened) == 2


def test_closing_waits_for_the_last_user_and_refuses_later_ones() -> None:
    made = Made()
    with made.renewable.use() as one:
        made.renewable.close()
        assert made.closed == []
    assert made.closed == [one]
    with pytest.raises(RequestRejected, match="this client is closed: make a new one"), made.renewable.use():
        pass
    made.renewable.close()  # twice is harmless
    assert made.closed == [one]


def test_a_forked_child_opens_its_own_even_if_a_lock_was_held(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made()
    with made.renewable.use() as parents:
        pass
    held = made.renewable._lock
    held.acquire()  # by a thread of the parent that the child does not have
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    found: list[list[int]] = []

    def ask() -> None:
        with made.renewable.use() as own:
            found.append(own)

    child = threading.Thread(target=ask, daemon=True)
    child.start()
    child.join(5)
    assert found == [made.opened[1]]
    assert found != [parents]
    assert made.closed == []  # the parent's goes on
