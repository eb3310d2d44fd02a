"""What the processes of a server have counted, for /state: read from the files of prometheus_client."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry
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

_Samples = dict[str, list[Sample]]  # by the name of the metric
_Version = tuple[str, int]  # task, version


@dataclass(frozen=True)
class Counted:
    """requests: inferences that the gate has taken. errors: those refused or failed. counts: as in ReplicaState."""

    requests: int = 0
    errors: int = 0
    counts: dict[str, dict[int, CandidateCounts]] = field(default_factory=dict)


def read_counted(folder: Path, registry: Registry | None) -> Counted:
    """Reads the folder of prometheus_client's multiprocess mode. registry: counts of the versions that it asks for."""
    samples: _Samples = defaultdict(list)
    for family in MultiProcessCollector(CollectorRegistry(), str(folder)).collect():
        for sample in family.samples:
            samples[sample.name].append(sample)
    requests = errors = 0
    for sample in samples[_REQUESTS]:
        if sample.labels["method"] in _INFERENCES:
            requests += int(sample.value)
            errors += int(sample.value) if sample.labels["code"] not in _GOOD else 0
    return Counted(requests, errors, _counts(samples, registry) if registry else {})


def _counts(samples: _Samples, registry: Registry) -> dict[str, dict[int, CandidateCounts]]:
    def by_version(name: str) -> dict[_Version, float]:
        sums: dict[_Version, float] = defaultdict(float)
        for sample in samples[name]:
            sums[_version(sample)] += sample.value
        return sums

    texts, errors = by_version(_TEXTS), by_version(_ERRORS)
    candidate_answers, candidate_errors = by_version(_CANDIDATE_ANSWERS), by_version(_CANDIDATE_ERRORS)
    calls, seconds = by_version(_CALLS), by_version(_SECONDS)
    dropped, distinct = by_version(_DROPPED), by_version(_DISTINCT)
    labels: dict[_Version, dict[str, int]] = defaultdict(dict)
    for sample in samples[_LABELS]:
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


def _version(sample: Sample) -> _Version:
    return sample.labels["task"], int(sample.labels["version"])
