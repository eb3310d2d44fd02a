"""What the processes of a server have counted, for /state: read from the files of prometheus_client."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.samples import Sample

from build_tools.repository.registry import Registry
from build_tools.repository.replica_state import CandidateCounts

_INFERENCES = {"infer", "generate", "generate_stream", "ModelInfer", "ModelStreamInfer"}
_GOOD = {"ok", "cancelled"}
_REQUESTS = "espalier_gate_requests_total"
_TEXTS, _ERRORS = "espalier_texts_total", "espalier_errors_total"
# Of candidates: without requests that the live version could not have answered either.
_CANDIDATE_ANSWERS, _CANDIDATE_ERRORS = "espalier_candidate_answers_total", "espalier_candidate_errors_total"
_CALLS, _SECONDS = "espalier_branch_seconds_count", "espalier_branch_seconds_sum"
_DISTINCT, _LABELS = "espalier_canary_texts_total", "espalier_canary_labels_total"
_DROPPED = "espalier_canary_dropped"

_Version = tuple[str, int]  # task, version


@dataclass(frozen=True)
class Counted:
    """requests: inferences that the gate has taken. errors: those refused or failed. counts: as in ReplicaState."""

    requests: int = 0
    errors: int = 0
    counts: dict[str, dict[int, CandidateCounts]] = field(default_factory=dict)


def read_counted(folder: Path, registry: Registry | None) -> Counted:
    """Reads the folder of prometheus_client's multiprocess mode. registry: counts of the versions that it asks for."""
    families = list(MultiProcessCollector(CollectorRegistry(), str(folder)).collect())
    requests = errors = 0
    for sample in _samples(families, _REQUESTS):
        if sample.labels["method"] in _INFERENCES:
            requests += int(sample.value)
            errors += int(sample.value) if sample.labels["code"] not in _GOOD else 0
    return Counted(requests, errors, _counts(families, registry) if registry else {})


def _counts(families: Iterable[Metric], registry: Registry) -> dict[str, dict[int, CandidateCounts]]:
    texts, errors = _by_version(families, _TEXTS), _by_version(families, _ERRORS)
    candidate_answers, candidate_errors = (
        _by_version(families, _CANDIDATE_ANSWERS),
        _by_version(families, _CANDIDATE_ERRORS),
    )
    calls, seconds = _by_version(families, _CALLS), _by_version(families, _SECONDS)
    dropped, distinct = _by_version(families, _DROPPED), _by_version(families, _DISTINCT)
    labels: dict[_Version, dict[str, int]] = defaultdict(dict)
    for sample in _samples(families, _LABELS):
        labels[_version(sample)][sample.labels["label"]] = int(sample.value)
    counts: dict[str, dict[int, CandidateCounts]] = {}
    for task, entry in registry.tasks.items():
        for number in entry.wanted:
            one = task, number
            is_candidate = number == entry.candidate
            failed = candidate_errors[one] if is_candidate else errors[one]
            counts.setdefault(task, {})[number] = CandidateCounts(
                answers=int(candidate_answers[one] if is_candidate else texts[one] - failed),
                errors=int(failed),
                calls=int(calls[one]),
                seconds=seconds[one],
                dropped=dropped[one] > 0,
                texts=int(distinct[one]),
                labels=labels[one],
            )
    return counts


def _by_version(families: Iterable[Metric], name: str) -> dict[_Version, float]:
    sums: dict[_Version, float] = defaultdict(float)
    for sample in _samples(families, name):
        sums[_version(sample)] += sample.value
    return sums


def _version(sample: Sample) -> _Version:
    return sample.labels["task"], int(sample.labels["version"])


def _samples(families: Iterable[Metric], name: str) -> Iterable[Sample]:
    return (sample for family in families for sample in family.samples if sample.name == name)
