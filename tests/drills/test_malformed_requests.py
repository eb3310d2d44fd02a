"""Malformed requests through the gate: each is refused in the right class, and harms neither the server nor others."""

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import malformed
import pytest
from drill_size import drill_size
from gated_server import GatedServer
from raw_requests import over_grpc, over_tcp, post, text_request
from sentences import TEXTS
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.aio import grpc
from untrained import save_untrained, tiny_encoder

from build_tools.build.builder import build
from clients import Client
from training.kinds import Kind

REQUESTS = drill_size(900, 20_000)
SEEDS = drill_size((1,), (1, 2, 3, 4, 5))
MEMORY = 1.10
STREAM = 20  # requests of one stream
_SERVICE = "inference.GRPCInferenceService"


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatedServer]:
    folder: Path = tmp_path_factory.mktemp("gated")
    encoder = tiny_encoder(folder / "encoder")
    made = {
        "intent": {},
        "same": {"kind": Kind.PAIR_CLASSIFICATION},
        "slots": {"kind": Kind.TAGGING, "labels": ("O", "B-x")},
    }
    build(
        [save_untrained(folder / task, encoder, task, **given) for task, given in made.items()], folder / "repository"
    )
    with GatedServer(folder / "repository", folder / "gate") as server:
        yield server


class Bystander:
    """Another caller, who asks the same all the time."""

    def __init__(self, url: str) -> None:
        self.asked = 0
        self.wrong: list[str] = []
        self._stop = threading.Event()
        self._client = Client(url)
        self._right = self._client.predict_batch(TEXTS, tasks=["intent", "slots"])
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        while not self._stop.is_set():
            try:
                answered = self._client.predict_batch(TEXTS, tasks=["intent", "slots"])
            except Exception as error:
                self.wrong.append(f"{type(error).__name__}: {error}")
            else:
                self.asked += 1
                labels = [[answer.label or answer.spans for answer in row.values()] for row in answered]
                if labels != [[answer.label or answer.spans for answer in row.values()] for row in self._right]:
                    self.wrong.append(f"other answers: {labels}")
            time.sleep(0.02)

    def end(self) -> None:
        self._stop.set()
        self._thread.join()
        self._client.close()


def test_each_is_refused_and_nothing_else_happens(gated: GatedServer) -> None:
    with grpc.insecure_channel(gated.grpc_url, [("grpc.max_send_message_length", -1)]) as channel:
        _send(gated, channel, random.Random(0), REQUESTS // 4)  # so that what is loaded at first use is loaded
        processes, memory = gated.processes(), gated.triton_memory()
        bystanders = [Bystander(gated.grpc_url), Bystander(f"http://{gated.http_url}")]
        seen: Counter[str] = Counter()
        try:
            for seed in SEEDS:
                seen += _send(gated, channel, random.Random(seed), REQUESTS // len(SEEDS))
        except AssertionError as error:
            error.add_note(gated.log.read_text()[-2000:])
            raise
        finally:
            for bystander in bystanders:
                bystander.end()
    print(f"{seen.total()} malformed requests: {dict(seen)}")
    assert [bystander.wrong for bystander in bystanders] == [[], []]
    assert all(bystander.asked > 3 for bystander in bystanders)
    assert gated.processes() == processes
    assert gated.triton_memory() < MEMORY * memory
    assert "Traceback" not in gated.log.read_text()


def _send(gated: GatedServer, channel: grpc.Channel, rng: random.Random, count: int) -> Counter[str]:
    """Sends so many, and returns how often each answer came. Raises AssertionError for a wrong class."""
    seen: Counter[str] = Counter()
    for number in range(count):
        way = _SELDOM.get(number % STREAM) or _OFTEN[number % len(_OFTEN)]
        seen += way(gated, channel, rng)
    return seen


def _unary(_gated: GatedServer, channel: grpc.Channel, rng: random.Random) -> Counter[str]:
    return _checked(malformed.over_grpc(rng), channel)


def _bytes(_gated: GatedServer, channel: grpc.Channel, rng: random.Random) -> Counter[str]:
    return _checked(malformed.bytes_over_grpc(rng), channel)


def _checked(sent: malformed.Sent, channel: grpc.Channel) -> Counter[str]:
    code, sentence = over_grpc(channel, sent.message)
    assert code in sent.allowed, (sent, code, sentence)
    return Counter([code])


def _http(gated: GatedServer, _channel: grpc.Channel, rng: random.Random) -> Counter[str]:
    sent = malformed.over_http(rng)
    status, sentence = over_tcp(gated.http_url, post(sent.path, sent.message, "connection: close", *sent.headers))
    assert status in sent.allowed, (sent, status, sentence)
    return Counter([f"HTTP {status}"])


def _in_stream(_gated: GatedServer, channel: grpc.Channel, rng: random.Random) -> Counter[str]:
    """Good and malformed requests in one stream, some with the metadata of which Triton dies."""
    requests = [malformed.over_grpc(rng).message for _ in range(STREAM)]
    metadata = [("triton_grpc_error", "true")] if rng.random() < 0.3 else None
    stub = channel.stream_stream(f"/{_SERVICE}/ModelStreamInfer")
    seen: Counter[str] = Counter()
    status = "OK"
    try:
        for raw in stub(iter(requests), metadata=metadata, timeout=60):
            response = pb.ModelStreamInferResponse.FromString(raw)
            code = response.infer_response.parameters["espalier_code"].string_param if response.error_message else "OK"
            seen[code] += 1
    except grpc.RpcError as error:
        status = error.code().name
    assert seen.keys() <= malformed.WRONG | {"OK", "UNAVAILABLE"}, seen
    if metadata is None:
        assert status == "OK"
        assert seen.total() >= STREAM
    else:
        assert status in malformed.WRONG
        seen[status] += 1
    return seen


def _leave_stream(_gated: GatedServer, channel: grpc.Channel, rng: random.Random) -> Counter[str]:
    """A caller who leaves a gRPC stream at some moment, after good requests and one that is refused."""
    requests = [text_request("nlu_stream", id=str(number)).SerializeToString() for number in range(5)]
    call = channel.stream_stream(f"/{_SERVICE}/ModelStreamInfer")(iter([*requests, b"\xff", *requests]), timeout=60)
    for _ in range(rng.randrange(4)):
        next(call)
    call.cancel()
    return Counter(["left"])


def _hang_up(gated: GatedServer, _channel: grpc.Channel, rng: random.Random) -> Counter[str]:
    """A caller who hangs up in the midst of an HTTP request or of its answer."""
    whole = post("nlu_stream/generate_stream", {"text": "wake me at seven " * 20})
    host, _, port = gated.http_url.partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(whole[: rng.randint(1, len(whole) * 2)])
        if rng.random() < 0.5:
            connection.settimeout(0.05)
            with suppress(TimeoutError):
                connection.recv(100)
    return Counter(["hung up"])


_OFTEN = (_unary, _http, _bytes)
_SELDOM = {3: _in_stream, 7: _leave_stream, 13: _hang_up}
