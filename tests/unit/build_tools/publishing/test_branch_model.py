import pytest

from build_tools.publishing.branch_model import model_for
from build_tools.repository.device import Device
from build_tools.repository.precision import Precision
from build_tools.repository.registry import TaskEntry
from training.kinds import Kind


@pytest.fixture
def model(repository, registry, make_version):
    """The model that is chosen for a new version of intent, if nothing else is said."""

    def model(task="intent", registry=registry, hidden_size=16, precision=Precision.FP32, **given):
        version = make_version(task=task, **given).model_copy(update={"precision": precision})
        chosen = model_for(repository, registry, task, version, hidden_size)
        assert chosen.model_copy(update={"model": version.model}) == version  # nothing else of it changes
        return chosen.model

    return model


@pytest.fixture
def second(registry, make_version, lay_out, repository):
    """With version 4 of intent, of three labels, in a model of its own."""
    entry = registry.tasks["intent"]
    version = make_version(model="branch_intent.2", labels=["a", "b", "c"])
    entry = TaskEntry(live=4, earlier=[3], newest=4, versions=entry.versions | {"4": version})
    registry = registry.model_copy(update={"tasks": registry.tasks | {"intent": entry}})
    lay_out(repository, registry)
    return registry


@pytest.mark.parametrize(
    "given", [{}, {"labels": ["c", "d"]}, {"tap": 1}, {"max_length": 8}, {"kind": Kind.MULTI_LABEL}]
)
def test_a_version_that_the_present_config_suits_is_put_beside_the_others(model, given):
    assert model(**given) == "branch_intent"


@pytest.mark.parametrize(
    "given",
    [
        {"labels": ["a", "b", "c"]},
        {"kind": Kind.TAGGING, "labels": ["O", "B-x"]},
        {"precision": Precision.INT8},
        {"hidden_size": 32},
    ],
)
def test_a_version_that_needs_another_config_gets_a_new_model(model, given):
    assert model(**given) == "branch_intent.2"


def test_a_version_for_a_gpu_is_put_beside_others_for_a_gpu(model, registry):
    on_gpu = registry.model_copy(update={"device": Device.GPU})

    assert model(registry=on_gpu) == "branch_intent.2"  # those on disk are for a CPU


def test_a_new_task_gets_the_model_of_its_name(model):
    assert model(task="topic") == "branch_topic"


def test_a_version_of_an_earlier_form_goes_back_to_the_model_that_still_has_it(model, second):
    assert model(registry=second) == "branch_intent"
    assert model(registry=second, labels=["a", "b", "c"]) == "branch_intent.2"


def test_names_that_are_taken_are_passed_over(model, second):
    assert model(registry=second, labels=list("abcd")) == "branch_intent.3"
    only_second = TaskEntry(live=4, versions={"4": second.tasks["intent"].versions["4"]})
    gone = second.model_copy(update={"tasks": second.tasks | {"intent": only_second}})
    assert model(registry=gone, labels=list("abcd")) == "branch_intent.3"  # branch_intent still stands there


def test_a_task_that_comes_back_while_its_models_still_leave_gets_another_name(model, second):
    tasks = {task: entry for task, entry in second.tasks.items() if task != "intent"}

    assert model(registry=second.model_copy(update={"tasks": tasks})) == "branch_intent.3"


def test_the_loaded_versions_are_no_part_of_the_question(model, repository, registry, lay_out):
    entry = registry.tasks["intent"].model_copy(update={"live": 1, "earlier": []})
    lay_out(repository, registry.model_copy(update={"tasks": registry.tasks | {"intent": entry}}))

    assert model() == "branch_intent"
