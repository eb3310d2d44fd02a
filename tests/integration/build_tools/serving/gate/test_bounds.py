"""One request can cost neither the server nor the gate its life, its memory, or others their answers."""

import gzip
import socket
import time

import psutil
import pytest
from gated_server import GatedServer
from raw_requests import INFER, over_grpc, over_tcp, post, text_request
from tritonclient.grpc.aio import grpc

from clients import Client

MB = 2**20
TEXT = {"name": "text", "datatype": "BYTES", "shape": [1, 1], "data": ["wake me"]}
CHUNKED = b"POST /v2/models/nlu/infer HTTP/1.1\r\nhost: gate\r\ntransfer-encoding: chunked\r\n\r\n"
# {what is sent over HTTP: (the bytes, the status)}
OVER_HTTP = {
    "classification": (
        post("nlu/infer", {"inputs": [TEXT], "outputs": [{"name": "result", "parameters": {"classification": 1}}]}),
        400,
    ),
    "a shape beyond 64 bits": (
        post("nlu/infer", {"inputs": [{**TEXT, "datatype": "FP32", "shape": [2**63 - 1, 1]}]}),
        400,
    ),
    "a shape of 16 GB": (post("nlu/infer", {"inputs": [{**TEXT, "datatype": "INT64", "shape": [2**31, 1]}]}), 400),
    "shared memory": (
        post("nlu/infer", {"inputs": [{**TEXT, "parameters": {"shared_memory_region": "x"}}]}),
        400,
    ),
    "brackets, 5,000,000 deep": (post("nlu/generate", b"[" * 5_000_000), 400),
    "objects, 2,000,000 deep": (post("nlu/generate", b'{"a":' * 2_000_000), 400),
    "5,000,000 lists beside each other": (post("nlu/generate", b'{"text":[' + b"[]," * 5_000_000 + b"[]]}"), 400),
    "600,000 chunks": (CHUNKED + b"1\r\na\r\n" * 600_000 + b"0\r\n\r\n", 413),
    "1 GB in 1 MB of gzip": (post("nlu/infer", gzip.compress(bytes(1024 * MB), 1), "content-encoding: gzip"), 413),
    "an encoding that is not known": (post("nlu/infer", b"x", "content-encoding: br"), 400),
    "not gzip": (post("nlu/infer", b"x", "content-encoding: gzip"), 400),
    "gzip that is cut off": (post("nlu/infer", gzip.compress(b"{}")[:-4], "content-encoding: gzip"), 400),
    "more than the bound": (post("nlu/infer", b"x" * (17 * MB)), 413),
    "a length of 10 TB": (b"POST /v2/models/nlu/infer HTTP/1.1\r\ncontent-length: 9999999999999\r\n\r\n", 413),
    "a length of no number": (b"POST /v2/models/nlu/infer HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400),
    "a JSON length beyond the body": (post("nlu/infer", b"{}", "inference-header-content-length: 99"), 400),
    "one long header": (b"GET /v2 HTTP/1.1\r\na: " + b"b" * MB + b"\r\n\r\n", 431),
    "many headers": (b"GET /v2 HTTP/1.1\r\n" + b"a:b\r\n" * 100_000 + b"\r\n", 431),
    "a long path": (b"GET /" + b"x" * MB + b" HTTP/1.1\r\n\r\n", 431),
    "another protocol": (b"\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", 400),
}


@pytest.fixture(autouse=True)
def _nothing_is_harmed(gated: GatedServer) -> object:
    """After each test all processes are there, the gate holds no more memory, and others are answered as before."""
    with Client(gated.grpc_url) as client:
        before = client.predict("wake me at seven")
        processes, gate = gated.processes(), psutil.Process(gated.process.pid)
        peak = _peak(gate.pid)
        yield
        assert client.predict("wake me at seven") == before
    assert gated.processes() == processes
    # The largest body, once as it came and once put together, twice over; and what a first use makes.
    assert _peak(gate.pid) - peak < 150 * MB


def _peak(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:  # noqa: PTH123
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


@pytest.mark.parametrize("what", OVER_HTTP)
def test_over_http_it_is_refused(what: str, gated: GatedServer) -> None:
    request, status = OVER_HTTP[what]
    begun = time.monotonic()
    assert over_tcp(gated.http_url, request)[0] == status
    assert time.monotonic() - begun < 10


def test_over_grpc_it_is_refused(gated: GatedServer) -> None:
    with grpc.insecure_channel(gated.grpc_url, options=[("grpc.max_send_message_length", -1)]) as channel:
        good = text_request()
        asked = text_request()
        asked.outputs.add(name="result").parameters["classification"].int64_param = 1
        assert over_grpc(channel, asked.SerializeToString())[0] == "INVALID_ARGUMENT"
        for datatype, shape in (("FP32", [2**63 - 1, 1]), ("BYTES", [2**63 - 1, 1]), ("BYTES", [-1, 1]), ("BYTES", [])):
            asked = text_request()
            asked.inputs[0].datatype = datatype
            asked.inputs[0].shape[:] = shape
            assert over_grpc(channel, asked.SerializeToString())[0] == "INVALID_ARGUMENT"
        # 7,000,000 empty inputs, which would become objects of some 80 bytes each.
        assert over_grpc(channel, b"\x2a\x00" * 7_000_000)[0] == "INVALID_ARGUMENT"
        assert over_grpc(channel, bytes(17 * MB))[0] == "RESOURCE_EXHAUSTED"
        assert over_grpc(channel, b"\xff" * 100)[0] == "INVALID_ARGUMENT"
        metadata = [("a", "b" * 100_000)]
        assert over_grpc(channel, good.SerializeToString(), metadata=metadata)[0] == "RESOURCE_EXHAUSTED"
        unknown = good.SerializeToString() + b"\xfa\x3f\x04evil"  # field 1023
        assert over_grpc(channel, unknown) == ("OK", "")  # it is left out


def test_a_compressed_grpc_message_becomes_no_larger_than_the_bound(gated: GatedServer) -> None:
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(gated.grpc_url, options, grpc.Compression.Gzip) as channel:
        assert over_grpc(channel, text_request().SerializeToString()) == ("OK", "")
        assert over_grpc(channel, bytes(1024 * MB), timeout=60)[0] == "RESOURCE_EXHAUSTED"


def test_headers_that_do_not_end_are_not_waited_for(gated: GatedServer) -> None:
    assert over_tcp(gated.http_url, b"GET /v2 HTTP/1.1\r\nhost:", timeout=20)[0] == 408


def test_a_caller_who_hangs_up_leaves_no_request_behind(gated: GatedServer) -> None:
    host, _, port = gated.http_url.partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(post("nlu/generate", {"text": ["wake me at seven " * 50] * 64}))
    with grpc.insecure_channel(gated.grpc_url) as channel:
        call = channel.unary_unary(INFER).future(text_request(text=b"wake me " * 50).SerializeToString())
        call.cancel()
    assert "Traceback" not in gated.log.read_text()
