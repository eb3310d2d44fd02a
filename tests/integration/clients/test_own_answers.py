"""No caller gets an answer that belongs to another one: each request has a tag, and its answer carries it back."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from clients import AsyncClient, Client, RequestRejected, ServerFailed, ServerUnavailable

TIMEOUT = 3.0  # seconds; the server's late answers come 2.5 s after it, which a pause of this machine does not reach
REQUESTS = 2500  # of each protocol and form
FAULTS = (["ok"] * 80 + ["many"] * 8 + ["twice", "half"] * 2) * 3 + ["late"]
PROTOCOLS = ("grpc", "http")
FORKS = Path(__file__).with_name("forks.py")


def _draw(seed: int) -> list[tuple[str, str]]:
    """(fault, tag) of each request."""
    draw = random.Random(seed)
    return [(draw.choice(FAULTS), f"{seed}-{number}") for number in range(REQUESTS)]


def _outcome(fault: str, tag: str, answers: list[str]) -> str:
    assert set(answers) == {tag}, f"the request {tag} got the answers {answers}"
    return fault


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_threads_get_their_own_answers_whatever_breaks(addresses: dict[str, str], protocol: str) -> None:
    with Client(addresses[protocol], timeout=TIMEOUT) as client:

        def ask(request: tuple[str, str]) -> str:
            fault, tag = request
            try:
                if fault == "many":
                    with closing(client.stream(f"many {tag}")) as stream:
                        return _outcome(fault, tag, [next(stream)[1].label or ""])  # and leaves
                return _outcome(fault, tag, [client.predict(f"{fault} {tag}")["echo"].label or ""])
            except (ServerUnavailable, ServerFailed):
                return f"{fault} failed"

        with ThreadPoolExecutor(8) as pool:
            outcomes = Counter(pool.map(ask, _draw(seed=1)))
    _check(outcomes)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_coroutines_get_their_own_answers_whatever_breaks(addresses: dict[str, str], protocol: str) -> None:
    async def ask_all() -> Counter[str]:
        places = asyncio.Semaphore(8)
        async with AsyncClient(addresses[protocol], timeout=TIMEOUT) as client:

            async def ask(fault: str, tag: str) -> str:
                async with places:
                    try:
                        if fault == "many":
                            async with aclosing(client.stream(f"many {tag}")) as stream:
                                return _outcome(fault, tag, [(await anext(stream))[1].label or ""])
                        if int(tag.partition("-")[2]) % 100 == 0:  # cancelled on its way
                            with pytest.raises(TimeoutError):
                                await asyncio.wait_for(client.predict(f"late {tag}"), 0.05)
                            return "cancelled"
                        return _outcome(fault, tag, [(await client.predict(f"{fault} {tag}"))["echo"].label or ""])
                    except (ServerUnavailable, ServerFailed):
                        return f"{fault} failed"

            return Counter(await asyncio.gather(*(ask(*request) for request in _draw(seed=2))))

    _check(asyncio.run(ask_all()))


def _check(outcomes: Counter[str]) -> None:
    """The faults failed, and what was not broken was answered, but for calls beside a connection that broke."""
    assert outcomes["late"] == outcomes["half"] == 0
    assert outcomes["late failed"]
    assert outcomes["half failed"]
    assert outcomes["ok"] > 0.75 * REQUESTS
    assert outcomes["ok failed"] + outcomes["many failed"] + outcomes["twice failed"] <= 0.05 * REQUESTS, outcomes


def _forked(scenario: str, address: str) -> list[Any]:
    """What the children of a scenario returned. It runs in a session of its own, so that nothing of it can be left."""
    command = [sys.executable, str(FORKS), scenario, address]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as program:
        try:
            printed, complaint = program.communicate(timeout=120)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
    assert program.returncode == 0, complaint
    return json.loads(printed)


@pytest.mark.parametrize("scenario", ["idle_connections", "busy_threads", "asyncio_client"])
def test_forked_processes_get_their_own_answers_over_http(addresses: dict[str, str], scenario: str) -> None:
    assert sorted(_forked(scenario, addresses["http"])) == [0, 1, 2, 3]


def test_forked_processes_ask_several_servers_by_turns(addresses: dict[str, str]) -> None:
    port = addresses["http"].rpartition(":")[2]
    assert sorted(_forked("busy_threads", f"{addresses['http']},localhost:{port}")) == [0, 1, 2, 3]


@pytest.mark.parametrize("scenario", ["grpc_client", "asyncio_grpc_client"])
def test_grpc_after_a_fork_is_one_clear_error(addresses: dict[str, str], scenario: str) -> None:
    for outcome in _forked(scenario, addresses["grpc"]):
        assert outcome.startswith("RequestRejected: gRPC cannot be used in a process that was forked")


def test_a_grpc_client_that_nobody_has_used_can_be_used_after_a_fork(addresses: dict[str, str]) -> None:
    assert _forked("unused_grpc_client", addresses["grpc"]) == ["child"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_stream_of_the_parent_is_not_read_in_a_child(addresses: dict[str, str], protocol: str) -> None:
    for outcome in _forked("parents_stream", addresses[protocol]):
        assert outcome.startswith("RequestRejected: this stream was started before a fork")


def test_an_asyncio_client_in_a_second_event_loop_is_one_clear_error(addresses: dict[str, str]) -> None:
    for address in addresses.values():
        client = AsyncClient(address, timeout=5)
        asyncio.run(client.predict("ok a"))  # type: ignore[arg-type]
        with pytest.raises(RequestRejected, match="belongs to the event loop of its first request"):
            asyncio.run(client.predict("ok b"))  # type: ignore[arg-type]
