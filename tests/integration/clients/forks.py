"""Clients in forked processes: `python forks.py SCENARIO ADDRESS` prints what each child returned, as JSON.

A program of its own, because a child is a copy of all that the forking process has: its locks as they were held, and
its pipes, which a child that hangs would keep open.
"""

import asyncio
import json
import multiprocessing
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from clients import AsyncClient, Client

FORK = multiprocessing.get_context("fork")
CHILD_SECONDS = 60.0


def in_children(work: Callable[[int], Any], children: int = 4) -> list[Any]:
    """What `work` returns in so many forked processes at once. Raises TimeoutError if one hangs."""
    results = FORK.SimpleQueue()

    def run(number: int) -> None:
        try:
            results.put(work(number))
        except Exception as error:
            results.put(f"{type(error).__name__}: {error}")

    processes = [FORK.Process(target=run, args=(number,), daemon=True) for number in range(children)]
    for process in processes:
        process.start()
    for number, process in enumerate(processes):
        process.join(CHILD_SECONDS)
        if process.exitcode != 0:
            raise TimeoutError(f"child {number} hangs or died: exit code {process.exitcode}")
    return [results.get() for _ in processes]


def idle_connections(address: str) -> list[Any]:
    """The parent has several idle HTTP connections to inherit, and goes on afterwards."""
    client = Client(address, timeout=5)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: client.predict(f"ok {number}"), range(40)))

    def ask(number: int) -> int:
        for request in range(100):
            tag = f"child {number} {request}"
            assert client.predict(f"ok {tag}")["echo"].label == tag
            assert [answer.label for _, answer in client.stream(f"ok {tag}")] == [tag]
        return number

    outcomes = in_children(ask)
    assert client.predict("ok parent")["echo"].label == "parent"
    return outcomes


def busy_threads(address: str) -> list[Any]:
    """Three threads of the parent ask all the time, before and after the fork."""
    client = Client(address, timeout=5)
    stop = threading.Event()
    wrong: list[str] = []

    def ask_all_the_time(thread: int) -> None:
        number = 0
        while not stop.is_set():
            tag = f"thread {thread} {number}"
            if client.predict(f"ok {tag}")["echo"].label != tag:
                wrong.append(tag)
            number += 1

    def ask(number: int) -> int:
        for request in range(50):
            assert client.predict(f"ok {number} {request}")["echo"].label == f"{number} {request}"
        return number

    threads = [threading.Thread(target=ask_all_the_time, args=(number,), daemon=True) for number in range(3)]
    for thread in threads:
        thread.start()
    outcomes = in_children(ask)
    stop.set()
    for thread in threads:
        thread.join()
    return [*outcomes, *wrong]


def asyncio_client(address: str) -> list[Any]:
    """An asyncio client that the parent has used."""
    client = AsyncClient(address, timeout=5)

    async def ask(number: int) -> int:
        for request in range(30):
            assert (await client.predict(f"ok {number} {request}"))["echo"].label == f"{number} {request}"
        return number

    assert asyncio.run(ask(9)) == 9
    return in_children(lambda number: asyncio.run(ask(number)))


def grpc_client(address: str) -> list[Any]:
    """A gRPC client that the parent has used in one child, new ones in the others; the parent goes on."""
    used = Client(address, timeout=5)
    assert used.predict("ok parent")["echo"].label == "parent"

    def ask(number: int) -> str:
        client = used if number == 0 else Client(address, timeout=5)
        client.predict("ok child")
        return "answered"

    outcomes = in_children(ask)
    assert used.predict("ok parent again")["echo"].label == "parent again"
    return outcomes


def asyncio_grpc_client(address: str) -> list[Any]:
    """New asyncio clients over gRPC in the children of a parent that has used gRPC."""
    with Client(address, timeout=5) as used:
        assert used.predict("ok parent")["echo"].label == "parent"

        def ask(_: int) -> str:
            asyncio.run(AsyncClient(address, timeout=5).predict("ok child"))
            return "answered"

        return in_children(ask)


def unused_grpc_client(address: str) -> list[Any]:
    """A gRPC client that nobody has used before the fork."""
    client = Client(address, timeout=5)
    return in_children(lambda _: client.predict("ok child")["echo"].label, children=1)


def parents_stream(address: str) -> list[Any]:
    """A stream that the parent has begun, and reads to its end afterwards."""
    client = Client(address, timeout=5)
    stream = client.stream("many parent")
    assert next(stream)[1].label == "parent"
    outcomes = in_children(lambda _: list(stream), children=2)
    assert [answer.label for _, answer in stream] == ["parent"] * 3
    return outcomes


SCENARIOS = {
    one.__name__: one
    for one in (
        idle_connections,
        busy_threads,
        asyncio_client,
        grpc_client,
        asyncio_grpc_client,
        unused_grpc_client,
        parents_stream,
    )
}

if __name__ == "__main__":
    print(json.dumps(SCENARIOS[sys.argv[1]](sys.argv[2])))
