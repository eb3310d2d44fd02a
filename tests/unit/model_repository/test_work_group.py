import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from router.work_group import WorkGroup

PATIENCE = 10.0  # seconds that no test ever waits, unless something hangs


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as pool:
        yield pool


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
    with ThreadPoolExecutor(1) as pool:
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
