import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from router.call_threads import CallThreads
from router.work_group import AbandonedError, WorkGroup

PATIENCE = 10.0  # seconds that no test ever waits, unless something hangs


@pytest.fixture
def pool():
    pool = CallThreads(2)
    yield pool
    pool.close()


def test_a_group_ends_when_the_last_item_that_another_one_added_has_ended(pool):
    group = WorkGroup(pool)

    def count_down(number):
        group.put(number)
        if number:
            group.add(count_down, number - 1)
            group.add(group.put, -number)

    assert sorted(group.results(count_down, 3)) == [-3, -2, -1, 0, 1, 2, 3]


def test_a_group_without_results_ends(pool):
    assert list(WorkGroup(pool).results(int)) == []


def test_a_result_is_there_before_later_items_have_ended(pool):
    group, go_on = WorkGroup(pool), threading.Event()

    def put_and_wait():
        group.put("first")
        assert go_on.wait(PATIENCE)

    results = group.results(put_and_wait)

    assert next(results) == "first"
    go_on.set()
    assert list(results) == []


class Panic(BaseException):
    """As Rust's, which is not an Exception."""


@pytest.mark.parametrize(("raised", "seen"), [(ValueError("lost"), ValueError), (Panic("lost"), RuntimeError)])
def test_an_item_that_raises_ends_the_group_and_what_has_not_begun_is_skipped(raised, seen):
    ran = []
    pool = CallThreads(1)
    group = WorkGroup(pool)

    def first():
        group.add(fail)
        for number in range(100):
            group.add(after, number)

    def fail():
        raise raised

    def after(number):
        deadline = time.monotonic() + PATIENCE
        while not group._stopped and time.monotonic() < deadline:
            time.sleep(0.001)
        ran.append(number)

    with pytest.raises(seen, match="lost"):
        list(group.results(first))
    pool.close()

    assert ran in ([], [0]), "at most the item that had begun when the reader saw the error"


def test_two_groups_on_one_pool_end_apart(pool):
    held, go_on = WorkGroup(pool), threading.Event()
    with ThreadPoolExecutor(1) as reader:
        waiting = reader.submit(list, held.results(go_on.wait, PATIENCE))
        other = WorkGroup(pool)

        assert list(other.results(other.put, "done")) == ["done"]

        assert not waiting.done()
        go_on.set()
        assert waiting.result(PATIENCE) == []


def _threads():
    return sum(thread.name == "call" for thread in threading.enumerate())


def test_abandoned_items_hold_up_neither_their_group_nor_the_items_of_others(pool):
    """As with the calls of two branches whose processes have died, on a pool of two threads."""
    before, dead, ended = _threads(), threading.Event(), threading.Semaphore(0)
    items = queue.SimpleQueue()

    def call_of_a_dead_process():
        items.put(group.item())
        dead.wait(PATIENCE)
        ended.release()
        raise AbandonedError

    def begin():
        group.add(call_of_a_dead_process)
        group.add(call_of_a_dead_process)

    group = WorkGroup(pool)
    with ThreadPoolExecutor(1) as reader:
        reading = reader.submit(list, group.results(begin))
        for _ in range(2):
            items.get(timeout=PATIENCE).abandon()
        assert reading.result(PATIENCE) == []
    other = WorkGroup(pool)
    assert list(other.results(other.put, "well")) == ["well"]

    dead.set()
    assert ended.acquire(timeout=PATIENCE)
    assert ended.acquire(timeout=PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while _threads() > before:
        assert time.monotonic() < deadline, "there are more threads than before"
        time.sleep(0.001)
