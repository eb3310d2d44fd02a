"""The encoder's own layers, on which a branch is checked where no repository is at hand."""

import numpy as np
import pytest
import torch

from build_tools.errors import BuildError
from build_tools.packaging import reference_trunk as module
from build_tools.packaging.reference_trunk import trunk_of_encoder
from build_tools.repository.names import TRUNK_INPUTS
from build_tools.repository.runtime import Runtime
from training.errors import TrainingError
from training.fingerprint import trunk_fingerprints
from training.model import Trunk


def test_a_branch_is_checked_on_the_layers_below_its_tap_if_they_are_those_of_its_training(
    encoder, make_record, monkeypatch
):
    asked = []
    monkeypatch.setattr(module, "load_encoder", lambda name: asked.append(name) or encoder)
    record = make_record(trunk_fingerprint=trunk_fingerprints(encoder, 2)[2])
    inputs = {name: np.ones((2, 4), np.int64) for name in TRUNK_INPUTS}

    trunk = trunk_of_encoder(record, None, Runtime.ONNXRUNTIME)

    with torch.inference_mode():
        (expected,) = Trunk(encoder, [2])(**{name: torch.from_numpy(one) for name, one in inputs.items()})
    np.testing.assert_array_equal(trunk.graph.run(inputs, ["hidden_2"])["hidden_2"], expected.numpy())
    assert (trunk.runtime, trunk.sha256, trunk.carried) == (Runtime.ONNXRUNTIME, None, None)
    with pytest.raises(BuildError, match="only hidden_2 can be computed"):
        trunk.graph.run(inputs, ["hidden_1"])
    with pytest.raises(TrainingError, match="was trained on a trunk with fingerprint f at tap 2"):
        trunk_of_encoder(make_record(), "elsewhere", Runtime.OPENVINO)
    assert asked == [record.encoder.name, "elsewhere"]
