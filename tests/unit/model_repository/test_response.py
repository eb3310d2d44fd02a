import json

import numpy as np
import pytest
from router.caller import GoneError
from router.unavailable import DeadError, NotAskedError, StoppingError

from clients.errors import ServerFailed, ServerUnavailable
from clients.failure import refusal


def _as_json(results):
    return [{task: json.dumps(answer, ensure_ascii=False) for task, answer in row.items()} for row in results]


def test_each_text_gets_a_json_of_its_own_in_the_shape_of_the_batch(response_module):
    results = [{"intent": {"label": "größe \U0001f600"}, 'a "b"': {"score": 1.5}}, {}]

    array = response_module.result_response(_as_json(results)).outputs["result"]

    assert (array.shape, array.dtype) == ((2, 1), np.object_)
    assert [json.loads(text) for text in array[:, 0]] == [{"tasks": answers} for answers in results]


def test_texts_of_equal_length_stay_objects_and_keep_a_zero_character(response_module):
    results = [{"slots": {"text": "a\x00"}}, {"slots": {"text": "b\x00"}}]

    array = response_module.result_response(_as_json(results)).outputs["result"]

    assert [json.loads(text)["tasks"]["slots"]["text"] for text in array[:, 0]] == ["a\x00", "b\x00"]


def test_a_refusal_carries_its_sentence_and_blames_the_request(response_module):
    response = response_module.refusal_response(ValueError("text 0 is empty."))

    assert (response.error.message, response.error.code) == ("text 0 is empty.", "INVALID_ARG")
    assert response.outputs == {}


@pytest.mark.parametrize(("cancelled", "code"), [(True, "CANCELLED"), (False, "UNAVAILABLE")])
def test_a_caller_who_waits_no_longer_is_told_whether_it_was_cancelled_or_late(response_module, cancelled, code):
    response = response_module.gone_response(GoneError("too late.", cancelled))

    assert (response.error.message, response.error.code) == ("too late.", code)
    assert response.outputs == {}


def test_a_server_that_stops_is_no_failure_and_clients_may_ask_again(response_module):
    sentence = "branch_intent: Server is stopping, scheduler for model has stopped accepting new inference requests"
    response = response_module.failure_response("nlu", StoppingError(sentence))

    assert response.error.code == "UNAVAILABLE"
    assert isinstance(refusal("host:1", response.error.message, bad_request=True), ServerUnavailable)


@pytest.mark.parametrize(
    "error",
    [NotAskedError("trunk has died and is being brought back"), DeadError("trunk: Stub process is not healthy.")],
)
def test_a_dead_process_is_worded_so_that_clients_ask_again_even_on_streams(response_module, error):
    response = response_module.failure_response("nlu_stream", error)

    assert response.error.code == "UNAVAILABLE"
    told = refusal("host:1", response.error.message, bad_request=True)
    assert isinstance(told, ServerUnavailable)
    assert str(error) in str(told)


def test_a_failure_is_worded_so_that_clients_know_it_for_one_even_on_streams(response_module):
    response = response_module.failure_response("nlu_stream", RuntimeError("trunk: out of memory"))

    assert response.error.code == "INTERNAL"
    told = refusal("host:1", response.error.message, bad_request=True)
    assert isinstance(told, ServerFailed)
    assert "trunk: out of memory" in str(told)
