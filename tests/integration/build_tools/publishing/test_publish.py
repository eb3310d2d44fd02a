"""Publishing into a repository that no server serves: what stands there afterwards."""

import json

import pytest
from untrained import tiny_encoder

from build_tools.errors import BuildError
from build_tools.golden.golden_batch import GoldenBatch
from build_tools.golden.logit_parity import check_logits
from build_tools.packaging import package
from build_tools.precision.load_graph import load_graph
from build_tools.publishing import publish
from build_tools.publishing.promote import promote
from build_tools.publishing.retire import retire
from build_tools.publishing.rollback import rollback
from build_tools.publishing.running_server import NoServer
from build_tools.publishing.verify import verify
from build_tools.repository import proposal
from build_tools.repository.names import hidden_name
from build_tools.repository.registry import CanaryTerms, read_registry
from build_tools.repository.triton_config import read_config
from training.checkpoint import load_checkpoint
from training.kinds import Kind

OTHER_LABELS = ("a", "b", "c", "d", "e")


@pytest.fixture
def is_whole(repository):
    """Checks that a repository is consistent: files, configs and registry agree, and every live graph is right."""

    def is_whole(**checkpoints):
        registry = read_registry(repository)
        assert verify(repository) == []
        assert [path.name for path in repository.parent.iterdir()] == ["repository"], "staging is left"
        for task, entry in registry.tasks.items():
            version = entry.live_version
            assert entry.live in read_config(repository / version.model).version_policy.specific.versions
            step = read_config(repository / task).ensemble_scheduling.step[2]
            assert (step.model_name, step.model_version) == (version.model, entry.live)
        for name, trunk in registry.trunks.items():
            assert list(read_config(repository / name).version_policy.specific.versions) == [trunk.version]
        for task, folder in checkpoints.items():
            _prove_live(repository, registry, task, load_checkpoint(folder))

    return is_whole


def _prove_live(repository, registry, task, checkpoint):
    entry = registry.tasks[task]
    version = entry.live_version
    trunk = registry.trunks[version.trunk]
    outputs = [hidden_name(tap) for tap in trunk.taps]
    loaded = load_graph(repository / version.trunk / str(trunk.version) / "model.onnx", outputs, registry.runtime)
    branch = repository / version.model / str(entry.live) / "model.onnx"
    check_logits(GoldenBatch(checkpoint), loaded, load_graph(branch, ["logits"], registry.runtime))


def _bytes(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _loaded(repository, model):
    return list(read_config(repository / model).version_policy.specific.versions)


def test_a_new_version_is_live_and_the_one_before_stays_loaded(repository, checkpoints, publish_to, is_whole):
    folder = checkpoints("intent", seed=1)

    assert publish_to(folder) == ("intent", 2)

    entry = read_registry(repository).tasks["intent"]
    assert (entry.live, entry.previous, list(entry.versions)) == (2, 1, ["1", "2"])
    assert _loaded(repository, "branch_intent") == [1, 2]
    is_whole(intent=folder, slots=checkpoints("slots", kind=Kind.TAGGING, labels=("O", "B-x", "I-x"), tap=1))
    line = json.loads((repository / "audit.jsonl").read_text())
    assert (line["action"], line["task"], line["version"], line["state"]) == ("publish", "intent", 2, "live")
    assert line["checkpoint"] == load_checkpoint(folder).record.sha256


def test_no_file_of_another_task_or_of_the_trunk_changes(repository, checkpoints, publish_to):
    before = _bytes(repository)

    publish_to(checkpoints("intent", seed=1))

    after = _bytes(repository)
    changed = {name for name in before if after.get(name) != before[name]}
    assert changed == {"registry.json", "manifest.json", "branch_intent/config.pbtxt", "intent/config.pbtxt"}
    assert {name for name in after if name not in before} == {
        "audit.jsonl",
        "repository.lock",
        "branch_intent/2/model.onnx",
        "branch_intent/2/branch.json",
        "branch_intent/2/golden.npz",
    }


def test_another_number_of_labels_gets_a_model_of_its_own_and_leaves_the_old_one_as_it_is(
    repository, checkpoints, publish_to, is_whole
):
    redefined = checkpoints("intent", labels=OTHER_LABELS)

    publish_to(redefined, redefine=True)

    entry = read_registry(repository).tasks["intent"]
    assert (entry.versions["1"].model, entry.versions["2"].model) == ("branch_intent", "branch_intent.2")
    assert (_loaded(repository, "branch_intent"), _loaded(repository, "branch_intent.2")) == ([1], [2])
    assert list(read_config(repository / "intent").output[0].dims) == [-1, 5]
    is_whole(intent=redefined)


def test_the_model_of_labels_that_nobody_can_go_back_to_is_removed(repository, checkpoints, publish_to, is_whole):
    for seed in range(3):
        publish_to(checkpoints("intent", labels=OTHER_LABELS, seed=seed), redefine=True)

    publish_to(checkpoints("same", kind=Kind.PAIR_CLASSIFICATION, seed=1))  # whoever changes something tidies up

    assert list(read_registry(repository).tasks["intent"].versions) == ["2", "3", "4"]
    assert not (repository / "branch_intent").exists()
    is_whole()


def test_a_new_task_with_a_maximum_length_of_its_own(repository, checkpoints, publish_to, is_whole):
    folder = checkpoints("topics", kind=Kind.MULTI_LABEL, max_length=8)

    assert publish_to(folder) == ("topics", 1)

    registry = read_registry(repository)
    assert registry.trunks["trunk"].tokenizers == {"tokenizer": 32, "tokenizer_8": 8}
    assert read_config(repository / "topics").ensemble_scheduling.step[0].model_name == "tokenizer_8"
    is_whole(topics=folder, intent=checkpoints("intent"))


@pytest.mark.parametrize("tap", [2, 4])
def test_a_tap_that_the_trunk_has_not_is_added_in_a_new_version_of_the_same_weights(
    repository, checkpoints, publish_to, is_whole, tap
):
    before = read_registry(repository).trunks["trunk"]
    folder = checkpoints("intent", tap=tap, seed=1)

    publish_to(folder)

    after = read_registry(repository).trunks["trunk"]
    assert (before.version, before.taps, after.version, after.taps) == (1, [1, 3], 2, sorted([1, 3, tap]))
    assert after.fingerprints[: len(before.fingerprints)] == before.fingerprints
    slots = checkpoints("slots", kind=Kind.TAGGING, labels=("O", "B-x", "I-x"), tap=1)
    is_whole(intent=folder, slots=slots, same=checkpoints("same", kind=Kind.PAIR_CLASSIFICATION))

    publish_to(checkpoints("intent", tap=tap, seed=2))
    assert sorted(path.name for path in (repository / "trunk").iterdir()) == ["2", "config.pbtxt", "configs"]


def test_a_publish_whose_trunk_was_changed_under_it_begins_anew(
    repository, checkpoints, publish_to, is_whole, monkeypatch
):
    stage_version, begun = publish.stage_version, []

    def stage_late(*given):
        begun.append(given)
        if len(begun) == 1:
            publish_to(checkpoints("same", kind=Kind.PAIR_CLASSIFICATION, tap=2))
            raise FileNotFoundError("trunk/1/model.onnx")
        return stage_version(*given)

    monkeypatch.setattr(publish, "stage_version", stage_late)
    again = checkpoints("intent", tap=4)

    assert publish_to(again) == ("intent", 2)

    assert read_registry(repository).trunks["trunk"].taps == [1, 2, 3, 4]
    is_whole(intent=again)


def test_a_branch_of_another_encoder_brings_its_own_trunk_until_the_last_task_has_left_the_first(
    repository, checkpoints, publish_to, is_whole, tmp_path_factory
):
    other = tiny_encoder(tmp_path_factory.mktemp("encoders") / "other", seed=7)
    folder = checkpoints("intent", other)

    with pytest.raises(BuildError, match=r"fits no trunk of the repository \(trunk\).* give its encoder"):
        publish_to(folder)
    publish_to(folder, encoder=other.name)

    registry = read_registry(repository)
    assert {task: entry.live_version.trunk for task, entry in registry.tasks.items()} == {
        "intent": "trunk.2",
        "slots": "trunk",
        "same": "trunk",
    }
    assert read_config(repository / "intent").ensemble_scheduling.step[1].model_name == "trunk.2"
    is_whole(intent=folder, same=checkpoints("same", kind=Kind.PAIR_CLASSIFICATION))

    for task in ("slots", "same"):
        retire(task, repository, NoServer())
    for seed in range(2, 5):  # until no version of intent is left that reads the first trunk
        publish_to(checkpoints("intent", other, seed=seed), keep=3)
    publish_to(checkpoints("intent", other, seed=5), keep=3)  # the next one tidies up
    assert list(read_registry(repository).trunks) == ["trunk.2"]
    assert not (repository / "trunk").exists()
    is_whole()


def test_no_more_versions_stay_than_are_kept_and_no_number_comes_twice(repository, checkpoints, publish_to, is_whole):
    for seed in range(1, 6):
        assert publish_to(checkpoints("intent", seed=seed), keep=3) == ("intent", seed + 1)
    assert list(read_registry(repository).tasks["intent"].versions) == ["4", "5", "6"]

    retire("intent", repository, NoServer())
    assert publish_to(checkpoints("intent")) == ("intent", 7)
    is_whole()


def test_a_canary_is_promoted_or_rolled_back_and_only_one_is_candidate(repository, checkpoints, publish_to, is_whole):
    publish_to(checkpoints("intent", seed=1), canary=CanaryTerms(share=0.1))
    entry = read_registry(repository).tasks["intent"]
    assert (entry.live, entry.canary.version, entry.canary.share) == (1, 2, 0.1)
    assert _loaded(repository, "branch_intent") == [1, 2]
    with pytest.raises(BuildError, match="version 2 of intent is a candidate: run espalier promote intent"):
        publish_to(checkpoints("intent", seed=2))

    assert rollback("intent", repository, NoServer()) == (2, 1)
    assert publish_to(checkpoints("intent", seed=2), shadow=True) == ("intent", 3)
    assert promote("intent", repository, NoServer()) == 3
    entry = read_registry(repository).tasks["intent"]
    assert (entry.live, entry.previous, entry.candidate) == (3, 1, None)
    is_whole(intent=checkpoints("intent", seed=2))


def test_a_rollback_goes_back_step_by_step_and_not_in_circles(repository, checkpoints, publish_to, is_whole):
    for seed in (1, 2):
        publish_to(checkpoints("intent", seed=seed))

    assert rollback("intent", repository, NoServer()) == (3, 2)
    assert rollback("intent", repository, NoServer()) == (2, 1)
    with pytest.raises(BuildError, match="intent has no earlier version to roll back to"):
        rollback("intent", repository, NoServer())
    is_whole(intent=checkpoints("intent"))


def test_a_retired_task_leaves_nothing_but_its_number(repository, checkpoints, is_whole):
    retire("slots", repository, NoServer())

    registry = read_registry(repository)
    assert ("slots" in registry.tasks, registry.retired["slots"].version) == (False, 1)
    assert not (repository / "slots").exists()
    assert not (repository / "branch_slots").exists()
    with pytest.raises(BuildError, match="the task slots was retired; the tasks are intent, same"):
        rollback("slots", repository, NoServer())
    is_whole(intent=checkpoints("intent"))


def test_what_does_not_compute_its_golden_examples_is_refused_before_anything_is_moved_in(
    repository, checkpoints, publish_to, monkeypatch
):
    export = package.export_branch

    def export_other(branch, *given):
        branch.classifier.weight.data += 0.1
        export(branch, *given)

    monkeypatch.setattr(package, "export_branch", export_other)
    before = _bytes(repository)

    with pytest.raises(BuildError, match=r"failed at step 'golden examples before it is published': .* differs by"):
        publish_to(checkpoints("same", kind=Kind.PAIR_CLASSIFICATION, seed=9))

    after = _bytes(repository)
    after.pop("repository.lock")
    assert after == before
    assert [path.name for path in repository.parent.iterdir()] == ["repository"]


@pytest.mark.parametrize("kind", ["version", "labels", "task", "tap", "trunk"])
def test_a_failure_just_before_the_registry_is_replaced_undoes_all_that_was_moved_in(
    repository, checkpoints, publish_to, is_whole, monkeypatch, tmp_path_factory, kind
):
    other = tiny_encoder(tmp_path_factory.mktemp("encoders") / "x", seed=8)
    folder = {
        "version": lambda: checkpoints("intent", seed=1),
        "labels": lambda: checkpoints("intent", labels=OTHER_LABELS),
        "task": lambda: checkpoints("topics", kind=Kind.MULTI_LABEL, max_length=8),
        "tap": lambda: checkpoints("intent", tap=2, seed=1),
        "trunk": lambda: checkpoints("intent", other),
    }[kind]()
    before = _bytes(repository)

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(proposal, "write_registry", fail)
    with pytest.raises(BuildError, match="failed at step 'registry': no space left"):
        publish_to(folder, encoder=other.name if kind == "trunk" else None, redefine=kind == "labels")

    after = _bytes(repository)
    after.pop("repository.lock")
    assert after == before
    is_whole(intent=checkpoints("intent"))
