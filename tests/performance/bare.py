"""The graphs of a repository in one process without a server: `python bare.py SPEC RESULT`, both JSON files.

SPEC: repository, tasks, layout, jobs. RESULT: one object per job, see `measure_job`. A program of its own, so that its
memory is that of this alone and is given back.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from google.protobuf import text_format
from memory import process_pss
from tritonclient.grpc import model_config_pb2 as pb

from build_tools.backends.espalier_backend.load_chain import Compile, load_chain
from build_tools.cores import usable_cores
from build_tools.repository.names import TRUNK, hidden_name, logits_name
from build_tools.repository.registry import read_registry
from build_tools.repository.runtime import Runtime
from build_tools.repository.triton_config import GRAPH_FILE

SAMPLED_BATCHES = 6

Sequences = list[list[int]]


@dataclass(frozen=True)
class Layout:
    """Threads of the trunk and of each branch, branches that compute at once, batches that do.

    merged: trunk and branches are one graph, on the threads of the trunk.
    """

    trunk_threads: int
    branch_threads: int
    branches_at_once: int
    batches_at_once: int
    merged: bool = False


def layouts() -> dict[str, Layout]:
    """The ways to spread the work over the cores."""
    cores = usable_cores()
    return {
        "one call after the other": Layout(cores, cores, 1, 1),
        "branches at once": Layout(cores, 1, cores, 1),
        "batches at once": Layout(1, 1, 1, cores),
        "merged, one call after the other": Layout(cores, cores, 1, 1, merged=True),
        "merged, batches at once": Layout(1, 1, 1, cores, merged=True),
    }


class Graphs:
    """Trunk and branches, compiled as the repository's configs say but for the threads."""

    def __init__(self, repository: Path, tasks: Sequence[str], layout: Layout) -> None:
        registry = read_registry(repository)
        compile_segment = _compile(registry.runtime)
        self._taps: dict[str, int] = {}
        self._branches = {}
        for task in tasks:
            entry = registry.tasks[task]
            self._taps[task] = entry.live_version.tap
            model = repository / entry.live_version.model
            parameters = _parameters(model) | _threads(layout.branch_threads, layout.batches_at_once)
            file = model / str(entry.live) / GRAPH_FILE
            self._branches[task] = load_chain(file, ["logits"], parameters, compile_segment)
        self._outputs = [hidden_name(tap) for tap in sorted(set(self._taps.values()))]
        trunk = repository / TRUNK
        parameters = _parameters(trunk) | _threads(layout.trunk_threads, layout.batches_at_once)
        file = trunk / str(registry.trunks[TRUNK].version) / GRAPH_FILE
        outputs = [hidden_name(tap) for tap in registry.trunks[TRUNK].taps]
        self._trunk = load_chain(file, outputs, parameters, compile_segment)
        at_once = layout.branches_at_once
        self._pool = ThreadPoolExecutor(at_once) if at_once > 1 else None

    def compute(self, batch: Mapping[str, np.ndarray]) -> None:
        """All tasks for one batch."""
        states = self._trunk.run(batch, self._outputs)

        def branch(task: str) -> None:
            inputs = {"hidden": states[hidden_name(self._taps[task])], "attention_mask": batch["attention_mask"]}
            self._branches[task].run(inputs, ["logits"])

        list((self._pool.map if self._pool else map)(branch, self._branches))


class MergedGraph:
    """The fused graph of a compacted repository, all of it compiled as one, as no router needs to ask for its rows."""

    def __init__(self, repository: Path, tasks: Sequence[str], layout: Layout) -> None:
        registry = read_registry(repository)
        fused = registry.trunks[TRUNK].fused
        assert fused is not None
        model = repository / fused.model
        parameters = _parameters(model) | _threads(layout.trunk_threads, layout.batches_at_once)
        outputs = [logits_name(task) for task in tasks]
        self._graph = _compile(registry.runtime)(model / str(fused.version) / GRAPH_FILE, outputs, parameters)

    def compute(self, batch: Mapping[str, np.ndarray]) -> None:
        """All tasks for one batch."""
        self._graph(batch)


def measure_job(
    graphs: Graphs | MergedGraph, batches_at_once: int, sequences: Sequences, batch: int, seconds: float, sampled: bool
) -> dict[str, float]:
    """texts_per_second, milliseconds of one batch (p50_ms, p99_ms) and pss in bytes, in batches of this size.

    Runs until `seconds` have passed and, where lengths differ, every batch has had the same number of turns: a part of
    the lengths would not be the mix. Batches of 1 are exempt, for any sample of them is fair.

    sampled: takes some batches only, short and long ones; quicker, and good enough to compare batch sizes.
    """
    made = batches_of(sequences, batch)
    if len({len(sequence) for sequence in sequences}) == 1:
        made = made[:batches_at_once]
    elif sampled:
        step = max(1, len(made) // SAMPLED_BATCHES)
        made = made[step // 2 :: step]
    for arrays in {arrays["input_ids"].shape: arrays for arrays in made}.values():  # prepares the kernels of each shape
        graphs.compute(arrays)
    times: list[float] = []
    feed = _Feed(made, seconds, whole=batch > 1)

    def work(_: int) -> int:
        texts = 0
        for arrays in feed:
            began = time.perf_counter()
            graphs.compute(arrays)
            times.append(time.perf_counter() - began)
            texts += len(arrays["input_ids"])
        return texts

    began = time.perf_counter()
    if batches_at_once == 1:
        texts = work(0)
    else:
        with ThreadPoolExecutor(batches_at_once) as pool:
            texts = sum(pool.map(work, range(batches_at_once)))
    passed = time.perf_counter() - began
    p50, p99 = np.percentile(times, (50, 99)) * 1000
    return {
        "texts_per_second": texts / passed,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "pss": process_pss(os.getpid()),
    }


class _Feed:
    """Hands out the batches again and again, to several threads, until the time is over."""

    def __init__(self, batches: list[dict[str, np.ndarray]], seconds: float, whole: bool) -> None:
        self._batches = batches
        self._end = time.perf_counter() + seconds
        self._whole = whole
        self._next = 0
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        while True:
            with self._lock:
                turn = self._next % len(self._batches)
                if time.perf_counter() > self._end and self._next and (turn == 0 or not self._whole):
                    return
                self._next += 1
            yield self._batches[turn]


def batches_of(sequences: Sequences, size: int) -> list[dict[str, np.ndarray]]:
    """Batches of like length; a batch of 1 stands in the given, mixed order."""
    ordered = sequences if size == 1 else sorted(sequences, key=len)
    return [_padded(ordered[start : start + size]) for start in range(0, len(ordered), size)]


def _padded(sequences: Sequences) -> dict[str, np.ndarray]:
    length = max(map(len, sequences))
    ids = np.zeros((len(sequences), length), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def _parameters(model: Path) -> dict[str, str]:
    config = text_format.Parse((model / "config.pbtxt").read_text(encoding="utf-8"), pb.ModelConfig())
    return {name: value.string_value for name, value in config.parameters.items()}


def _threads(threads: int, batches_at_once: int) -> dict[str, str]:
    # OpenVINO counts the threads of all streams together, and one stream computes one batch at a time.
    return {
        "INFERENCE_NUM_THREADS": str(threads * batches_at_once),
        "NUM_STREAMS": str(batches_at_once),
        "intra_op_thread_count": str(threads),
    }


def _compile(runtime: Runtime) -> Compile:
    if runtime is Runtime.OPENVINO:
        from build_tools.backends.espalier_backend.openvino_segment import OpenVINOSegment

        return OpenVINOSegment
    from build_tools.backends.espalier_backend.onnxruntime_segment import OnnxRuntimeSegment

    return OnnxRuntimeSegment


if __name__ == "__main__":
    spec = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    chosen = layouts()[spec["layout"]]
    load = MergedGraph if chosen.merged else Graphs
    loaded = load(Path(spec["repository"]), spec["tasks"], chosen)
    results = [measure_job(loaded, chosen.batches_at_once, **job) for job in spec["jobs"]]
    Path(sys.argv[2]).write_text(json.dumps(results), encoding="utf-8")
