"""An artefact of an untrained branch, whose graph computes nothing of use."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from build_tools.artefact.artefact import FILES
from build_tools.artefact.manifest import MANIFEST, CarriedTrunk, Checked, Manifest, write_manifest
from build_tools.repository.golden_examples import GoldenExamples, write_golden
from build_tools.repository.manifest import hashes_of
from build_tools.repository.names import TRUNK_INPUTS
from build_tools.repository.precision import Precision
from build_tools.repository.runtime import Runtime
from training.branch_record import BranchRecord
from training.kinds import Kind

FINGERPRINTS = [letter * 64 for letter in "abc"]


def graph(file: Path, inputs: dict[str, tuple[int, int]], outputs: dict[str, Sequence[int | str]]) -> None:
    """Writes a graph of these forms; each output is a constant. inputs: {name: (type, width; 0 for none)}."""
    values = [
        helper.make_tensor_value_info(name, kind, ["batch", "length", *([width] if width else [])])
        for name, (kind, width) in inputs.items()
    ]
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in outputs.items()]
    nodes = [
        helper.make_node("Constant", [], [name], value=helper.make_tensor("v", TensorProto.FLOAT, [1], [0.0]))
        for name in outputs
    ]
    onnx.save(helper.make_model(helper.make_graph(nodes, "made", values, made)), file)


@pytest.fixture
def make_artefact(make_record: Callable[..., BranchRecord]) -> Callable[..., Path]:
    """(a new folder, what is different in branch.json) -> an artefact's folder; carried: with a trunk, taps 1 and 2."""

    def make(folder: Path, carried: bool = False, kind: Kind = Kind.CLASSIFICATION, **given: object) -> Path:
        record = make_record(kind, trunk_fingerprint=FINGERPRINTS[2], **given)
        per_word = kind is Kind.TAGGING
        width = record.encoder.config["hidden_size"]
        (folder / "branch").mkdir(parents=True)
        dims = ["batch", "length", record.outputs] if per_word else ["batch", record.outputs]
        inputs = {"hidden": (TensorProto.FLOAT, width), "attention_mask": (TensorProto.INT64, 0)}
        graph(folder / "branch" / "model.onnx", inputs, {"logits": dims})
        (folder / "branch" / "branch.json").write_text(record.model_dump_json())
        tokens = {name: np.ones((2, 3), np.int64) for name in TRUNK_INPUTS}
        logits = np.zeros((2, 3, record.outputs) if per_word else (2, record.outputs), np.float32)
        words = np.ones((2, 3), np.bool_) if per_word else None
        write_golden(folder / "branch", GoldenExamples(tokens, logits, words, 0.0))
        trunk = None
        if carried:
            (folder / "trunk").mkdir()
            ids = dict.fromkeys(TRUNK_INPUTS, (TensorProto.INT64, 0))
            states = {f"hidden_{tap}": ["batch", "length", width] for tap in (1, 2)}
            graph(folder / "trunk" / "model.onnx", ids, states)
            (folder / "trunk" / "tokenizer.json").write_text("{}")
            trunk = CarriedTrunk(
                encoder="tiny",
                config=record.encoder.config,
                taps=[1, 2],
                fingerprints=FINGERPRINTS,
                precision=Precision.FP32,
            )
        manifest = Manifest(
            runtime=Runtime.OPENVINO,
            precision=Precision.FP32,
            tokenizer_sha256="d" * 64,
            checked=Checked(trunk=None, precision=Precision.FP32),
            tools={"torch": "2"},
            trunk=trunk,
            files={},
        )
        sign(folder, manifest)
        return folder

    return make


def sign(folder: Path, manifest: Manifest) -> None:
    """Makes artefact.json fit the files that the folder has now."""
    files = [folder / name for name in FILES if name != MANIFEST and (folder / name).is_file()]
    write_manifest(folder, manifest.model_copy(update={"files": hashes_of(files, folder)}))
