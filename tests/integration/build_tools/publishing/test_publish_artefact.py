"""An artefact that was packaged elsewhere, published into a repository that no server serves."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from untrained import tiny_encoder

from build_tools.artefact.manifest import write_manifest
from build_tools.artefact.seal import seal
from build_tools.artefact.unseal import unseal
from build_tools.errors import BuildError
from build_tools.packaging.package_file import package_file
from build_tools.publishing.verify import verify
from build_tools.repository.manifest import hashes_of
from build_tools.repository.precision import Precision
from build_tools.repository.registry import read_registry
from build_tools.repository.runtime import Runtime
from training.kinds import Kind

ROOT = Path(__file__).resolve().parents[4]
WITHOUT_TORCH = str(ROOT / "tests/without_torch.py")


@pytest.fixture
def elsewhere(tmp_path_factory):
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture
def packaged(checkpoints, elsewhere):
    """(task, what is different in the checkpoint, options of package) -> a new artefact."""

    def packaged(task, options=(), **given):
        file = elsewhere / f"{task}_{len(list(elsewhere.iterdir()))}"
        package_file(checkpoints(task, **given), file, **dict(options))
        return file

    return packaged


def _bytes(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_was_packaged_is_what_a_publish_of_the_checkpoint_would_have_put_there(
    repository, checkpoints, publish_to, packaged, elsewhere
):
    unread = shutil.ignore_patterns("branch_*", "nlu*", "intent", "slots", "same", "manifest.json")
    shutil.copytree(repository, elsewhere / "copy", ignore=unread)
    artefact = packaged("intent", {"repository": elsewhere / "copy"}, seed=1)

    assert publish_to(artefact) == ("intent", 2)

    live = _bytes(repository / "branch_intent/2")
    assert verify(repository) == []
    assert [path.name for path in repository.parent.iterdir()] == ["repository"], "staging is left"
    assert publish_to(checkpoints("intent", seed=1)) == ("intent", 3)
    assert _bytes(repository / "branch_intent/3") == live


def test_packaging_the_same_checkpoint_again_makes_the_same_file(packaged, elsewhere, repository):
    first, again = (packaged("slots", kind=Kind.TAGGING, labels=("O", "B-x"), tap=1) for _ in "12")
    assert first.read_bytes() == again.read_bytes()
    before = _bytes(repository)
    packaged("intent", {"repository": repository}, seed=1)
    assert _bytes(repository) == before
    assert not list(elsewhere.glob(".*"))


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_is_packaged_without_any_repository_at_hand(packaged, publish_to, repository, kind):
    artefact = packaged(f"new_{kind}", kind=kind, labels=("O", "B-x") if kind is Kind.TAGGING else ("a", "b"))

    assert publish_to(artefact) == (f"new_{kind}", 1)
    assert verify(repository) == []


def test_a_machine_without_torch_publishes_an_artefact_and_says_what_a_checkpoint_needs(
    repository, packaged, checkpoints
):
    def run(source):
        command = [sys.executable, WITHOUT_TORCH, "publish", str(source), "--repository", str(repository)]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)

    done = run(packaged("topics", kind=Kind.MULTI_LABEL, max_length=8))  # with a tokenizer of its own
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("topics: version 1 is live\n")
    assert verify(repository) == []

    refused = run(checkpoints("intent", seed=1))
    assert refused.returncode == 1
    assert re.search(r"needs the package '\w+': run espalier package .* and publish the file", refused.stderr)
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("tap", [2, 4])
def test_a_trunk_comes_along_for_a_tap_that_the_served_one_has_not(repository, packaged, publish_to, tap):
    alone = packaged("intent", tap=tap, seed=1)
    with pytest.raises(BuildError, match=r"no trunk comes with it: package the checkpoint with --for this repository"):
        publish_to(alone)

    publish_to(packaged("intent", {"repository": repository}, tap=tap, seed=1))

    trunk = read_registry(repository).trunks["trunk"]
    assert (trunk.version, trunk.taps) == (2, sorted([1, 3, tap]))
    assert {path.name for path in (repository / "trunk").iterdir()} == {"1", "2", "config.pbtxt", "configs"}
    assert {path.name for path in (repository / "trunk/2").iterdir()} == {"model.onnx"}
    assert verify(repository) == []


def test_a_trunk_of_another_encoder_comes_along_and_is_served_beside_the_first(
    repository, packaged, publish_to, tmp_path_factory
):
    other = tiny_encoder(tmp_path_factory.mktemp("encoders") / "other", seed=7)
    options = {"repository": repository, "encoder": other.name}

    publish_to(packaged("intent", options, encoder=other))

    assert read_registry(repository).tasks["intent"].live_version.trunk == "trunk.2"
    assert {path.name for path in (repository / "trunk.2").iterdir()} == {"1", "config.pbtxt", "configs"}
    assert verify(repository) == []


def _changed(artefact, folder, file, change):
    """The artefact with a weight changed, all hashes made to fit."""
    made = unseal(artefact, folder)
    model = onnx.load(folder / file)
    change(model)
    onnx.save(model, folder / file)
    files = hashes_of([folder / name for name in made.manifest.files], folder)
    write_manifest(folder, made.manifest.model_copy(update={"files": files}))
    artefact.unlink()
    seal(folder, artefact)
    return artefact


def _other_weights(model):
    noise = np.random.default_rng(0)
    for weight in model.graph.initializer:
        if len(weight.dims) == 2 and weight.data_type == onnx.TensorProto.FLOAT:
            values = onnx.numpy_helper.to_array(weight)
            weight.CopyFrom(
                onnx.numpy_helper.from_array(
                    values + noise.normal(0, 0.1, values.shape).astype(np.float32), weight.name
                )
            )


@pytest.mark.parametrize(
    ("tap", "file", "said"),
    [
        (3, "branch/model.onnx", r"failed at step 'golden examples': golden example 1: a logit differs by"),
        (
            2,
            "trunk/model.onnx",
            r"failed at step 'trunk version 2 .*': the new version of trunk differs from",
        ),
    ],
    ids=["branch", "trunk"],
)
def test_a_graph_that_computes_something_else_is_refused_and_nothing_of_it_stays(
    repository, packaged, publish_to, tmp_path_factory, tap, file, said
):
    artefact = packaged("intent", {"repository": repository}, tap=tap, seed=1)
    _changed(artefact, tmp_path_factory.mktemp("opened") / "folder", file, _other_weights)
    before = _bytes(repository)

    with pytest.raises(BuildError, match=said):
        publish_to(artefact)

    after = _bytes(repository)
    after.pop("repository.lock")
    assert after == before
    assert [path.name for path in repository.parent.iterdir()] == ["repository"]


def test_what_was_asked_for_and_is_not_in_the_artefact_is_refused_with_what_to_do(
    repository, packaged, publish_to, elsewhere
):
    artefact = packaged("intent", seed=1)
    for options, said in (
        ({"precision": Precision.INT8}, "the artefact computes in fp32: package the checkpoint again with --precision"),
        ({"encoder": "minilm"}, "an artefact brings the trunk that it needs: give --encoder to espalier package"),
    ):
        with pytest.raises(BuildError, match=f"is not published: it failed at step 'artefact': {said}"):
            publish_to(artefact, **options)
    with pytest.raises(BuildError, match="its graph is for onnxruntime, and the repository runs openvino: package"):
        publish_to(packaged("intent", {"runtime": Runtime.ONNXRUNTIME}, seed=1))
    assert publish_to(artefact, precision=Precision.FP32) == ("intent", 2)

    with pytest.raises(BuildError, match=r"failed at step 'output': .* already exists"):
        package_file(elsewhere, artefact)
    (repository / "registry.json").write_bytes(artefact.read_bytes()[:100])
    with pytest.raises(BuildError, match=r"registry.json is damaged"):
        publish_to(artefact)


@pytest.mark.parametrize("precision", [Precision.INT8, Precision.AUTO])
def test_a_lower_precision_is_chosen_where_it_is_packaged(packaged, publish_to, repository, precision):
    try:
        artefact = packaged("intent", {"precision": precision}, seed=1)
    except BuildError as refused:
        pytest.skip(str(refused))

    publish_to(artefact)

    assert read_registry(repository).tasks["intent"].live_version.precision is not Precision.AUTO
    assert verify(repository) == []
