"""Constant load on a fleet: `python fleet_load.py BALANCER_GRPC BALANCER_HTTP GRPC,GRPC,... HTTP,HTTP,... STOP RESULT`.

As steady_load.py, with clients that send a request again which no server has begun on: through a load balancer, and by
their own lists of servers. Where a server may have begun (it was killed, say), a client tells its caller, who may ask
again, as these do a few times.

RESULT: also "broken": [[caller, when (time.time()), sentence]], the requests of this last kind.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sentences import TEXTS
from steady_load import ENSEMBLES, Load, Outcome
from text_tensors import text_tensors
from tritonclient import grpc

from clients import Answer, Client
from clients.errors import Broken

PAUSE_SECONDS = 0.25  # few cores have three servers and what changes them to run
RETRIES = 6  # through a balancer, which is one server to its clients
AGAIN = 3  # times that a caller asks anew where an answer was lost
_UNAVAILABLE = "StatusCode.UNAVAILABLE"

Ask = Callable[[str], Outcome]


def callers(balancer_grpc: str, balancer_http: str, grpc_urls: str, http_urls: str) -> dict[str, Ask]:
    """name -> asks one text of all tasks."""
    balanced = {"gRPC": balancer_grpc, "HTTP": balancer_http}
    clients = {f"{name} balanced": Client(url, retries=RETRIES) for name, url in balanced.items()}
    clients |= {"gRPC by list": Client(grpc_urls), "HTTP by list": Client(http_urls)}
    asks: dict[str, Ask] = {name: _predict(client) for name, client in clients.items()}
    asks["stream balanced"] = _stream(clients["gRPC balanced"])
    asks["stream by list"] = _stream(clients["HTTP by list"])
    asks["ensembles balanced"] = _ensembles(grpc.InferenceServerClient(balancer_grpc))
    return asks


def _predict(client: Client) -> Ask:
    return lambda text: iter(client.predict(text, TEXTS[0], all_scores=True).items())


def _stream(client: Client) -> Ask:
    return lambda text: client.stream(text, TEXTS[0], all_scores=True)


def _ensembles(triton: grpc.InferenceServerClient) -> Ask:
    def infer(task: str, text: str, retries: int) -> grpc.InferResult:
        try:
            return triton.infer(task, text_tensors({"text": [text]}))
        except grpc.InferenceServerException as error:
            if error.status() != _UNAVAILABLE or not retries:
                raise
        time.sleep(PAUSE_SECONDS)
        return infer(task, text, retries - 1)

    def ask(text: str) -> Outcome:
        for task in ENSEMBLES:
            logits = infer(task, text, RETRIES).as_numpy("logits")[0]
            yield f"ensemble {task}", Answer(scores={str(place): float(one) for place, one in enumerate(logits)})

    return ask


class FleetLoad(Load):
    """Callers who ask again where a server may have begun on the request."""

    def __init__(self, stop: Path) -> None:
        super().__init__(stop, PAUSE_SECONDS)
        self.broken: list[tuple[str, float, str]] = []

    def run(self, name: str, ask: Ask) -> None:
        """One caller."""

        def ask_again(text: str) -> Outcome:
            for _ in range(AGAIN):
                try:
                    return iter(list(ask(text)))
                except Broken as error:
                    self.broken.append((name, time.time(), str(error)))
                time.sleep(PAUSE_SECONDS)
            return iter(list(ask(text)))

        super().run(name, ask_again)


def main(*urls: str) -> None:
    """urls: as above, then STOP and RESULT. Returns once STOP is there."""
    *urls, stop, result = urls  # type: ignore[assignment]
    load = FleetLoad(Path(stop))
    seen = load.run_all(callers(*urls)) | {"broken": load.broken}
    Path(result).write_text(json.dumps(seen), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
