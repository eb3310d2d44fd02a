"""Callers whose every request is noted with its time: `python timed_load.py GRPC STOP RESULT`, until STOP exists.

Prints "begun" once every caller has had its first answer. Each caller asks one task, one asks all of them, one streams.

RESULT: [[caller, when it asked (time.time()), seconds that it took, {task: error}]]; an error of the whole request has
the name of its class as its task.
"""

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sentences import TEXTS

from clients import Answer, Client
from clients.errors import RequestRejected, ServerUnavailable

PAUSE_SECONDS = 0.02
START_SECONDS = 10.0
Ask = Callable[[str], dict[str, Answer]]


def callers(url: str) -> dict[str, Ask]:
    """name -> asks one text."""
    client = Client(url)
    tasks = _first_answer(client)

    def of(task: str) -> Ask:
        return lambda text: client.predict(text, TEXTS[0], tasks=[task])

    return {
        **{task: of(task) for task in tasks},
        "all": lambda text: client.predict(text, TEXTS[0]),
        "stream": lambda text: dict(client.stream(text, TEXTS[0])),
    }


def _first_answer(client: Client) -> dict[str, Answer]:
    """Waits for a server that has just been healed: its gates read the supervisor's word a moment later."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return client.predict(TEXTS[0], TEXTS[0])
        except ServerUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_SECONDS)


def main(url: str, stop: str, result: str) -> None:
    """Returns once `stop` is there."""
    noted: list[tuple[str, float, float, dict[str, str]]] = []

    def run(name: str, ask: Ask) -> None:
        number = 0
        while not Path(stop).exists():
            number += 1
            began, clock = time.time(), time.monotonic()
            try:
                answers = ask(TEXTS[number % len(TEXTS)])
                errors = {task: answer.error for task, answer in answers.items() if answer.error is not None}
            except RequestRejected:
                raise  # the request is not wrong
            except ServerUnavailable as error:  # or one of its kinds
                errors = {ServerUnavailable.__name__: str(error)}
            except Exception as error:  # whatever a caller would see
                errors = {type(error).__name__: str(error)}
            noted.append((name, began, time.monotonic() - clock, errors))
            time.sleep(PAUSE_SECONDS)

    found = callers(url)
    threads = [threading.Thread(target=run, args=one) for one in found.items()]
    for thread in threads:
        thread.start()
    while {name for name, *_ in noted} != found.keys():
        time.sleep(PAUSE_SECONDS)
    print("begun", flush=True)
    for thread in threads:
        thread.join()
    Path(result).write_text(json.dumps(noted), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
