import importlib
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from router.unavailable import DeadError, NotLoadedError, StoppingError, UnavailableError


@pytest.fixture
def failure(triton):  # noqa: ARG001
    return importlib.import_module("router.bls").failure


# As tritonserver 2.51 says it to a model that calls another one.
@pytest.mark.parametrize(
    ("sentence", "error"),
    [
        ("Stub process 'branch_intent_0_0' is not healthy.", DeadError),
        (
            "Failed to process the request(s) for model instance 'trunk_0_0', message: Stub process is not healthy.",
            DeadError,
        ),
        (
            "Model branch_intent - Error when running inference: Failed for execute the inference request. Model "
            "'branch_intent' is not ready.",
            NotLoadedError,
        ),
        ("Request for unknown model: 'branch_intent' version 3 is not at ready state", NotLoadedError),
        ("Request for unknown model: 'branch_intent' has no available versions", NotLoadedError),
        ("Server is stopping, scheduler for model has stopped accepting new inference requests", StoppingError),
        ("Server not ready", StoppingError),
    ],
)
def test_what_passes_is_told_from_what_stays(failure, sentence, error):
    told = failure("branch_intent", sentence)

    assert type(told) is error
    assert str(told) == f"branch_intent: {sentence}"


@pytest.mark.parametrize("sentence", ["ValueError: hidden has 3 rows and attention_mask 4", "out of memory", ""])
def test_a_failure_of_the_model_itself_is_none_that_passes(failure, sentence):
    assert not isinstance(failure("branch_intent", sentence), UnavailableError)


class Called:
    """Stands for Triton: answers each call with the next of these, an error sentence or None."""

    def __init__(self, *sentences):
        self._sentences = list(sentences)

    def exec(self):
        sentence = self._sentences.pop(0)
        error = SimpleNamespace(message=lambda: sentence)
        return SimpleNamespace(has_error=lambda: sentence is not None, error=lambda: error)


def _on_cpu(monkeypatch, module):
    monkeypatch.setattr(module.pb_utils, "TRITONSERVER_MEMORY_CPU", "cpu", raising=False)
    monkeypatch.setattr(module.pb_utils, "PreferredMemory", lambda *given: given, raising=False)


def test_answers_are_asked_for_in_memory_that_numpy_can_read(failure, monkeypatch):
    module = importlib.import_module(failure.__module__)
    _on_cpu(monkeypatch, module)
    asked = []
    monkeypatch.setattr(
        module.pb_utils, "InferenceRequest", lambda **given: asked.append(given) or Called(None), raising=False
    )

    module.infer("trunk", 1, {}, [])

    assert asked[0]["preferred_memory"] == ("cpu", 0)


REPLACED = "Server is stopping, scheduler for model has stopped accepting new inference requests"


@pytest.mark.parametrize(("second", "expected"), [(None, None), ("Server not ready", StoppingError)])
def test_a_model_that_is_replaced_during_the_call_is_asked_again_and_is_no_server_that_stops(
    failure, monkeypatch, second, expected
):
    module = importlib.import_module(failure.__module__)
    called = Called(REPLACED, second)
    _on_cpu(monkeypatch, module)
    monkeypatch.setattr(module.pb_utils, "InferenceRequest", lambda **_: called, raising=False)
    monkeypatch.setattr(module.pb_utils, "get_output_tensor_by_name", lambda *_: None, raising=False)

    with pytest.raises(expected) if expected else nullcontext():
        assert module.infer("branch_intent", 1, {}, []) == {}
