"""A request that is refused, or at which a runtime fails, changes no later answer: random sequences of both kinds.

Neither does it when memory is released between them.

In this process, as Triton's stub would run a backend; both runtimes, a trunk and a branch.
"""

import importlib
import json
import random
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_backend_utils import Request, backend_utils
from google.protobuf import json_format
from tiny_bert import tiny_encoder_in_memory
from tritonclient.grpc import model_config_pb2 as pb

from build_tools.backends.espalier_backend.onnxruntime_segment import OnnxRuntimeSegment
from build_tools.backends.espalier_backend.openvino_segment import OpenVINOSegment
from build_tools.export.onnx_export import export_branch, export_trunk
from build_tools.precision.load_graph import load_graph
from build_tools.repository.registry import TrunkEntry, VersionEntry
from build_tools.repository.runtime import Runtime
from build_tools.repository.triton_config import branch_config, resumable_trunk_config, trunk_config
from training.encoder import Encoder
from training.kinds import Kind
from training.model import Branch

SEQUENCES = 1000
RELEASE_EVERY = 50
SEGMENTS = {Runtime.OPENVINO: OpenVINOSegment, Runtime.ONNXRUNTIME: OnnxRuntimeSegment}
POSITIONS = 64
WIDTH = 16
Tensors = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return tiny_encoder_in_memory()


@pytest.fixture(scope="module", params=list(Runtime))
def runtime(request: pytest.FixtureRequest) -> Runtime:
    return request.param


@pytest.fixture(scope="module")
def models(runtime: Runtime, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory):
    """{"trunk", "branch": the backend's model}, initialized as Triton would."""
    folder = tmp_path_factory.mktemp("repository")
    for name in ("trunk", "branch"):
        (folder / name / "1").mkdir(parents=True)
    export_trunk(encoder, [1, 2], folder / "trunk/1/model.onnx", runtime)
    export_branch(
        Branch(encoder.architecture, 2, 1, 3, per_token=False).eval(), folder / "branch/1/model.onnx", runtime
    )
    record = {"encoder": {"config": {"max_position_embeddings": POSITIONS}}}
    (folder / "branch/1/branch.json").write_text(json.dumps(record))
    entry = TrunkEntry(encoder="tiny", config=encoder.config, taps=[1, 2], fingerprints=[], tokenizers={})
    version = VersionEntry.model_construct(
        model="branch", kind=Kind.CLASSIFICATION, labels=["a", "b", "c"], precision="fp32"
    )
    configs = {
        "trunk": resumable_trunk_config(trunk_config(runtime, [1, 2], WIDTH, limits=entry.limits)),
        "branch": branch_config(runtime, version, WIDTH, [1]),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "triton_python_backend_utils", backend_utils())
        module = importlib.import_module("build_tools.backends.espalier_backend.triton_model")
        backend = type("TritonPythonModel", (module.OnnxModel,), {"compile_segment": SEGMENTS[runtime]})
        loaded = {name: backend() for name in configs}
        for name, model in loaded.items():
            model.initialize(_arguments(folder, name, configs[name]))
        yield loaded
        del sys.modules[module.__name__]


def _arguments(folder: Path, name: str, config: pb.ModelConfig) -> dict[str, str]:
    as_json = json_format.MessageToJson(config, preserving_proto_field_name=True)
    return {
        "model_config": json.dumps({"parameters": {}} | json.loads(as_json)),
        "model_repository": str(folder / name),
        "model_version": "1",
        "model_name": name,
    }


def _good_trunk(chance: random.Random, vocabulary: int) -> Tensors:
    rows, length = chance.randint(1, 4), chance.choice([1, 2, 5, 8, 16, POSITIONS])
    draw = np.random.default_rng(chance.randrange(2**32))
    return {
        "input_ids": draw.integers(0, vocabulary, (rows, length)),
        "attention_mask": np.ones((rows, length), np.int64),
        "token_type_ids": draw.integers(0, 2, (rows, length)),
    }


def _good_branch(chance: random.Random, _vocabulary: int) -> Tensors:
    rows, length = chance.randint(1, 4), chance.choice([1, 2, 5, 8, 16, POSITIONS])
    draw = np.random.default_rng(chance.randrange(2**32))
    return {
        "hidden": draw.standard_normal((rows, length, WIDTH), np.float32),
        "attention_mask": np.ones((rows, length), np.int64),
    }


def _spoiled(tensors: Tensors, chance: random.Random) -> Tensors:
    """One tensor has another shape, another type, or values out of range; or all are too long, too short or empty."""
    name = chance.choice(sorted(tensors))
    array = tensors[name]
    ways: list[Callable[[], Tensors]] = [
        lambda: tensors | {name: np.concatenate([array, array])},
        lambda: tensors | {name: np.concatenate([array, array], axis=1)},
        lambda: tensors | {name: array[:, :0]},
        lambda: tensors | {name: array[:0]},
        lambda: tensors | {name: array[..., np.newaxis]},
        lambda: tensors | {name: array.reshape(-1)},
        lambda: tensors | {name: array.astype(np.float64)},
        lambda: {one: np.repeat(other, POSITIONS + 1, axis=1) for one, other in tensors.items()},
        lambda: {one: other[:0] for one, other in tensors.items()},
    ]
    if array.dtype == np.int64:
        ways += [
            lambda: tensors | {name: array + 10**9},
            lambda: tensors | {name: array - 10**9},
            lambda: tensors | {name: np.full_like(array, np.iinfo(np.int64).max)},
        ]
    else:
        ways += [lambda: tensors | {name: np.full_like(array, np.nan)}, lambda: tensors | {name: array[..., :-1]}]
    return chance.choice(ways)()


@pytest.mark.parametrize(
    ("name", "make", "output"), [("trunk", _good_trunk, "hidden_2"), ("branch", _good_branch, "logits")]
)
def test_no_answer_depends_on_the_bad_requests_before_it(
    models: dict[str, Any], encoder: Encoder, name: str, make: Callable[..., Tensors], output: str
) -> None:
    chance = random.Random(0)
    good = [make(chance, encoder.config["vocab_size"]) for _ in range(20)]
    # Each is computed before anything bad was asked.
    expected = [models[name].execute([Request(tensors, [output])])[0].outputs[output] for tensors in good]
    refused = 0
    for number in range(SEQUENCES):
        if number % RELEASE_EVERY == 0:
            models[name]._release()
        places = [chance.randrange(len(good)) for _ in range(chance.randint(1, 4))]
        for place in places:
            (bad,) = models[name].execute([Request(_spoiled(chance.choice(good), chance), [output])])
            assert bad.error is not None
            refused += bad.error.code == backend_utils().TritonError.INVALID_ARG
            (answer,) = models[name].execute([Request(good[place], [output])])
            assert answer.error is None
            np.testing.assert_allclose(answer.outputs[output], expected[place], atol=1e-5)
    assert refused > SEQUENCES  # each was the caller's fault, and said so


def _mismatched(chance: random.Random) -> Tensors:
    """As nobody checks them here: the mask has another length, or another number of rows, than the hidden states."""
    tensors = _good_branch(chance, 0)
    rows, length = tensors["attention_mask"].shape
    shape = (rows, length + chance.randint(1, 9)) if chance.random() < 0.5 else (rows + chance.randint(1, 3), length)
    return tensors | {"attention_mask": np.ones(shape, np.int64)}


def _answer(segment: Any, tensors: Tensors) -> np.ndarray | None:
    """The logits; None if the runtime fails, with whatever it raises."""
    with suppress(Exception):
        return np.array(segment(tensors)["logits"])
    return None


def _other_answers(segment: Any) -> int:
    """How many of 1,000 sequences of a bad and a good request, unchecked, change the good one's answer."""
    chance = random.Random(1)
    good = [_good_branch(chance, 0) for _ in range(20)]
    expected = [np.array(segment(tensors)["logits"]) for tensors in good]
    others = 0
    for number in range(SEQUENCES):
        if number % RELEASE_EVERY == 0:
            segment.release()
        _answer(segment, _mismatched(chance))
        place = chance.randrange(len(good))
        answer = _answer(segment, good[place])
        same = answer is not None and answer.shape == expected[place].shape
        others += not (same and np.allclose(answer, expected[place], atol=1e-5))
    return others


def test_a_runtime_that_fails_half_way_forgets_it(encoder: Encoder, runtime: Runtime, tmp_path: Path) -> None:
    export_branch(Branch(encoder.architecture, 2, 1, 3, per_token=False).eval(), tmp_path / "model.onnx", runtime)

    assert _other_answers(SEGMENTS[runtime](tmp_path / "model.onnx", ["logits"], {})) == 0


def test_openvino_alone_keeps_the_shapes_of_a_request_at_which_it_failed(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why `_forget` is there. If this fails, a later OpenVINO needs it no more."""
    monkeypatch.setattr(OpenVINOSegment, "_forget", lambda *_: None)
    export_branch(
        Branch(encoder.architecture, 2, 1, 3, per_token=False).eval(), tmp_path / "model.onnx", Runtime.OPENVINO
    )

    assert _other_answers(load_graph(tmp_path / "model.onnx", ["logits"], Runtime.OPENVINO)._segments[0]) > 0
