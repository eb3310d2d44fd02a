"""An artefact whose hashes are right and whose content is not: whoever wants to be published would sign it too."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from build_tools.artefact.artefact import read_artefact
from build_tools.artefact.manifest import parse_manifest, write_manifest
from build_tools.errors import BuildError
from build_tools.repository.manifest import hashes_of
from training.kinds import Kind


def _record(**changes):
    def change(folder):
        file = folder / "branch/branch.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return change


def _golden(change, save=np.savez):
    def damage(folder):
        file = folder / "branch/golden.npz"
        with np.load(file) as arrays:
            content = dict(arrays)
        change(content)
        save(file, **content)

    return damage


def _set(name, place, value):
    def change(arrays):
        arrays[name][place] = value

    return change


def _replace(**arrays):
    return lambda content: content.update(arrays)


def _long(arrays):
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        arrays[name] = np.ones((2, 17), np.int64)


def _many(arrays):
    for name in arrays:
        arrays[name] = np.concatenate([arrays[name]] * 17)


def _graph(change, file="branch/model.onnx"):
    def damage(folder):
        model = onnx.load(folder / file)
        change(model)
        onnx.save(model, folder / file)

    return damage


def _node(*given, **attributes):
    return lambda model: model.graph.node.append(helper.make_node(*given, **attributes))


def _external(model):
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, [1], [0.0]))
    weight = model.graph.initializer[0]
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../../../etc/passwd")


def _external_constant(model):
    value = model.graph.node[0].attribute[0].t
    value.data_location = TensorProto.EXTERNAL
    value.external_data.add(key="location", value="/etc/passwd")


def _functions(model):
    model.functions.append(helper.make_function("evil", "f", [], [], [], []))


def _body(model):
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=body, else_branch=body))


def _rename_output(model):
    model.graph.output[0].name = "answers"


def _one_label_more(model):
    model.graph.output[0].type.tensor_type.shape.dim[-1].dim_value = 3


SIGNED = {
    "labels of a megabyte": (_record(labels=["a", "b" * 2**20]), "its branch.json is out of bounds (the label 'bbb"),
    "labels with control characters": (
        _record(labels=["a", "b\x1b[2J"]),
        "its branch.json is out of bounds (the label",
    ),
    "a hundred thousand labels": (_record(labels=list(map(str, range(10**5)))), "its branch.json is out of bounds"),
    "a label twice": (_record(labels=["a", "a"]), "its branch.json is out of bounds"),
    "a path in the name": (_record(task="../../evil"), "its branch.json is out of bounds (task"),
    "a name of the repository's own": (_record(task="nlu"), "its branch.json is out of bounds (task"),
    "an unknown field": (_record(run_this="rm"), "its branch.json is out of bounds (run_this"),
    "a record that is a list": (lambda folder: (folder / "branch/branch.json").write_text("[]"), "its branch.json"),
    "no width": (_record(encoder={"name": "x", "layers": 3, "config": {"max_position_embeddings": 99}}), "its branch"),
    "ids beyond the vocabulary": (_golden(_set("input_ids", (1, 2), 10**6)), "its golden.npz has input_ids that"),
    "ids below zero": (_golden(_set("input_ids", (0, 0), -1)), "its golden.npz has input_ids that the encoder does"),
    "types beyond the embeddings": (_golden(_set("token_type_ids", (0, 0), 7)), "its golden.npz has token_type_ids"),
    "a mask of twos": (
        _golden(_set("attention_mask", (0, 0), 2)),
        "its golden.npz has a mask that is not of 0 and 1",
    ),
    "an example without tokens": (
        _golden(_set("attention_mask", 0, 0)),
        "its golden.npz has a mask that is not of 0 and 1",
    ),
    "longer than the branch reads": (_golden(_long), "its golden.npz has 2 examples of 17 tokens; at most 32 of 16"),
    "more examples than there are": (_golden(_many), "its golden.npz has 34 examples"),
    "logits of more labels": (_golden(_replace(logits=np.zeros((2, 3), np.float32))), "its golden.npz has 3 logits"),
    "logits that are no numbers": (_golden(_set("logits", (0, 0), np.nan)), "its golden.npz has logits that are no"),
    "logits of another kind": (
        _golden(_replace(logits=np.zeros((2, 3, 2), np.float32), words=np.ones((2, 3), np.bool_))),
        "its golden.npz is not that of the kind classification",
    ),
    "pickled arrays": (_golden(_replace(logits=np.array([{}, {}], object))), "golden.npz is damaged"),
    "compressed arrays": (_golden(lambda _: None, np.savez_compressed), "golden.npz is damaged (its arrays are comp"),
    "no graph": (lambda folder: (folder / "branch/model.onnx").write_bytes(b"\xff" * 99), "its branch/model.onnx is n"),
    "an empty graph": (lambda folder: (folder / "branch/model.onnx").write_bytes(b""), "its branch/model.onnx has ot"),
    "another output": (_graph(_rename_output), "its branch/model.onnx has other outputs than its branch.json says"),
    "an output of more labels": (_graph(_one_label_more), "its branch/model.onnx has other outputs than its branch.j"),
    "weights in another file": (_graph(_external), "its branch/model.onnx is not a graph of `espalier package` (the"),
    "a constant in another file": (_graph(_external_constant), "its branch/model.onnx is not a graph of `espalier pa"),
    "an operator of somebody else": (
        _graph(_node("Shell", [], ["x"], domain="evil")),
        "its branch/model.onnx is not a graph of `espalier package` (an operator of 'evil'), so it is not run.",
    ),
    "functions": (
        _graph(_functions),
        "its branch/model.onnx is not a graph of `espalier package` (it brings func",
    ),
    "an operator with a body": (_graph(_body), "its branch/model.onnx is not a graph of `espalier package` (If has a"),
    "a trunk with other outputs": (
        _graph(_rename_output, "trunk/model.onnx"),
        "its trunk/model.onnx has other outputs than its branch.json says",
    ),
    "a tap that its trunk has not": (_record(tap=3), "the trunk that it carries is not the one of its branch"),
    "a trunk of other weights": (_record(trunk_fingerprint="e" * 64), "the trunk that it carries has another finger"),
}


def _signed(folder):
    manifest = parse_manifest((folder / "artefact.json").read_bytes())
    files = hashes_of([folder / name for name in manifest.files], folder)
    write_manifest(folder, manifest.model_copy(update={"files": files}))


@pytest.mark.parametrize("name", SIGNED)
def test_what_is_signed_and_wrong_is_refused_in_one_sentence(make_artefact, tmp_path, name):
    change, said = SIGNED[name]
    folder = make_artefact(tmp_path / "made", carried="trunk" in name or "tap" in name)
    change(folder)
    _signed(folder)

    with pytest.raises(BuildError) as refused:
        read_artefact(folder)

    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize("kind", [kind for kind in Kind if not kind.is_pair])
def test_what_is_right_is_read(make_artefact, tmp_path, kind):
    artefact = read_artefact(make_artefact(tmp_path / "made", kind=kind))

    assert artefact.record.kind is kind
    assert artefact.golden.logits.shape[0] == 2
