import importlib

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
