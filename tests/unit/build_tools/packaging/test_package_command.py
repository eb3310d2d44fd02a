from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from build_tools.artefact.manifest import CarriedTrunk
from build_tools.cli import app
from build_tools.errors import BuildError
from build_tools.repository.precision import Precision
from build_tools.repository.runtime import Runtime


@pytest.fixture
def work(monkeypatch):
    """What the verb hands to the function that does the work, and the trunk that comes along."""
    work = SimpleNamespace(calls=[], trunk=None)

    def package_file(*given, report):
        report("working")
        work.calls.append(given)
        manifest = SimpleNamespace(
            precision=Precision.FP32, runtime=Runtime.OPENVINO, trunk=work.trunk, sha256="0123456789abcdef"
        )
        return SimpleNamespace(record=SimpleNamespace(task="intent", tap=3), manifest=manifest)

    monkeypatch.setattr("build_tools.packaging.package_file.package_file", package_file)
    return work


def _said(*arguments):
    result = CliRunner().invoke(app, ["package", *arguments])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_package_hands_on_what_is_asked_for_and_says_what_it_made(work):
    assert _said("c", "-o", "f") == ["working", "intent: tap 3, fp32 for openvino -> f (0123456789ab)"]
    assert work.calls == [(Path("c"), Path("f"), None, Runtime.OPENVINO, None, None)]

    work.trunk = CarriedTrunk(encoder="e", config={}, taps=[1, 2], fingerprints=["a" * 64] * 3, precision="int8")
    assert "with a trunk with taps 1, 2 -> f" in _said("c", "--output", "f", "--for", "r", "--encoder", "e")[-1]
    assert work.calls[-1][2:] == (Path("r"), Runtime.OPENVINO, None, "e")

    _said("c", "-o", "f", "--runtime", "onnxruntime", "--precision", "auto")
    assert work.calls[-1][2:] == (None, Runtime.ONNXRUNTIME, Precision.AUTO, None)


def test_a_repository_that_says_what_it_runs_and_a_runtime_exclude_each_other(work):
    result = CliRunner().invoke(app, ["package", "c", "-o", "f", "--for", "r", "--runtime", "openvino"])

    assert isinstance(result.exception, BuildError)
    assert work.calls == []
