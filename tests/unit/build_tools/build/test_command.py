from pathlib import Path

import pytest
from typer.testing import CliRunner

from build_tools.build import builder, suite_checkpoints
from build_tools.cli import app
from build_tools.repository.precision import Precision
from build_tools.repository.registry import Registry
from build_tools.repository.runtime import Runtime


@pytest.fixture
def built(monkeypatch):
    """What the verb hands to the builder."""
    built = []

    def build(*given, **_):
        built.append(given)
        return Registry(runtime=given[3], trunks={}, tasks={})

    monkeypatch.setattr(builder, "build", build)
    monkeypatch.setattr(suite_checkpoints, "checkpoint_folders", list)
    return built


def test_build_is_in_fp32_and_without_data_unless_asked(built):
    assert CliRunner().invoke(app, ["build", "one"]).exit_code == 0

    assert built == [
        ([Path("one")], Path("model_repository"), None, Runtime.OPENVINO, Precision.FP32, None, None, False)
    ]


def test_build_hands_on_all_that_is_asked_for(built):
    given = ["build", "one", "--repository", "r", "--runtime", "onnxruntime", "--precision", "auto", "--data", "d"]
    given += ["--router-instances", "3", "--compact"]
    assert CliRunner().invoke(app, given).exit_code == 0

    assert built == [([Path("one")], Path("r"), None, Runtime.ONNXRUNTIME, Precision.AUTO, Path("d"), 3, True)]


def test_for_a_gpu_the_defaults_are_what_a_gpu_runs(built):
    assert CliRunner().invoke(app, ["build", "one", "--device", "gpu"]).exit_code == 0
    assert CliRunner().invoke(app, ["build", "one", "--device", "gpu", "--precision", "fp32"]).exit_code == 0

    assert [given[3:5] for given in built] == [
        (Runtime.ONNXRUNTIME, Precision.FP16),
        (Runtime.ONNXRUNTIME, Precision.FP32),
    ]


def test_an_unknown_precision_is_refused_with_those_there_are(built):
    result = CliRunner().invoke(app, ["build", "one", "--precision", "fp8"])

    assert result.exit_code == 2
    assert all(name in result.output for name in Precision)
    assert built == []
