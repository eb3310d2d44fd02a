"""One load on one model of a running server."""

import math
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from clients import failure
from clients.address import Address
from clients.credentials import Credentials
from clients.errors import RequestRejected, ServerFailed
from clients.load_test.errors import LoadTestUnavailable
from clients.load_test.load import Load, Rate
from clients.load_test.measurement import Measurement, latency_of
from clients.load_test.perf_analyzer import (
    arguments,
    credential_arguments,
    environment,
    find_perf_analyzer,
    load_arguments,
    window_arguments,
)
from clients.load_test.process import SLACK_SECONDS, Ended, run_bounded
from clients.load_test.profile import read_profile
from clients.load_test.protocol import Protocol, address_for
from clients.load_test.schedule import write_schedule
from espalier_errors import EspalierError

_LIBRARY_MISSING = re.compile(r"error while loading shared libraries: ([^:]+):")
_NO_METADATA = re.compile(r"failed to get model metadata: (.*)")


def measure(
    url: str,
    model: str,
    inputs: Path,
    load: Load,
    protocol: Protocol,
    seconds: float = 10.0,
    warm_up_seconds: float = 2.0,
) -> Measurement:
    """Loads `model` with the texts of `inputs` (see prepare_inputs) and measures `seconds` after the warm-up.

    url: host[:port], or http://host[:port] for the protocol "http"; grpcs:// and https:// over TLS. Key and
        certificates are those of the environment, as on the command line. A decoupled model needs "stream", others
        cannot have it.

    It takes about one second more than that, and up to 30 more if the last answers are slow.
    The result counts the requests that fail. Raises ServerUnavailable, RequestRejected or LoadTestUnavailable if
    nothing could be sent: because of server or model, an argument, or a missing package.
    """
    address = address_for(protocol, url)
    if not (0 < seconds < math.inf and 0 <= warm_up_seconds < math.inf):
        raise RequestRejected(
            f"{seconds:g} s after {warm_up_seconds:g} s of warm-up cannot be measured: give more than 0"
        )
    load_seconds = warm_up_seconds + seconds
    with tempfile.TemporaryDirectory(prefix="espalier-load-test-") as name:
        folder = Path(name)
        export, schedule, links = folder / "profile.json", folder / "schedule", folder / "links"
        links.mkdir()
        if isinstance(load, Rate):
            write_schedule(load, (warm_up_seconds, seconds), schedule)
        command = [
            str(find_perf_analyzer()),
            *arguments(address, model, inputs, protocol, export),
            *credential_arguments(address, Credentials.of_command_line(address)),
            *load_arguments(load, protocol, schedule),
            *window_arguments(load_seconds + SLACK_SECONDS),
        ]
        ended = run_bounded(command, environment(address, links), load_seconds, folder / "perf_analyzer.log")
        if ended.began is None or not export.is_file():
            raise _why_nothing(address, ended)
        # perf_analyzer stamps requests with the same system clock.
        start = ended.began + warm_up_seconds
        profile = read_profile(export, start, start + seconds)
    return Measurement(
        protocol=protocol,
        model=model,
        load=load,
        seconds=seconds,
        requests=len(profile.last),
        latency=latency_of(profile.last),
        first=latency_of(profile.first) if protocol == "stream" else None,
        failed=len(ended.failures),
        failure=_commonest(ended.failures),
        unanswered=ended.unanswered,
        task_errors=len(profile.task_errors),
        task_error=_commonest(profile.task_errors),
    )


def _commonest(sentences: Sequence[str]) -> str:
    return Counter(sentences).most_common(1)[0][0] if sentences else ""


def _why_nothing(address: Address, ended: Ended) -> EspalierError:
    if library := _LIBRARY_MISSING.search(ended.log):
        return LoadTestUnavailable(f"the library {library[1]}, which nvidia-pytriton brings")
    if no_metadata := _NO_METADATA.search(ended.log):
        sentence = no_metadata[1].strip()
        if sentence.startswith("Request for unknown model"):
            return failure.refusal(address.url, sentence, bad_request=False)
        return failure.unreachable(address.url, sentence.rpartition(": ")[2])
    lines = [line.strip() for line in (*ended.failures, *ended.log.splitlines()) if line.strip()]
    last = lines[-1] if lines else "it said nothing"
    return ServerFailed(f"perf_analyzer could not load the server at {address.url}: {last}")
