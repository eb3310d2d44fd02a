"""No caller gets an answer that belongs to another one: each request has a tag, and its answer carries it back."""

import asyncio
import multiprocessing
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from typing import Any

import pytest

from clients import AsyncClient, Client, RequestRejected, ServerFailed, ServerUnavailable

TIMEOUT = 1.0  # seconds; the server's late answers come after it
REQUESTS = 2500  # of each protocol and form
FAULTS = ["ok"] * 80 + ["many"] * 8 + ["twice", "half"] * 2 + ["late"]
PROTOCOLS = ("grpc", "http")
FORK = multiprocessing.get_context("fork")


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
    assert outcomes["ok failed"] + outcomes["many failed"] + outcomes["twice failed"] <= 0.02 * REQUESTS, outcomes


def _in_children(work: Callable[[int], Any], children: int = 4) -> list[Any]:
    """What `work` returns in so many forked processes at once."""
    results = FORK.SimpleQueue()

    def run(number: int) -> None:
        try:
            results.put(work(number))
        except Exception as error:
            results.put(f"{type(error).__name__}: {error}")

    processes = [FORK.Process(target=run, args=(number,)) for number in range(children)]
    for process in processes:
        process.start()
    try:
        for process in processes:
            process.join(30)
            assert process.exitcode == 0, "a child hangs or died"
    finally:
        for process in processes:
            process.kill()
    return [results.get() for _ in processes]


def test_forked_processes_open_their_own_http_connections(addresses: dict[str, str]) -> None:
    client = Client(addresses["http"], timeout=5)
    with ThreadPoolExecutor(4) as pool:  # several idle connections to inherit
        list(pool.map(lambda number: client.predict(f"ok {number}"), range(40)))

    def ask(number: int) -> int:
        for request in range(100):
            tag = f"child {number} {request}"
            assert client.predict(f"ok {tag}")["echo"].label == tag
            assert [answer.label for _, answer in client.stream(f"ok {tag}")] == [tag]
        return number

    assert sorted(_in_children(ask)) == [0, 1, 2, 3]
    assert client.predict("ok parent")["echo"].label == "parent"


def test_a_fork_while_other_threads_ask_over_http(addresses: dict[str, str]) -> None:
    client = Client(addresses["http"], timeout=5)
    stop, wrong = threading.Event(), []

    def ask_all_the_time(thread: int) -> None:
        number = 0
        while not stop.is_set():
            tag = f"thread {thread} {number}"
            if client.predict(f"ok {tag}")["echo"].label != tag:
                wrong.append(tag)
            number += 1

    threads = [threading.Thread(target=ask_all_the_time, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()

    def ask(number: int) -> int:
        for request in range(50):
            assert client.predict(f"ok {number} {request}")["echo"].label == f"{number} {request}"
        return number

    assert sorted(_in_children(ask)) == [0, 1, 2, 3]
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_asyncio_client_can_be_used_in_a_forked_process_over_http(addresses: dict[str, str]) -> None:
    client = AsyncClient(addresses["http"], timeout=5)

    async def ask(number: int) -> int:
        for request in range(30):
            assert (await client.predict(f"ok {number} {request}"))["echo"].label == f"{number} {request}"
        return number

    assert asyncio.run(ask(9)) == 9
    assert sorted(_in_children(lambda number: asyncio.run(ask(number)))) == [0, 1, 2, 3]


@pytest.mark.parametrize("make", [Client, AsyncClient])
def test_grpc_after_a_fork_is_one_clear_error(addresses: dict[str, str], make: type) -> None:
    used = Client(addresses["grpc"], timeout=5)
    assert used.predict("ok parent")["echo"].label == "parent"

    def ask(number: int) -> str:
        client = used if number == 0 and make is Client else make(addresses["grpc"], timeout=5)
        if make is AsyncClient:
            asyncio.run(client.predict("ok child"))
        else:
            client.predict("ok child")
        return "answered"

    for outcome in _in_children(ask):
        assert outcome.startswith("RequestRejected: gRPC cannot be used in a process that was forked")
    assert used.predict("ok parent again")["echo"].label == "parent again"


def test_a_grpc_client_that_nobody_has_used_can_be_used_after_a_fork(addresses: dict[str, str]) -> None:
    program = (
        "import multiprocessing, sys\n"
        "from clients import Client\n"
        "client = Client(sys.argv[1], timeout=5)\n"
        "def ask(): assert client.predict('ok child')['echo'].label == 'child'\n"
        "child = multiprocessing.get_context('fork').Process(target=ask)\n"
        "child.start(); child.join(20); sys.exit(child.exitcode)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, addresses["grpc"]], timeout=60).returncode == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_stream_of_the_parent_is_not_read_in_a_child(addresses: dict[str, str], protocol: str) -> None:
    client = Client(addresses[protocol], timeout=5)
    stream = client.stream("many parent")
    assert next(stream)[1].label == "parent"

    def read(_: int) -> list[Any]:
        return list(stream)

    for outcome in _in_children(read, children=2):
        assert outcome.startswith("RequestRejected: this stream was started before a fork")
    assert [answer.label for _, answer in stream] == ["parent"] * 3


def test_an_asyncio_client_in_a_second_event_loop_is_one_clear_error(addresses: dict[str, str]) -> None:
    for address in addresses.values():
        client = AsyncClient(address, timeout=5)
        asyncio.run(client.predict("ok a"))  # type: ignore[arg-type]
        with pytest.raises(RequestRejected, match="belongs to the event loop of its first request"):
            asyncio.run(client.predict("ok b"))  # type: ignore[arg-type]
