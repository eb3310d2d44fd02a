import pytest

from build_tools.repository.registry import FusedEntry
from build_tools.repository.triton_config import (
    branch_config,
    fused_config,
    resumable_trunk_config,
    selectable_fused_config,
    trunk_config,
)
from build_tools.serving.watch.probes import probe


def _asked(model, config):
    request = probe((model, 3), config)
    return {tensor.name: list(tensor.shape) for tensor in request.inputs}, [output.name for output in request.outputs]


TOKENS = {"input_ids": [1, 2], "attention_mask": [1, 2], "token_type_ids": [1, 2]}


def test_a_trunk_is_asked_for_its_lowest_tap(watched):
    config = resumable_trunk_config(trunk_config(watched.runtime, [1, 2], 16))

    assert _asked("trunk", config) == (TOKENS, ["hidden_1"])


@pytest.mark.parametrize("selectable", [True, False])
def test_a_fused_graph_is_asked_with_tokens_for_its_lowest_tap_alone(compacted, selectable):
    fused = FusedEntry.model_validate(compacted.trunks["trunk"].fused)
    versions = {name: entry.versions["1"] for name, entry in compacted.tasks.items()}
    config = fused_config(compacted.runtime, compacted.trunks["trunk"], fused, versions)

    assert _asked("fused.2", selectable_fused_config(config) if selectable else config) == (TOKENS, ["hidden_1"])


def test_a_branch_is_asked_with_hidden_states(watched):
    config = branch_config(watched.runtime, watched.tasks["mood"].live_version, 16, [3])

    assert _asked("branch_mood", config) == ({"hidden": [1, 2, 16], "attention_mask": [1, 2]}, ["logits"])


def test_other_models_are_not_asked(watched):
    assert probe(("fuselage", 1), trunk_config(watched.runtime, [1], 16)) is None
