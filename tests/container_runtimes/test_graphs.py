"""Every graph that `build` wrote, in the runtimes of NVIDIA's container 24.10; nothing else of the project is needed.

REPOSITORIES names model repositories, with a colon between them. See `make test-container-runtimes`.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnxruntime
import openvino
import pytest

REPOSITORIES = [Path(one) for one in os.environ["REPOSITORIES"].split(":")]
TOLERANCE = 2e-5
VERSIONS = {"onnxruntime": "1.19.2", "openvino": "2024.4"}

Graph = Callable[[Mapping[str, np.ndarray], str], np.ndarray]  # inputs, the output's name -> the output


def _onnxruntime(file: Path) -> Graph:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda inputs, output: session.run([output], dict(inputs))[0]


def _openvino(file: Path) -> Graph:
    # The container's backend takes bfloat16 where the CPU has it; the graph itself is compared.
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    model = openvino.Core().compile_model(file, "CPU", settings)
    return lambda inputs, output: model(dict(inputs))[output]


RUNTIMES = {"onnxruntime": _onnxruntime, "openvino": _openvino}


# Graphs that were built for ONNX Runtime have operators of its own.
RUNS_IN = {"onnxruntime": ["onnxruntime"], "openvino": ["openvino", "onnxruntime"]}


def _versions() -> list[tuple[Path, str, str, str]]:
    """(repository, task, version, runtime) of all that is live."""
    found = []
    for repository in REPOSITORIES:
        registry = json.loads((repository / "registry.json").read_text())
        found += [
            (repository, task, str(entry["live"]), runtime)
            for task, entry in registry["tasks"].items()
            for runtime in RUNS_IN[registry["runtime"]]
        ]
    return found


def test_the_runtimes_are_those_of_the_container() -> None:
    assert onnxruntime.__version__ == VERSIONS["onnxruntime"]
    assert openvino.__version__.startswith(VERSIONS["openvino"])


@pytest.mark.parametrize(
    ("repository", "task", "number", "runtime"), _versions(), ids=lambda one: one.name if isinstance(one, Path) else one
)
def test_trunk_and_branch_keep_the_golden_examples(repository: Path, task: str, number: str, runtime: str) -> None:
    version = json.loads((repository / "registry.json").read_text())["tasks"][task]["versions"][number]
    folder = repository / version["model"] / number
    (trunk_file,) = (repository / version["trunk"]).glob("*/model.onnx")
    with np.load(folder / "golden.npz") as arrays:
        golden = dict(arrays)
    inputs = {name: golden[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
    trunk, branch = (RUNTIMES[runtime](file) for file in (trunk_file, folder / "model.onnx"))

    hidden = trunk(inputs, f"hidden_{version['tap']}")
    logits = branch({"hidden": hidden, "attention_mask": inputs["attention_mask"]}, "logits")

    if version["kind"] == "tagging":  # what stands at padding is no answer
        seen = inputs["attention_mask"].astype(bool)
        logits, expected = logits[seen], golden["logits"][seen]
    else:
        expected = golden["logits"]
    assert logits.shape == expected.shape
    assert np.abs(logits - expected).max() <= TOLERANCE
