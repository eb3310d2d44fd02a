from collections.abc import Callable
from pathlib import Path

import pytest

from clients.load_test.load import Concurrency, Load
from clients.load_test.measurement import Latency, Measurement
from clients.load_test.protocol import MODELS, Protocol


@pytest.fixture
def point() -> Callable[..., Measurement]:
    """Makes a measurement of which a test says only what it needs."""

    def make(
        protocol: Protocol = "grpc", load: Load | None = None, requests: int = 50, p50: float = 20.0, **rest: object
    ) -> Measurement:
        latency = Latency(p50 * 1.1, p50, p50 * 1.5, p50 * 2, p50 * 3) if requests else None
        fields: dict[str, object] = {
            "seconds": 5.0,
            "first": None,
            "failed": 0,
            "failure": "",
            "unanswered": False,
            "task_errors": 0,
            "task_error": "",
        }
        return Measurement(
            protocol=protocol,
            model=MODELS[protocol],
            load=load or Concurrency(1),
            requests=requests,
            latency=latency,
            **fields | rest,
        )

    return make


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a shell script that stands in for perf_analyzer."""

    def make(script: str) -> Path:
        file = tmp_path / "perf_analyzer"
        file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        file.chmod(0o755)
        return file

    return make
