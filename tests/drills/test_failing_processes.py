"""Processes of a server under load are killed and stopped: the other tasks are unharmed, and all comes back by itself.

Each drill prints what it saw (pytest -s).
"""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from drill_size import drill_size
from failing_site import (
    BACK_SECONDS,
    HEALED_SECONDS,
    QUIET_SECONDS,
    ended_itself,
    processes_of,
    restarts,
    send,
    timed_load,
    wait_for,
    wait_until_back,
)
from frozen_thread import frozen_in_a_request
from publishing_site import Site

from build_tools.errors import BuildError
from clients import Answer, ServerUnavailable

pytestmark = pytest.mark.alone

KILLED = ["branch_intent", "trunk", "nlu", "nlu_stream", "tokenizer", "gate"]
TOGETHER = [("trunk", "branch_mood"), ("branch_intent", "branch_place")]
STOPPED = drill_size([("branch_intent", 1.0), ("trunk", 5.0)], [
    (model, seconds) for model in ("branch_intent", "trunk", "nlu") for seconds in (1.0, 5.0, 30.0)
])  # fmt: skip
HANGING = drill_size(["branch_intent"], ["branch_intent", "trunk", "nlu"])
KILL_EVERY_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 30.0  # of the supervisor, before it brings back what ends again and again
SERVER_SECONDS = 60.0
WATCHED_SECONDS = drill_size(4.0, 10.0)  # from the kill on
# Triton notices a dead process with its first call, after a second: the batch that makes it waits. And with few cores,
# loading a model takes its share of them from everybody.
NOISE_SECONDS = drill_size(3.0, 0.1)
HARMED = drill_size(3, 0)  # requests of other tasks that may fail: docs/operations.md says what was seen


@pytest.mark.parametrize("models", [*((one,) for one in KILLED), *TOGETHER], ids=" and ".join)
def test_a_killed_process_is_back_within_ten_seconds_and_harms_nobody_else(site: Site, tmp_path: Path, models) -> None:
    server, pid = site.server, site.server.triton_pid
    with timed_load(server.grpc_url, tmp_path) as end:
        began = time.time()
        time.sleep(2)
        killed, before = time.time(), restarts(server, *models)
        for model in models:
            send(server, model, signal.SIGKILL)
        took = wait_until_back(server, before)
        time.sleep(max(QUIET_SECONDS, WATCHED_SECONDS - took))
        seen = end()

    failures = seen.failures(killed, time.time())
    print(f"\nSIGKILL of {' and '.join(models)}: back after {took:.1f} s, {len(failures)} requests failed")
    if ended_itself(site, pid):
        return
    assert all(after < BACK_SECONDS + QUIET_SECONDS for _, after, _ in failures)
    victims = {model.removeprefix("branch_") for model in models}
    if all(model.startswith("branch_") for model in models):
        harmed = [one for one in failures if not one[2].keys() <= victims]
        assert len(harmed) <= HARMED, harmed
        for other in {"place", "same", "slots"} - victims:
            calm, now = seen.p99(other, began, killed), seen.p99(other, killed, killed + WATCHED_SECONDS)
            print(f"  P99 of {other}: {1000 * calm:.0f} ms before, {1000 * now:.0f} ms meanwhile")
            assert now < 2 * calm + NOISE_SECONDS
    assert {name for _, _, errors in failures for name in errors} <= victims | {"ServerUnavailable"}, failures


@pytest.mark.parametrize(("model", "seconds"), STOPPED)
def test_a_stopped_process_is_healed_within_fifteen_seconds(site: Site, tmp_path: Path, model, seconds) -> None:
    server, pid = site.server, site.server.triton_pid
    with timed_load(server.grpc_url, tmp_path) as end:
        time.sleep(1)
        stopped, process = time.time(), send(server, model, signal.SIGSTOP)
        time.sleep(seconds)
        if process in processes_of(server, model):
            os.kill(process, signal.SIGCONT)
        time.sleep(max(0.0, 2 * QUIET_SECONDS - seconds))
        took = wait_until_back(server, {}, HEALED_SECONDS)
        seen = end()

    failures = seen.failures(stopped, time.time())
    last = max((after for _, after, _ in failures), default=0.0)
    print(f"\nSIGSTOP of {model} for {seconds:g} s: {len(failures)} requests failed, the last after {last:.1f} s")
    assert took < HEALED_SECONDS
    assert last < HEALED_SECONDS
    ended_itself(site, pid)


@pytest.mark.parametrize("model", HANGING)
def test_a_process_that_hangs_in_a_request_on_a_busy_server_is_replaced_within_fifteen_seconds(
    site: Site, tmp_path: Path, model
) -> None:
    server, pid = site.server, site.server.triton_pid
    before = restarts(server, model)
    with timed_load(server.grpc_url, tmp_path) as end:
        with frozen_in_a_request(processes_of(server, model)[0], server.state_file.parent / "steps"):
            hung = time.time()
            took = wait_until_back(server, before, HEALED_SECONDS)
        time.sleep(QUIET_SECONDS)
        seen = end()

    failures = seen.failures(hung, time.time())
    print(f"\n{model} hangs: back after {took:.1f} s, {len(failures)} requests failed")
    assert all(after < HEALED_SECONDS for _, after, _ in failures)
    ended_itself(site, pid)


def test_a_process_that_is_stopped_again_and_again_is_replaced(site: Site) -> None:
    server, pid = site.server, site.server.triton_pid
    before = restarts(server, "branch_place")
    process = processes_of(server, "branch_place")[0]

    def stop() -> bool:
        try:
            os.kill(process, signal.SIGSTOP)
        except ProcessLookupError:
            return True
        return process not in processes_of(server, "branch_place")

    took = wait_for(stop, HEALED_SECONDS) + wait_until_back(server, before, HEALED_SECONDS)

    print(f"\nSIGSTOP of branch_place again and again: back after {took:.1f} s")
    ended_itself(site, pid)


def test_a_process_that_is_killed_while_its_task_is_published_neither_stops_the_publish_nor_is_lost(site: Site) -> None:
    server = site.server
    checkpoint = site.checkpoint("intent", seed=59)
    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(site.publish, checkpoint)
        killed = 0
        while not publishing.done():
            for pid in processes_of(server, "branch_intent")[:1]:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            wait([publishing], timeout=KILL_EVERY_SECONDS)
    error = publishing.exception()
    print(f"\nSIGKILL of branch_intent {killed} times during its publish: {error or 'published'}")
    assert error is None or isinstance(error, BuildError), "a publish ends with its own sentence or not at all"
    wait_for(lambda: server.state.ready and server.state.tasks["intent"], LONGEST_PAUSE_SECONDS + HEALED_SECONDS)

    _, version = site.publish(checkpoint)
    wait_until_back(server, {}, HEALED_SECONDS)
    assert site.client.predict("a", tasks=["intent"])["intent"].version == version


def test_a_killed_tritonserver_is_started_again_and_nothing_of_it_is_left(site: Site, tmp_path: Path) -> None:
    server = site.server
    assert server.triton_pid is not None
    old = [server.triton_pid, *(pid for model in KILLED[:-1] for pid in processes_of(server, model))]
    with timed_load(server.grpc_url, tmp_path) as end:
        killed, count = time.time(), server.state.server_restarts
        os.kill(server.triton_pid, signal.SIGKILL)
        took = wait_for(lambda: server.state.server_restarts > count and server.state.ready, SERVER_SECONDS)
        time.sleep(QUIET_SECONDS)
        seen = end()

    failures = seen.failures(killed, time.time())
    print(f"\nSIGKILL of tritonserver: back after {took:.1f} s, {len(failures)} requests failed")
    assert {name for _, _, errors in failures for name in errors} <= {"ServerUnavailable"}, failures
    assert all(after < took + QUIET_SECONDS for _, after, _ in failures)
    assert not [pid for pid in old if Path(f"/proc/{pid}").exists()]


def test_everything_killed_at_once_comes_back(site: Site) -> None:
    server = site.server
    assert server.triton_pid is not None
    count = server.state.server_restarts
    for pid in [*(pid for model in KILLED for pid in processes_of(server, model)), server.triton_pid]:
        os.kill(pid, signal.SIGKILL)
    took = wait_for(lambda: server.state.server_restarts > count and server.state.ready, SERVER_SECONDS)

    print(f"\nSIGKILL of everything but the supervisor: back after {took:.1f} s")
    wait_for(lambda: _answers(site).keys() >= {"intent", "mood"}, BACK_SECONDS)  # the gate reads that it may answer


def _answers(site: Site) -> dict[str, Answer]:
    try:
        return site.client.predict("a", "b")
    except ServerUnavailable:
        return {}
