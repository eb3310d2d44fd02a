"""Rival (a): the graphs without a server."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from bare import layouts
from errors import BenchError

PROGRAM = Path(__file__).with_name("bare.py")
BATCHES = (1, 8, 32, 64)
MOST_TOKENS = 1024  # of a batch: more brings no speed, and one takes many seconds


@dataclass(frozen=True)
class Choice:
    """The layout and batch size that were best."""

    layout: str
    batch: int


class BareRival:
    """Chooses layout and batch size for each kind of texts, and measures these again in every round."""

    def __init__(
        self,
        repository: Path,
        tasks: Sequence[str],
        sequences: Mapping[str, list[list[int]]],
        tried: list[dict[str, Any]],
    ) -> None:
        """repository: compacted, so that it holds the graphs apart and as one. sequences: for each kind of texts their
        token ids. tried: what an earlier run has tried, or empty.
        """
        self._repository = repository
        self._tasks = list(tasks)
        self._sequences = sequences
        self._tried = tried

    def choose(self, seconds: float) -> None:
        """Tries every layout and batch size. What is found here counts for nothing else: best of many is too good."""
        for name, layout in layouts().items():
            wanted = [
                (tokens, batch)
                for tokens, sequences in self._sequences.items()
                for batch in BATCHES
                if batch * fmean(map(len, sequences)) <= MOST_TOKENS
            ]
            for (tokens, batch), result in zip(wanted, self._run(name, wanted, seconds, sampled=True), strict=True):
                alone = layout.batches_at_once == 1
                self._tried.append({"layout": name, "alone": alone, "tokens": tokens, "batch": batch, **result})

    def saturated(self, tokens: str) -> Choice:
        """The most texts a second."""
        found = max(
            (try_ for try_ in self._tried if try_["tokens"] == tokens), key=lambda try_: try_["texts_per_second"]
        )
        return Choice(found["layout"], found["batch"])

    def quickest(self, tokens: str) -> Choice:
        """The shortest time for one text."""
        ones = (try_ for try_ in self._tried if try_["tokens"] == tokens and try_["batch"] == 1 and try_["alone"])
        return Choice(min(ones, key=lambda try_: try_["p50_ms"])["layout"], 1)

    def measure(self, seconds: float) -> dict[str, dict[str, float]]:
        """One round: for each kind of texts texts_per_second, p50_ms, p99_ms and pss."""
        wanted = {tokens: (self.saturated(tokens), self.quickest(tokens)) for tokens in self._sequences}
        results: dict[tuple[str, Choice], dict[str, float]] = {}
        for name in layouts():
            jobs = sorted({(tokens, choice) for tokens, pair in wanted.items() for choice in pair}, key=str)
            jobs = [(tokens, choice) for tokens, choice in jobs if choice.layout == name]
            if jobs:
                found = self._run(name, [(tokens, choice.batch) for tokens, choice in jobs], seconds, sampled=False)
                results |= dict(zip(jobs, found, strict=True))
        return {
            tokens: {
                "texts_per_second": results[tokens, full]["texts_per_second"],
                "p50_ms": results[tokens, quick]["p50_ms"],
                "p99_ms": results[tokens, quick]["p99_ms"],
                "pss": results[tokens, full]["pss"],
            }
            for tokens, (full, quick) in wanted.items()
        }

    def _run(
        self, layout: str, jobs: Sequence[tuple[str, int]], seconds: float, sampled: bool
    ) -> list[dict[str, float]]:
        spec = {
            "repository": str(self._repository),
            "tasks": self._tasks,
            "layout": layout,
            "jobs": [
                {"sequences": self._sequences[tokens], "batch": batch, "seconds": seconds, "sampled": sampled}
                for tokens, batch in jobs
            ],
        }
        with tempfile.TemporaryDirectory(prefix="espalier-bench-") as folder:
            file, result = Path(folder, "spec.json"), Path(folder, "result.json")
            file.write_text(json.dumps(spec), encoding="utf-8")
            ended = subprocess.run(
                [sys.executable, str(PROGRAM), str(file), str(result)], capture_output=True, text=True, check=False
            )
            if ended.returncode:
                raise BenchError(f"the graphs without a server failed ({ended.returncode}):\n{ended.stderr[-2000:]}")
            return list(json.loads(result.read_text(encoding="utf-8")))
