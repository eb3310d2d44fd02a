"""The versions of each task, their origin, and how they perform."""

from collections.abc import Container, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from build_tools.errors import BuildError
from build_tools.publishing.candidate_counts import candidate_counts
from build_tools.publishing.costs import branch_milliseconds, trunk_milliseconds
from build_tools.publishing.metrics_page import MetricsPage
from build_tools.publishing.pace import ERRORS, TEXTS, footprints, paces
from build_tools.publishing.running_server import Calls, RunningServer
from build_tools.publishing.served_answers import silent_versions
from build_tools.repository.audit import last_withdrawals, read_lines
from build_tools.repository.branch_layers import branch_layers
from build_tools.repository.control_key import read_control_key
from build_tools.repository.names import examples_file
from build_tools.repository.registry import FusedEntry, Registry, TaskEntry

_MOST_EXAMPLES = 10
_SECONDS = 2.0  # for the answer to one golden example


class CandidateStatus(BaseModel):
    """A candidate. Counts are None if no server was asked.

    compared: texts that both a shadow and the live version answered. differing: those with different answers.
    examples: some of the differing ones, as in shadow_<task>.jsonl.
    """

    version: int
    kind: Literal["canary", "shadow"]
    share: float | None = None
    answers: int | None = None
    errors: int | None = None
    compared: int | None = None
    differing: int | None = None
    examples: list[dict[str, Any]] = []


class TaskStatus(BaseModel):
    """A task. requests, errors: calls to the live version. They and `loaded` are None if no server was asked.

    runs_in: the Triton model that computes the live version: its branch model, or a fused graph. With that, `requests`
    are texts that routers asked it for and got an answer to, and `errors` those without one.
    loaded: the versions that the server holds and that answer. silent: {version that it holds: why its golden example
    is not answered}, empty if they were not asked.

    texts_per_second, errors_per_second, p50, p99 (milliseconds of a branch call), processes and memory (bytes): of the
    live version, as pace.py has them; a fused graph's processes are those of no single task. trunk: the model whose
    hidden states the branch reads. layers: of the trunk, below the branch; own_layers: of the branch.
    trunk_milliseconds, milliseconds: what these take for a text, as costs.py has them.
    """

    task: str
    live: int
    previous: int | None
    candidate: CandidateStatus | None
    versions: list[int]
    loaded: list[int] | None
    silent: dict[int, str] = {}
    published_at: datetime
    published_by: str
    data: str
    checkpoint: str
    requests: int | None
    errors: int | None
    withdrawn: str | None
    trunk: str = ""
    runs_in: str = ""
    layers: int | None = None
    own_layers: int | None = None
    trunk_milliseconds: float | None = None
    milliseconds: float | None = None
    texts_per_second: float | None = None
    errors_per_second: float | None = None
    p50: float | None = None
    p99: float | None = None
    processes: int | None = None
    memory: int | None = None


def read_status(
    repository: Path,
    registry: Registry,
    url: str | None,
    page: MetricsPage | None,
    before: MetricsPage | None = None,
    ask: bool = True,
    counts: dict[tuple[str, int], dict[str, int]] | None = None,
) -> list[TaskStatus]:
    """Returns the state of every task, with counts from a server.

    url: host:port of its gRPC endpoint; None asks no server. page, before: its metrics now and a while ago. ask:
    whether each loaded version is asked for a golden example. counts: of candidates, as candidate_counts returns them,
    if there is no page. Raises BuildError if the server does not answer.
    """
    calls: dict[tuple[str, int], Calls] | None = None
    loaded: dict[str, list[int]] | None = None
    silent: dict[str, dict[int, str]] = {}
    if url:
        with RunningServer(url, read_control_key(repository)) as server:
            calls, loaded = server.calls(), server.ready_versions()
            if ask:
                silent = silent_versions(server, repository, registry, loaded, rows=1, seconds=_SECONDS)
    candidates = counts if page is None else candidate_counts(page)
    paced = {} if page is None else paces(page, before)
    held = {} if page is None else footprints(page)
    spent = {} if page is None else branch_milliseconds(page, before)
    trunk_layer = None if page is None else trunk_milliseconds(page, before)
    withdrawals = last_withdrawals(repository)
    found = []
    for task, entry in sorted(registry.tasks.items()):
        live = entry.live_version
        fused = registry.fused_with(task, entry.live)
        counted = None if calls is None else _counted(task, entry, fused, calls, page)
        pace, footprint = paced.get((task, entry.live)), None if fused else held.get(live.model)
        found.append(
            TaskStatus(
                task=task,
                live=entry.live,
                previous=entry.previous,
                candidate=_candidate(repository, task, entry, candidates),
                versions=sorted(map(int, entry.versions)),
                loaded=None if loaded is None else _loaded(task, registry, loaded, silent.get(task, {})),
                silent=silent.get(task, {}),
                published_at=live.origin.published_at,
                published_by=live.origin.published_by,
                data=live.origin.data,
                checkpoint=live.origin.checkpoint,
                requests=counted.answered if counted else None,
                errors=counted.failed if counted else None,
                withdrawn=_withdrawn(withdrawals.get(task)),
                trunk=live.trunk,
                runs_in=fused.model if fused else live.model,
                layers=live.tap,
                own_layers=_own_layers(repository, entry),
                trunk_milliseconds=None if trunk_layer is None else trunk_layer * live.tap,
                milliseconds=spent.get((task, entry.live)),
                texts_per_second=pace.texts if pace else None,
                errors_per_second=pace.errors if pace else None,
                p50=pace.p50 if pace else None,
                p99=pace.p99 if pace else None,
                processes=footprint.processes if footprint else None,
                memory=footprint.memory if footprint else None,
            )
        )
    return found


def _candidate(
    repository: Path, task: str, entry: TaskEntry, candidates: dict[tuple[str, int], dict[str, int]] | None
) -> CandidateStatus | None:
    if entry.candidate is None:
        return None
    counts = None if candidates is None else candidates.get((task, entry.candidate), {})

    def count(name: str) -> int | None:
        return None if counts is None else counts.get(name, 0)

    candidate = CandidateStatus(
        version=entry.candidate,
        kind="canary" if entry.canary else "shadow",
        share=entry.canary.share if entry.canary else None,
        answers=count("candidate_answers"),
        errors=count("candidate_errors"),
    )
    if candidate.kind == "shadow":
        candidate.compared, candidate.differing = count("shadow_compared"), count("shadow_differing")
        candidate.examples = _examples(repository, task, entry.candidate)
    return candidate


def _examples(repository: Path, task: str, version: int) -> list[dict[str, Any]]:
    entries = read_lines(repository / examples_file(task))
    return [entry for entry in entries if entry["version"] == version][:_MOST_EXAMPLES]


def _counted(
    task: str,
    entry: TaskEntry,
    fused: FusedEntry | None,
    calls: Mapping[tuple[str, int], Calls],
    page: MetricsPage | None,
) -> Calls | None:
    """The calls to the live version; in a fused graph the texts that routers asked it for, or None without a page."""
    if fused is None:
        return calls.get((entry.live_version.model, entry.live), Calls(0, 0))
    if page is None:
        return None
    asked, failed = (
        int(page.sums(name, "task", "version").get((task, str(entry.live)), 0.0)) for name in (TEXTS, ERRORS)
    )
    return Calls(asked - failed, failed)


def _own_layers(repository: Path, entry: TaskEntry) -> int | None:
    try:
        return branch_layers(repository, entry.live_version, entry.live)
    except BuildError:  # `espalier verify` says what is wrong with it
        return None


def _loaded(task: str, registry: Registry, loaded: Mapping[str, list[int]], silent: Container[int]) -> list[int]:
    """The versions that the server can compute, alone or in a fused graph."""
    held = []
    for number, version in registry.tasks[task].versions.items():
        fused = registry.fused_with(task, int(number))
        in_graph = fused is not None and fused.version in loaded.get(fused.model, [])
        if in_graph or int(number) in loaded.get(version.model, []):
            held.append(int(number))
    return sorted(number for number in held if number not in silent)


def _withdrawn(line: Mapping[str, Any] | None) -> str | None:
    return f"canary {line['version']} was withdrawn at {line['at']}: {line['reason']}" if line else None
