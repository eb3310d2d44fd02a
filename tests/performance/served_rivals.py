"""Rivals (b), (c) and (d): one round of each, on a server that is started for it and stopped after it.

All at once would not fit into memory, and what is restarted in each round has no luck of a single start.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from memory import GIB, available, guarded, model_pss, tree_pss
from repositories import NAIVE
from served import SINGLE_SATURATING_TOKENS, Press, token_counts
from suite import Suite
from tqdm import tqdm

from build_tools.serving.triton.server import TritonServer

START_SECONDS = 400.0  # many whole encoders on few cores take minutes
PROBE = 2  # encoders from whose memory that of all is told beforehand

Figures = dict[str, dict[str, float]]  # kind of texts -> figure -> value


@dataclass(frozen=True)
class Single:
    """Single-task serving's figures, with `encoders` of the tasks' encoders loaded."""

    figures: Figures
    encoders: int


def measure_suite(suite: Suite, presses: Mapping[str, Press], rivals: Sequence[str], bar: tqdm) -> dict[str, Figures]:
    """One round of `nlu` over one graph and over branches apart, and of the naive router: rival -> figures.

    Each has a server of its own: models hold more, the more shapes they have seen, so the second would pay for the
    first. Where several routers are loaded, each one's memory is told without the others' processes.
    """
    found: dict[str, Figures] = {}
    for rival in rivals:
        repository = suite.served() if rival == "nlu" else suite.apart()
        model, others = (NAIVE, ("nlu", "nlu_stream")) if rival == "naive" else ("nlu", (NAIVE,))
        with (
            tempfile.TemporaryDirectory(prefix="espalier-bench-") as counts,
            TritonServer(repository, startup_timeout=START_SECONDS, metrics=Path(counts)) as server,
        ):
            found[rival] = {}
            for tokens, press in presses.items():
                bar.set_description(f"{rival}, {tokens} tokens")
                before = token_counts(Path(counts), model)
                figures = press.saturate(server, model)
                after = token_counts(Path(counts), model)
                if after[0] > before[0]:
                    figures["padding"] = (after[1] - before[1]) / (after[0] - before[0])
                figures["pss"] = tree_pss(server.pid, others)
                found[rival][tokens] = figures | press.one_caller(server, model)
                bar.update()
            if rival == "nlu":
                _add_what_only_nlu_has(suite, presses, server, found[rival], bar)
    if "nlu" in found:
        _add_one_task_outside(suite, presses, found["nlu"], bar)
    return found


def _add_one_task_outside(suite: Suite, presses: Mapping[str, Press], found: Figures, bar: tqdm) -> None:
    """Texts/s after a publish: the task of `one_task` runs as a branch model beside the fused graph."""
    with TritonServer(suite.served(outside=[suite.one_task]), startup_timeout=START_SECONDS) as server:
        for tokens, press in presses.items():
            bar.set_description(f"nlu, {tokens} tokens: one task outside")
            found[tokens]["outside_texts_per_second"] = press.saturate(server, "nlu")["texts_per_second"]
            bar.update()


def _add_what_only_nlu_has(
    suite: Suite, presses: Mapping[str, Press], server: TritonServer, found: Figures, bar: tqdm
) -> None:
    """Streams, latency below saturation, and one task beside the others and alone.

    An idle server takes no processor time, so the one task's own server may run beside.
    """
    with TritonServer(suite.one_alone()) as single:
        for tokens, press in presses.items():
            bar.set_description(f"nlu, {tokens} tokens: one task, streams, 70 % load")
            figures, one = found[tokens], [suite.one_task]
            figures |= press.stream(server)
            figures |= press.below_saturation(server, figures["texts_per_second"])
            figures["one_loaded_p50_ms"] = press.one_caller(server, "nlu", one)["p50_ms"]
            figures["one_alone_p50_ms"] = press.one_caller(single, "nlu", one)["p50_ms"]
            bar.update()


def measure_single(suite: Suite, presses: Mapping[str, Press], encoders: int | None, bar: tqdm) -> Single:
    """One round of single-task serving, with `encoders` loaded, or with as many as the memory holds.

    With fewer than the tasks, all figures are scaled to all: work and encoders' memory grow by one encoder a task.
    """
    encoders = encoders or _fitting(suite, bar)
    while True:
        bar.set_description(f"single: {encoders} encoders")
        server = TritonServer(suite.single_task(encoders), startup_timeout=START_SECONDS)
        with guarded(server) as killed:
            try:
                with server:
                    return Single(_figures(suite, presses, server, encoders, bar), encoders)
            except Exception:
                # Whatever broke off, broke off because the server was killed.
                if not killed.is_set() or encoders == 1:
                    raise
        encoders -= 1


def _figures(suite: Suite, presses: Mapping[str, Press], server: TritonServer, encoders: int, bar: tqdm) -> Figures:
    scale = len(suite.tasks) / encoders
    asked = suite.tasks[:encoders]
    found: Figures = {}
    for tokens, press in presses.items():
        bar.set_description(f"single, {tokens} tokens")
        saturated = press.saturate(server, "nlu", asked, SINGLE_SATURATING_TOKENS)
        latency = press.one_caller(server, "nlu", asked)
        own = sum(model_pss(server.pid, "branch_"))
        found[tokens] = {
            "texts_per_second": saturated["texts_per_second"] / scale,
            "p50_ms": latency["p50_ms"] * scale,
            "p99_ms": latency["p99_ms"] * scale,
            "pss": tree_pss(server.pid) + own * (scale - 1),
        }
        bar.update()
    return found


def _fitting(suite: Suite, bar: tqdm) -> int:
    """How many encoders the memory will hold, from that of a few; at least one."""
    count = len(suite.tasks)
    if count <= PROBE:
        return count
    bar.set_description("single: memory of one encoder")
    free = available()
    with TritonServer(suite.single_task(PROBE), startup_timeout=START_SECONDS) as server:
        each = max(model_pss(server.pid, "branch_"))
        rest = tree_pss(server.pid) - PROBE * each
    return max(1, min(count, int((free - GIB - rest) // each)))
