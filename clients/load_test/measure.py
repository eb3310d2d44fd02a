"""One load on one model of a running server."""

import math
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

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
from clients.load_test.process import SLACK_SECONDS, Ended, Run, run_bounded
from clients.load_test.profile import read_profile
from clients.load_test.protocol import Protocol, addresses_for
from clients.load_test.schedule import write_schedules
from espalier_errors import EspalierError

_EXPORT = "profile.json"
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

    url: host[:port], or http://host[:port] for the protocol "http"; grpcs:// and https:// over TLS. Several servers
        with commas between them share the load. Key and certificates are those of the environment, as on the command
        line. A decoupled model needs "stream", others cannot have it.

    It takes about one second more than that, and up to 30 more if the last answers are slow.
    The result counts the requests that fail. Raises ServerUnavailable, RequestRejected or LoadTestUnavailable if
    nothing could be sent: because of server or model, an argument, or a missing package.
    """
    addresses = addresses_for(protocol, url)
    if not (0 < seconds < math.inf and 0 <= warm_up_seconds < math.inf):
        raise RequestRejected(
            f"{seconds:g} s after {warm_up_seconds:g} s of warm-up cannot be measured: give more than 0"
        )
    load_seconds = warm_up_seconds + seconds
    with tempfile.TemporaryDirectory(prefix="espalier-load-test-") as name:
        loads: Sequence[Load] = load.among(len(addresses))
        folders = [Path(name) / str(number) for number in range(len(loads))]
        for folder in folders:
            (folder / "links").mkdir(parents=True)
        if isinstance(load, Rate):
            write_schedules(load, (warm_up_seconds, seconds), [folder / "schedule" for folder in folders])
        runs = [
            _run(address, model, inputs, share, protocol, load_seconds, folder)
            for address, share, folder in zip(addresses, loads, folders, strict=False)  # few callers: not all servers
        ]
        ended = run_bounded(runs, load_seconds)
        places = list(zip(addresses, ended, folders, strict=False))
        failed = [place for place in places if place[1].began is None]  # the first is why the others were ended
        failed = failed or [place for place in places if not (place[2] / _EXPORT).is_file()]
        if failed:
            raise _why_nothing(failed[0][0], failed[0][1])
        # perf_analyzer stamps requests with the same system clock.
        start = max(one.began or 0.0 for one in ended) + warm_up_seconds
        profiles = [read_profile(folder / _EXPORT, start, start + seconds) for folder in folders]
    last = np.concatenate([profile.last for profile in profiles])
    failures = [sentence for one in ended for sentence in one.failures]
    task_errors = [sentence for profile in profiles for sentence in profile.task_errors]
    return Measurement(
        protocol=protocol,
        model=model,
        load=load,
        seconds=seconds,
        requests=len(last),
        latency=latency_of(last),
        first=latency_of(np.concatenate([one.first for one in profiles])) if protocol == "stream" else None,
        failed=len(failures),
        failure=_commonest(failures),
        unanswered=any(one.unanswered for one in ended),
        task_errors=len(task_errors),
        task_error=_commonest(task_errors),
    )


def _run(
    address: Address, model: str, inputs: Path, load: Load, protocol: Protocol, load_seconds: float, folder: Path
) -> Run:
    command = [
        str(find_perf_analyzer()),
        *arguments(address, model, inputs, protocol, folder / _EXPORT),
        *credential_arguments(address, Credentials.of_command_line(address)),
        *load_arguments(load, protocol, folder / "schedule"),
        *window_arguments(load_seconds + SLACK_SECONDS),
    ]
    return Run(command, environment(address, folder / "links"), folder / "perf_analyzer.log")


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
