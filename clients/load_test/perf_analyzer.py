"""Finds perf_analyzer and its libraries, and makes its arguments."""

import os
import shutil
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from clients.address import Address
from clients.credentials import Credentials, system_authorities
from clients.load_test.errors import LoadTestUnavailable
from clients.load_test.load import Load, Rate
from clients.load_test.protocol import Protocol
from clients.proxy import proxy_for

# Libraries that perf_analyzer 2.50 links and few machines have -> their names in the wheel nvidia-pytriton.
_LIBRARIES = {"libb64.so.0d": "libb64-*.so.0d", "libcudart.so.12": "libcudart-*.so.12*"}
_PROXIES = ("grpc_proxy", "https_proxy", "http_proxy", "all_proxy")
_RATE_SENDERS = 16  # threads that share an open loop's schedule


def find_perf_analyzer() -> Path:
    """Returns the program of the running environment, or else the first on PATH.

    Raises LoadTestUnavailable if neither exists.
    """
    beside = Path(sys.executable).with_name("perf_analyzer")
    found = str(beside) if beside.is_file() else shutil.which("perf_analyzer")
    if found is None:
        raise LoadTestUnavailable("perf_analyzer, which tritonclient brings for Linux on x86-64")
    return Path(found)


def environment(address: Address, links: Path, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Returns `inherited` for a run against this address, with a library path to links that it makes in `links`.

    Without nvidia-pytriton it links nothing: the machine may have the libraries, as Triton's SDK container does.
    """
    kept = dict(inherited)
    if proxy_for(address) is None:  # perf_analyzer would send requests for this machine to a proxy
        kept = {name: value for name, value in kept.items() if name.lower() not in _PROXIES}
    try:
        wheel = Path(str(distribution("nvidia-pytriton").locate_file("nvidia_pytriton.libs")))
    except PackageNotFoundError:
        return kept
    for name, mangled in _LIBRARIES.items():
        for library in sorted(wheel.glob(mangled))[:1]:
            (links / name).symlink_to(library)
    path = os.pathsep.join(filter(None, [str(links), inherited.get("LD_LIBRARY_PATH")]))
    return kept | {"LD_LIBRARY_PATH": path}


def arguments(address: Address, model: str, inputs: Path, protocol: Protocol, export: Path) -> list[str]:
    """Returns the arguments for model, address, protocol, input data, and the file that records every request."""
    scheme = "https://" if address.secure and protocol == "http" else ""  # libcurl takes it from the url
    options = ["-m", model, "-u", f"{scheme}{address.target}{address.path}"]
    options += ["-i", "http" if protocol == "http" else "grpc"]
    options += ["--input-data", str(inputs), "--profile-export-file", str(export)]
    return [*options, "--streaming"] if protocol == "stream" else options


def credential_arguments(address: Address, credentials: Credentials) -> list[str]:
    """Returns the arguments for key and certificates. perf_analyzer takes a key no other way: `ps` shows it."""
    options = [part for name, value in credentials.headers.items() for part in ("-H", f"{name}:{value}")]
    if not address.secure:
        return options
    certificate, key = credentials.certificate or (None, None)
    if address.transport == "http":
        files = {"ca-certificates": credentials.ca, "client-certificate": certificate, "private-key": key}
        names = {what: f"--ssl-https-{what}-file" for what in files}
    else:
        options += ["--ssl-grpc-use-ssl", "true"]
        files = {
            "root-certifications": credentials.ca or system_authorities(),
            "certificate-chain": certificate,
            "private-key": key,
        }
        names = {what: f"--ssl-grpc-{what}-file" for what in files}
    return options + [part for what, file in files.items() if file is not None for part in (names[what], str(file))]


def load_arguments(load: Load, protocol: Protocol, schedule: Path) -> list[str]:
    """Returns the arguments for the senders and their pace. schedule: the file of write_schedule, for a Rate."""
    if isinstance(load, Rate):
        # Without --async all threads would soon wait for answers and the loop would be a closed one.
        return ["--request-intervals", str(schedule), "--max-threads", str(_RATE_SENDERS), "--async"]
    options = ["--concurrency-range", str(load.callers)]
    # A thread for each caller, as blocking calls have anyway: a thread with several callers sends the same text for
    # all of them, and one error stops them all.
    return [*options, "--max-threads", str(load.callers)] if protocol == "stream" else options


def window_arguments(seconds: float) -> list[str]:
    """Returns the arguments for one window that covers the whole load of `seconds` and is ended from outside.

    By itself perf_analyzer measures one window after another until three agree.
    """
    # A window lasts 1.2 times the interval that it is given. --max-trials ends the run even if nobody stops it.
    return ["--measurement-interval", str(round(seconds / 1.2 * 1000)), "--max-trials", "3"]
