import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clients.errors import RequestRejected, ServerFailed, ServerUnavailable
from clients.load_test import measure as module
from clients.load_test.errors import LoadTestUnavailable
from clients.load_test.load import Concurrency, Load, Rate
from clients.load_test.measure import measure
from clients.load_test.measurement import Measurement
from clients.load_test.protocol import Protocol
from espalier_errors import EspalierError

_BEGIN = "echo '  Using synchronous calls for inference'"
# Writes the record of requests that are sent so many milliseconds after the load began, and answered 7 ms later.
_RECORDER = """
import json, sys, time
times = [time.time_ns() + int(ms) * 1_000_000 for ms in sys.argv[2:]]
outputs = [{"result": json.dumps({"tasks": {"a": {"error": "broke"}}})}]
requests = [
    {"timestamp": sent, "response_timestamps": [sent + 7_000_000], "response_outputs": outputs} for sent in times
]
with open(sys.argv[1], "w") as export:
    json.dump({"experiments": [{"requests": requests}]}, export)
print("  Using asynchronous calls for inference", flush=True)
"""


@pytest.fixture
def measured(
    program: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Measurement]:
    """Measures with a script in place of perf_analyzer, in which `record 20 150` begins with two requests."""
    (tmp_path / "recorder.py").write_text(_RECORDER, encoding="utf-8")

    def run(script: str, load: Load | None = None, protocol: Protocol = "grpc", url: str | None = None) -> Measurement:
        find_export = 'while [ "$1" != --profile-export-file ]; do shift; done; export=$2'
        record = f'record() {{ {sys.executable} -IS {tmp_path}/recorder.py "$export" "$@"; }}'
        file = program(f"{find_export}\n{record}\n{script}")
        monkeypatch.setattr(module, "find_perf_analyzer", lambda: file)
        usual = "http://h:1" if protocol == "http" else "h:1"
        return measure(url or usual, "nlu", Path("inputs.json"), load or Concurrency(2), protocol, 0.4, 0.1)

    return run


def test_what_the_record_holds_after_the_warm_up_is_the_measurement(measured: Callable[..., Measurement]) -> None:
    wait = "trap 'exit 0' INT\nwhile :; do sleep 0.01; done"
    found = measured(f"record 20 300 310 5000\n{wait}", protocol="stream")
    assert found.requests == 2  # neither the one of the warm-up nor the one after the end
    assert found.texts_per_second == pytest.approx(5.0)
    assert found.latency is not None
    assert found.latency.p99 == pytest.approx(7.0)
    assert found.first is None  # there was no answer but errors
    assert (found.task_errors, found.task_error) == (2, "broke")
    assert (found.failed, found.unanswered) == (0, False)


def test_failed_requests_are_counted_and_shown_beside_what_was_answered(measured: Callable[..., Measurement]) -> None:
    stopped = "Thread [0] had error: queue full\n\nThread [3] had error: queue full\nThread [5] had error: gone\n"
    found = measured(f"record\nprintf '{stopped}'", load=Rate(50.0), protocol="http")
    assert (found.requests, found.latency) == (0, None)
    assert (found.failed, found.failure) == (3, "queue full")


def test_several_servers_share_the_callers_and_count_as_one(measured: Callable[..., Measurement]) -> None:
    wait = "trap 'exit 0' INT\nwhile :; do sleep 0.01; done"
    found = measured(f"record 300 310\nprintf 'Thread [0] had error: full\\n'\n{wait}", Concurrency(3), url="h:1,h:2")
    assert found.load == Concurrency(3)
    assert (found.requests, found.failed, found.failure) == (4, 2, "full")


def test_the_one_of_several_servers_that_cannot_be_loaded_is_named(measured: Callable[..., Measurement]) -> None:
    fails = "grep -q h:2 /proc/$$/cmdline && { echo 'error: no'; exit 99; }"
    script = f"{fails}\n{_BEGIN}\nwhile :; do sleep 0.01; done"
    with pytest.raises(ServerFailed, match="the server at h:2: error: no"):
        measured(script, Concurrency(3), url="h:1,h:2,h:3")


@pytest.mark.parametrize(
    ("line", "kind", "sentence"),
    [
        (
            "error: failed to get model metadata: Request for unknown model: 'x' is not found",
            ServerUnavailable,
            "the server at h:1 runs but its model 'x' is not loaded",
        ),
        (
            "error: failed to get model metadata: failed to connect; last error: UNKNOWN: ipv4: Connection refused",
            ServerUnavailable,
            "the server at h:1 cannot be reached (Connection refused)",
        ),
        (
            "perf_analyzer: error while loading shared libraries: libb64.so.0d: cannot open shared object file",
            LoadTestUnavailable,
            "a load test needs the library libb64.so.0d, which nvidia-pytriton brings",
        ),
        ("error: something new", ServerFailed, "perf_analyzer could not load the server at h:1: error: something new"),
    ],
)
def test_a_load_that_never_began_is_one_sentence(
    measured: Callable[..., Measurement], line: str, kind: type[EspalierError], sentence: str
) -> None:
    with pytest.raises(kind) as error:
        measured(f'echo "{line}" >&2; exit 99')
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


def test_a_run_without_a_record_is_an_error_and_not_an_empty_result(measured: Callable[..., Measurement]) -> None:
    with pytest.raises(ServerFailed, match="Segmentation fault"):
        measured(f"{_BEGIN}\necho Segmentation fault")


@pytest.mark.parametrize(
    ("url", "protocol", "seconds", "sentence"),
    [
        ("h:1", "http", 1.0, "not an address for a load over http"),
        ("http://h:1", "stream", 1.0, "not an address for a load over stream"),
        ("h:1", "grpc", 0.0, "0 s after 2 s of warm-up cannot be measured"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_runs(
    url: str, protocol: Protocol, seconds: float, sentence: str
) -> None:
    with pytest.raises(RequestRejected, match=sentence):
        measure(url, "nlu", Path("inputs.json"), Concurrency(1), protocol, seconds)
