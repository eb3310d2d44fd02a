import asyncio
from pathlib import Path

import pytest
from overloaded_server import Callers, Clock, OverloadedServer

from build_tools.serving.gate.access import Caller
from build_tools.serving.gate.admission import MeasuredAdmission
from build_tools.serving.gate.refusal import Code, RefusedError
from build_tools.serving.gate.shared_load import SharedLoad

_RATE = 9.8  # texts of 512 tokens a second, as measured on two cores


def _constant(_time: float, _size: int) -> float:
    return 1 / _RATE


@pytest.mark.parametrize("workers", [1, 2])
def test_at_twice_saturation_goodput_is_the_maximum_and_hardly_any_work_is_for_callers_who_have_left(
    tmp_path: Path, workers: int
) -> None:
    server = OverloadedServer(tmp_path, _constant, workers=workers)

    outcome = server.run([Callers(420)], seconds=300, warm_up=60)

    assert outcome.answered.total() >= 0.9 * _RATE * 300
    assert outcome.late <= 0.02 * outcome.answered.total()
    assert outcome.refused > 0


def test_without_overload_nobody_is_refused(tmp_path: Path) -> None:
    outcome = OverloadedServer(tmp_path, _constant).run([Callers(100)], seconds=100, warm_up=0)

    assert outcome.refused == outcome.late == 0


@pytest.mark.parametrize("deadline", [2.0, 5.0, 10.0])
def test_short_deadlines_make_a_short_queue_and_the_server_stays_busy(tmp_path: Path, deadline: float) -> None:
    server = OverloadedServer(tmp_path, _constant, batch=8)

    outcome = server.run([Callers(200, deadline=deadline)], seconds=200, warm_up=30)

    assert outcome.answered.total() >= 0.9 * _RATE * 200
    assert outcome.longest_queue < 1.5 * _RATE * deadline


def test_a_server_that_becomes_slower_is_noticed_before_its_callers_have_all_left(tmp_path: Path) -> None:
    server = OverloadedServer(tmp_path, lambda time, _: (4 if time > 100 else 1) / _RATE, batch=16)

    outcome = server.run([Callers(420)], seconds=200, warm_up=200)

    assert outcome.answered.total() >= 0.9 * _RATE / 4 * 200


def test_a_slow_start_under_overload_is_soon_forgotten(tmp_path: Path) -> None:
    server = OverloadedServer(tmp_path, lambda time, _: (4 if time < 6 else 1) / _RATE, batch=8)

    outcome = server.run([Callers(420, deadline=3.0)], seconds=20, warm_up=15)

    assert outcome.answered.total() >= 0.9 * _RATE * 20


def test_short_texts_after_long_ones_are_not_judged_by_them(tmp_path: Path) -> None:
    seconds = {2200: 1 / _RATE, 40: 0.005}
    server = OverloadedServer(tmp_path, lambda _, size: seconds[size])

    outcome = server.run([Callers(30), Callers(30, size=40)], seconds=100, warm_up=10)

    assert outcome.refused == 0


def test_a_caller_with_many_requests_does_not_keep_another_one_out(tmp_path: Path) -> None:
    greedy, modest = Callers(400, caller=Caller("greedy")), Callers(20, caller=Caller("modest"))
    server = OverloadedServer(tmp_path, _constant, batch=16)

    outcome = server.run([greedy, modest], seconds=300, warm_up=60)

    # Its 20 texts go round once in a queue's 12 s or so; alone it would have all of what it asks.
    assert outcome.answered["modest"] >= 0.6 * 20 / 15 * 300
    assert outcome.answered.total() >= 0.9 * _RATE * 300


def test_two_greedy_callers_share(tmp_path: Path) -> None:
    groups = [Callers(300, caller=Caller("a")), Callers(100, caller=Caller("b"))]

    outcome = OverloadedServer(tmp_path, _constant, batch=16).run(groups, seconds=300, warm_up=100)

    assert 0.35 <= outcome.answered["b"] / outcome.answered.total() <= 0.6


_ANYBODY = Caller()


class _Site:
    def __init__(self, folder: Path, in_flight: int = 100) -> None:
        self.clock = Clock()
        self.admission = MeasuredAdmission(SharedLoad(folder / "load", 2), in_flight, self.clock)

    async def enter(self, caller: Caller = _ANYBODY, seconds: float = 30.0):
        stay = self.admission.admit(caller, 1, 100, seconds)
        await stay.__aenter__()
        return stay

    async def refused(self, caller: Caller = _ANYBODY, seconds: float = 30.0) -> RefusedError:
        with pytest.raises(RefusedError) as refusal:
            await self.enter(caller, seconds)
        return refusal.value


def test_a_caller_s_bound_is_for_all_its_requests_and_for_no_other_caller(tmp_path: Path) -> None:
    site, web = _Site(tmp_path), Caller("web", None, 2)

    async def ask() -> None:
        first, _ = await site.enter(web), await site.enter(web)
        refusal = await site.refused(web)
        assert refusal.code is Code.TOO_MANY
        assert "web has 2 requests in flight" in refusal.sentence
        await site.enter(Caller("other", None, 2))
        await first.__aexit__(None, None, None)
        await site.enter(web)

    asyncio.run(ask())


def test_no_more_requests_are_let_in_than_the_server_takes(tmp_path: Path) -> None:
    site = _Site(tmp_path, in_flight=3)

    async def ask() -> None:
        stays = [await site.enter() for _ in range(3)]
        assert (await site.refused()).code is Code.UNAVAILABLE
        await stays[0].__aexit__(None, None, None)
        await site.enter()

    asyncio.run(ask())


def test_what_fails_at_once_does_not_make_the_server_look_fast(tmp_path: Path) -> None:
    site = _Site(tmp_path)

    async def ask() -> None:
        slow = await site.enter()
        site.clock.now = 10.0
        await slow.__aexit__(None, None, None)
        await site.enter()  # the probe of this second
        await site.refused(seconds=5.0)
        for _ in range(50):
            stay = await site.enter()
            await stay.__aexit__(RefusedError, RefusedError(Code.INVALID, "no"), None)
        await site.refused(seconds=5.0)

    asyncio.run(ask())


def test_a_stall_is_noticed_and_one_request_a_second_finds_out_when_it_is_over(tmp_path: Path) -> None:
    site = _Site(tmp_path)

    async def ask() -> None:
        for _ in range(10):  # answers of a millisecond
            stay = await site.enter()
            site.clock.now += 0.001
            await stay.__aexit__(None, None, None)
        for _ in range(5):
            await site.enter()
        site.clock.now += 20.0
        stay = await site.enter(seconds=5.0)
        refusal = await site.refused(seconds=5.0)
        assert "an answer takes about 20 s now" in refusal.sentence
        assert refusal.retry_after == 16.0
        site.clock.now += 0.5
        await stay.__aexit__(None, None, None)
        await site.enter(seconds=30.0)

    asyncio.run(ask())


def test_a_slow_first_answer_to_a_lone_text_does_not_keep_batches_out(tmp_path: Path) -> None:
    site = _Site(tmp_path)

    async def ask() -> None:
        lone = await site.enter()
        site.clock.now = 0.7
        await lone.__aexit__(None, None, None)
        for _ in range(4):
            await site.admission.admit(_ANYBODY, 64, 64 * 60, 30.0).__aenter__()

    asyncio.run(ask())
