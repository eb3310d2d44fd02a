"""From branch.json to the trunk that is read: what packaging finds missing, and what publishing makes of it."""

import copy
from types import SimpleNamespace

import pytest
import torch

from build_tools.artefact.manifest import CarriedTrunk
from build_tools.errors import BuildError
from build_tools.packaging import needed_trunk as module
from build_tools.packaging.needed_trunk import NeededTrunk, needed_trunk
from build_tools.publishing.trunk_plan import plan_trunk
from build_tools.repository.precision import Precision
from build_tools.repository.registry import TrunkEntry
from training.encoder import Encoder
from training.errors import TrainingError
from training.fingerprint import trunk_fingerprints


@pytest.fixture(scope="session")
def retrained(encoder):
    """The same encoder with other weights from layer 2 up."""
    network = copy.deepcopy(encoder.network)
    with torch.no_grad():
        for layer in network.layers[1:]:
            layer.after_attention.outer.weight.add_(1)
    return Encoder("retrained", network, encoder.tokenizer)


@pytest.fixture
def loaded(encoder, retrained, monkeypatch):
    """The names of the encoders that were loaded."""
    loaded = []

    def load_encoder(name):
        loaded.append(name)
        found = {"tiny": encoder, "moved_tiny": encoder, "retrained": retrained}[name]
        return Encoder(name, found.network, found.tokenizer)

    monkeypatch.setattr(module, "load_encoder", load_encoder)
    return loaded


@pytest.fixture
def trunk(encoder):
    """The first trunk: 2 layers of tiny, with tap 2 alone."""
    return TrunkEntry(
        encoder="tiny",
        config=encoder.config,
        version=4,
        taps=[2],
        fingerprints=trunk_fingerprints(encoder, 2),
        precision=Precision.INT8,
        tokenizers={"tokenizer": 16},
    )


@pytest.fixture
def second(retrained):
    """A trunk of the other encoder."""
    return TrunkEntry(
        encoder="retrained",
        config=retrained.config,
        taps=[2],
        fingerprints=trunk_fingerprints(retrained, 2),
        tokenizers={"tokenizer_trunk.2_16": 16},
    )


def _carried(needed):
    """What an artefact says of the trunk that goes with its branch; None if it needs none."""
    if not isinstance(needed, NeededTrunk):
        return None
    return CarriedTrunk(
        encoder=needed.encoder.name,
        config=needed.encoder.config,
        taps=needed.taps,
        fingerprints=needed.fingerprints,
        precision=needed.precision,
    )


def _artefact(record, carried):
    return SimpleNamespace(record=record, manifest=SimpleNamespace(trunk=carried))


@pytest.fixture
def on(registry, trunk):
    """A registry with the first trunk, and a second one if it is given."""

    def on(second=None, made=1):
        trunks = {"trunk": trunk} if second is None else {"trunk": trunk, "trunk.2": second}
        return registry.model_copy(update={"trunks": trunks, "trunks_made": made})

    return on


@pytest.fixture
def plan(on):
    """The plan for a branch that was packaged for the same registry."""

    def plan(record, encoder_name=None, **given):
        registry = on(**given)
        return plan_trunk(_artefact(record, _carried(needed_trunk(record, registry, encoder_name))), registry)

    return plan


@pytest.fixture
def record(encoder, make_record):
    """branch.json of a branch that was trained on a tap of an encoder."""

    def record(tap, on=encoder, **given):
        taken = make_record(**given)
        changes = {
            "tap": tap,  # as high as the encoder itself, where no branch would have layers
            "trunk_fingerprint": trunk_fingerprints(on, tap)[tap],
            "encoder": taken.encoder.model_copy(update={"name": on.name}),
        }
        return taken.model_copy(update=changes)

    return record


def test_a_trunk_that_has_the_branch_s_tap_is_taken_as_it_is_and_no_encoder_is_loaded(plan, loaded, trunk, record):
    found = plan(record(2))

    assert (found.name, found.entry, found.present) == ("trunk", trunk, trunk)
    assert not found.takes_carried
    assert found.new_tokenizers == {}
    assert loaded == []


def test_another_maximum_length_needs_a_tokenizer_of_its_own_and_no_new_trunk(plan, loaded, trunk, record):
    found = plan(record(2, max_length=24))

    assert not found.takes_carried
    assert found.new_tokenizers == {"tokenizer_24": 24}  # never `tokenizer`, though 24 is the greatest now
    assert found.entry.tokenizers == {"tokenizer": 16, "tokenizer_24": 24}
    assert found.entry.version == 4
    assert found.present == trunk
    assert loaded == []


def test_a_new_tap_within_the_trunk_s_depth_is_a_new_version_of_the_same_weights(plan, loaded, trunk, record):
    found = plan(record(1))

    assert (found.name, found.present, found.takes_carried) == ("trunk", trunk, True)
    assert found.entry == trunk.model_copy(update={"version": 5, "taps": [1, 2]})
    assert loaded == ["tiny"]
    assert trunk.taps == [2]


def test_for_a_new_tap_the_weights_may_stand_elsewhere_if_they_are_the_same(plan, loaded, record):
    found = plan(record(1), "moved_tiny")

    assert loaded == ["moved_tiny"]
    assert (found.name, found.entry.taps) == ("trunk", [1, 2])


@pytest.mark.usefixtures("loaded")
def test_weights_that_are_not_the_trunk_s_are_refused_though_they_are_at_the_new_tap(plan, record):
    with pytest.raises(
        BuildError,
        match=r"trunk needs a new version for tap 1, but it was not made from the encoder 'retrained': .* --encoder",
    ):
        plan(record(1), "retrained")


def test_a_checkpoint_whose_encoder_computes_otherwise_is_refused_though_its_fingerprint_fits(plan, loaded, record):
    fitting = record(2)
    config = fitting.encoder.config | {"num_attention_heads": 4}
    other = fitting.model_copy(update={"encoder": fitting.encoder.model_copy(update={"config": config})})

    with pytest.raises(BuildError, match="the encoder's config in the checkpoint is not that of trunk"):
        plan(other)
    assert loaded == []


def test_a_deeper_tap_of_the_same_encoder_is_a_deeper_version_of_the_same_trunk(plan, loaded, trunk, record, encoder):
    found = plan(record(3))

    assert (found.name, found.present, found.takes_carried) == ("trunk", trunk, True)
    assert found.entry == trunk.model_copy(
        update={"version": 5, "taps": [2, 3], "fingerprints": trunk_fingerprints(encoder, 3)}
    )
    assert found.entry.fingerprints[:3] == trunk.fingerprints  # the chain goes on
    assert loaded == ["tiny"]
    assert plan(record(3), "tiny").name == "trunk"


@pytest.mark.usefixtures("loaded")
def test_a_deeper_trunk_may_come_from_the_same_weights_that_stand_elsewhere(plan, record):
    assert plan(record(3), "moved_tiny").name == "trunk"


def test_a_branch_that_fits_no_trunk_here_is_refused_with_what_to_give(plan, loaded, record, retrained):
    for tap in (2, 3):
        with pytest.raises(
            BuildError,
            match=r"of intent fits no trunk of the repository \(trunk\): .* encoder \('retrained'\) as -",
        ):
            plan(record(tap, on=retrained))

    assert loaded == ["tiny"]  # at tap 2 there is nothing to look for


def test_another_encoder_that_is_asked_for_is_a_second_trunk_with_its_own_tokenizer(plan, loaded, record, retrained):
    found = plan(record(2, on=retrained), "retrained")

    assert (found.name, found.present, found.takes_carried) == ("trunk.2", None, True)
    assert found.entry == TrunkEntry(
        encoder="retrained",
        config=retrained.config,
        version=1,
        taps=[2],
        fingerprints=trunk_fingerprints(retrained, 2),
        precision=Precision.FP32,
        tokenizers={"tokenizer_trunk.2_16": 16},
    )
    assert found.new_tokenizers == {"tokenizer_trunk.2_16": 16}
    assert loaded == ["retrained"]


def test_a_plan_holds_until_another_publish_changes_its_trunk_or_takes_its_name(
    plan, loaded, registry, trunk, record, retrained
):
    registry = registry.model_copy(update={"trunks": {"trunk": trunk}})
    later = trunk.model_copy(update={"version": trunk.version + 1})
    assert plan(record(2)).still_holds(registry)
    assert not plan(record(2)).still_holds(registry.model_copy(update={"trunks": {"trunk": later}}))

    new = plan(record(2, on=retrained), "retrained")
    assert new.still_holds(registry)
    assert not new.still_holds(registry.model_copy(update={"trunks_made": 2})), "there has been a trunk.2 since"
    assert loaded == ["retrained"]


def test_a_trunk_s_name_is_not_given_again_when_it_is_gone(plan, loaded, record, retrained):
    assert plan(record(2, on=retrained), "retrained", made=7).name == "trunk.8"
    assert loaded == ["retrained"]


def test_a_branch_finds_the_second_trunk_if_that_is_its_own(plan, loaded, second, record, retrained):
    found = plan(record(2, on=retrained, max_length=8), second=second)

    assert (found.name, found.present, found.takes_carried) == ("trunk.2", second, False)
    assert found.new_tokenizers == {"tokenizer_trunk.2_8": 8}
    assert loaded == []


@pytest.mark.usefixtures("loaded")
def test_of_two_trunks_the_one_of_the_branch_s_encoder_gets_deeper(plan, second, record, retrained):
    found = plan(record(3, on=retrained), second=second)

    assert (found.name, found.entry.version, found.entry.taps) == ("trunk.2", 2, [2, 3])


@pytest.mark.usefixtures("loaded")
def test_a_branch_that_was_not_trained_on_the_encoder_that_is_named_is_refused(plan, record, retrained):
    with pytest.raises(TrainingError, match=r"of intent was trained on a trunk with fingerprint .* encoder 'tiny' has"):
        plan(record(2, on=retrained), "tiny")


@pytest.mark.usefixtures("loaded")
def test_an_encoder_with_fewer_layers_than_the_tap_is_refused(plan, record):
    deep = record(2).model_copy(update={"tap": 9, "trunk_fingerprint": "f9"})

    with pytest.raises(BuildError, match="fits no trunk of the repository"):
        plan(deep)
    with pytest.raises(TrainingError, match=r"tap 9; .* has none \(it has fewer layers\) there"):
        plan(deep, "moved_tiny")


@pytest.fixture
def packaged(on, record):
    """An artefact of a branch, with the trunk that it needed where it was packaged: a repository with one trunk."""

    def packaged(tap, encoder_name=None, trunk=None, **given):
        registry = on()
        if trunk is not None:
            registry = registry.model_copy(update={"trunks": {"trunk": trunk}})
        made = record(tap, **given)
        return _artefact(made, _carried(needed_trunk(made, registry, encoder_name)))

    return packaged


@pytest.mark.usefixtures("loaded")
def test_a_trunk_that_comes_along_is_left_aside_where_the_served_one_has_the_tap_by_now(packaged, registry, trunk):
    artefact = packaged(1)
    later = trunk.model_copy(update={"version": 5, "taps": [1, 2]})

    found = plan_trunk(artefact, registry.model_copy(update={"trunks": {"trunk": later}}))

    assert artefact.manifest.trunk is not None
    assert (found.entry, found.takes_carried) == (later, False)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("tap", "change", "reason"),
    [
        (3, {"taps": [1, 2]}, r"^trunk has the taps 1, 2 in int8, and the trunk .* has 2, 3 in int8: package the ch.*"),
        (3, {"precision": Precision.FP32}, r"^trunk has the taps 2 in fp32, and the trunk .* has 2, 3 in int8: pack.*"),
    ],
    ids=["another tap", "another precision"],
)
def test_a_trunk_that_would_take_from_other_tasks_what_they_read_is_refused(
    packaged, registry, trunk, tap, change, reason
):
    later = registry.model_copy(update={"trunks": {"trunk": trunk.model_copy(update=change)}})

    with pytest.raises(BuildError, match=f"{reason}--for the repository as it is now"):
        plan_trunk(packaged(tap), later)


@pytest.mark.usefixtures("loaded")
def test_a_trunk_less_deep_than_the_served_one_is_refused(packaged, registry, trunk, encoder):
    artefact = packaged(1)
    deeper = trunk.model_copy(update={"taps": [2, 3], "fingerprints": trunk_fingerprints(encoder, 3)})

    with pytest.raises(BuildError, match="trunk has become deeper than the trunk that comes with the branch"):
        plan_trunk(artefact, registry.model_copy(update={"trunks": {"trunk": deeper}}))


def test_a_branch_without_the_trunk_that_it_needs_is_refused_with_what_to_do(on, record, retrained):
    with pytest.raises(BuildError, match=r"^trunk has no tap 1 \(it has 2\), and no trunk .* with --for .* publish"):
        plan_trunk(_artefact(record(1), None), on())
    with pytest.raises(BuildError, match=r"^the branch fits no trunk of the repository \(trunk\), .*, and no trunk"):
        plan_trunk(_artefact(record(2, on=retrained), None), on())
