"""perf_analyzer's record of every request, read for the stretch that counts."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clients.errors import ServerFailed

_NS_PER_MS = 1e6
_NS_PER_S = 1e9


@dataclass(frozen=True)
class Profile:
    """The N requests whose last answer came within the stretch.

    last: float [N], milliseconds from sending a request to its last answer.
    first: float [N], to its first answer that is not an error; NaN if all are errors.
    task_errors: the router's message for each task of each request that could not answer.
    """

    last: np.ndarray
    first: np.ndarray
    task_errors: list[str]


def read_profile(export: Path, start: float, end: float) -> Profile:
    """Reads the requests from `start` to `end`, in seconds of the system clock, of an export of perf_analyzer 2.50.

    Raises ServerFailed if it is not such an export.
    """
    try:
        # Tensors of several strings hold their lengths as raw bytes, which are not always UTF-8.
        experiments = json.loads(export.read_bytes().decode("utf-8", errors="replace"))["experiments"]
        requests = [request for experiment in experiments for request in experiment["requests"]]
        return _profile(requests, start * _NS_PER_S, end * _NS_PER_S)
    except (ValueError, LookupError, TypeError) as error:
        raise ServerFailed(f"perf_analyzer's record of the requests cannot be read ({error})") from None


def _profile(requests: Sequence[Mapping[str, Any]], start_ns: float, end_ns: float) -> Profile:
    last, first, errors = [], [], []
    for request in requests:
        answers = list(_answers(request))
        if not answers or not start_ns <= answers[-1][0] <= end_ns:
            continue
        sent = request["timestamp"]
        last.append((answers[-1][0] - sent) / _NS_PER_MS)
        first_ns = float("nan")
        for received, outputs in answers:
            asked, failed = _tasks(outputs)
            errors += failed
            # The refusal of a pair task comes before anything is computed: that is not the first answer.
            if np.isnan(first_ns) and (not failed or len(failed) < asked):
                first_ns = received - sent
        first.append(first_ns / _NS_PER_MS)
    return Profile(np.array(last, dtype=float), np.array(first, dtype=float), errors)


def _answers(request: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Time and outputs of each response, without the empty one that only carries a stream's final flag."""
    for received, outputs in zip(request["response_timestamps"], request["response_outputs"], strict=True):
        if any(output != "" for output in outputs.values()):
            yield received, outputs


def _tasks(outputs: Mapping[str, Any]) -> tuple[int, list[str]]:
    """How many tasks the router's JSON holds, and the sentences of those that failed; for other models (0, [])."""
    result = outputs.get("result")
    if not isinstance(result, str) or '"error"' not in result:  # the second spares most rows the parsing
        return 0, []
    tasks = json.loads(result)["tasks"]
    return len(tasks), [answer["error"] for answer in tasks.values() if "error" in answer]
