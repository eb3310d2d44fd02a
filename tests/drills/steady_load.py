"""Constant load on a server that is being changed: `python steady_load.py GRPC HTTP STOP RESULT`, until STOP exists.

Prints "begun" once every caller has had its first answer.

RESULT: {"requests": number, "failures": [sentence], "answers": [{"task", "version", "text", "answer"}]}, each different
answer once. A program of its own, so that the load does not wait for what the test computes. Every caller asks all
tasks that there are, so that a task that goes or comes is noticed; the ensembles are asked for those in ENSEMBLES.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from sentences import TEXTS
from text_tensors import text_tensors
from tritonclient import grpc

from clients import Answer, Client

ENSEMBLES = ("mood", "place")
PAUSE_SECONDS = 0.05  # between a caller's requests: few cores have a publish to do as well
Outcome = Iterator[tuple[str, Answer]]


class Load:
    """What all callers have seen. pause: seconds between a caller's requests."""

    def __init__(self, stop: Path, pause: float = PAUSE_SECONDS) -> None:
        self.requests = 0
        self.failures: list[str] = []
        self.answers: dict[str, dict[str, object]] = {}
        self.begun: set[str] = set()
        self._stop, self._pause = stop, pause
        self._lock = threading.Lock()

    def run(self, name: str, ask: Callable[[str], Outcome]) -> None:
        """One caller, which asks again as soon as it is answered."""
        for number in count():
            is_last = self._stop.exists()  # and so each caller meets what was changed before
            text = TEXTS[number % len(TEXTS)]
            try:
                for task, answer in ask(text):
                    self._note(name, task, text, answer)
            except Exception as error:  # whatever a caller would see
                with self._lock:
                    self.failures.append(f"{name}: {type(error).__name__}: {error}")
            with self._lock:
                self.requests += 1
                self.begun.add(name)
            if is_last:
                return
            time.sleep(self._pause)

    def run_all(self, callers: dict[str, Callable[[str], Outcome]]) -> dict[str, object]:
        """Runs them, each in a thread, until `stop` is there. Returns what they have seen."""
        threads = [threading.Thread(target=self.run, args=(name, ask)) for name, ask in callers.items()]
        for thread in threads:
            thread.start()
        while len(self.begun) < len(threads):
            time.sleep(self._pause)
        print("begun", flush=True)
        for thread in threads:
            thread.join()
        return {"requests": self.requests, "failures": self.failures, "answers": list(self.answers.values())}

    def _note(self, name: str, task: str, text: str, answer: Answer) -> None:
        entry = {"task": task, "version": answer.version, "text": text, "answer": answer.model_dump(mode="json")}
        with self._lock:
            if answer.error is not None:
                self.failures.append(f"{name}: {task}: {answer.error}")
            self.answers.setdefault(json.dumps(entry), entry)


def callers(grpc_url: str, http_url: str) -> dict[str, Callable[[str], Outcome]]:
    """name -> asks one text of all tasks."""
    over_grpc, over_http = Client(grpc_url), Client(f"http://{http_url}")
    triton = grpc.InferenceServerClient(grpc_url)

    def ensembles(text: str) -> Outcome:
        for task in ENSEMBLES:
            logits = triton.infer(task, text_tensors({"text": [text]})).as_numpy("logits")[0]
            yield f"ensemble {task}", Answer(scores={str(place): float(one) for place, one in enumerate(logits)})

    return {
        "gRPC": lambda text: iter(over_grpc.predict(text, TEXTS[0], all_scores=True).items()),
        "HTTP": lambda text: iter(over_http.predict(text, TEXTS[0], all_scores=True).items()),
        "stream": lambda text: over_grpc.stream(text, TEXTS[0], all_scores=True),
        "ensemble": ensembles,
    }


def main(grpc_url: str, http_url: str, stop: str, result: str) -> None:
    """Returns once `stop` is there."""
    seen = Load(Path(stop)).run_all(callers(grpc_url, http_url))
    Path(result).write_text(json.dumps(seen), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
