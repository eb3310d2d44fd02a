"""Bad input on the running server: one clear sentence, and nothing else is lost."""

import json
import threading
import urllib.error
import urllib.request

import pytest
from served_suite import Suite
from text_tensors import text_tensors
from tritonclient import grpc
from tritonclient.utils import InferenceServerException
from ways_in import WAYS_IN, Inputs, refused_over_grpc, refused_over_http

from build_tools.serving.supervisor import Supervisor
from clients import Client, RequestRejected


def ask_plainly(server: Supervisor, model: str = "nlu", **columns: list[bytes]) -> list[dict]:
    """The router over plain KServe v2, past the checks of our own client."""
    inputs = text_tensors(columns, shape=(-1, 1))
    with grpc.InferenceServerClient(server.grpc_url) as client:
        result = client.infer(model, inputs).as_numpy("result")
    return [json.loads(row)["tasks"] for row in result.reshape(-1)]


def test_an_unknown_task_is_refused_naming_the_known_ones(suite: Suite, client: Client) -> None:
    with pytest.raises(RequestRejected) as refusal:
        client.predict("wake me at seven", tasks=["intent", "intnt"])
    assert "'intnt'" in str(refusal.value)
    for task in suite.checkpoints:
        assert task in str(refusal.value)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"text": [b"wake me"], "tasks": [b""]}, "the list of tasks is empty"),
        ({"text": [b"wake me"], "tasks": [b" , "]}, "the list of tasks is empty"),
        ({"text": [b"fine", b"  "]}, "text 1 is empty"),
        ({"text": [b"fine", b"caf\xe9"]}, "text 1 is not valid UTF-8 at byte 3"),
        ({"text": [b"fine"], "pair": [b"\xff"]}, "pair 0 is not valid UTF-8 at byte 0"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(
    columns: dict[str, list[bytes]], sentence: str, server: Supervisor
) -> None:
    with pytest.raises(InferenceServerException, match=sentence) as refusal:
        ask_plainly(server, **columns)
    assert refusal.value.status() == "StatusCode.INVALID_ARGUMENT"


NO_TEXT = "the request has no text: give the input `text`."


@pytest.mark.parametrize("way", WAYS_IN)
@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"tasks": ["intent"]}, NO_TEXT),
        ({"pair": ["wake me"]}, NO_TEXT),
        ({"all_scores": [True]}, NO_TEXT),
        ({"tasks": ["intent"], "pair": ["wake me"], "all_scores": [True]}, NO_TEXT),
        ({"text": [""]}, "text 0 is empty: give at least one word."),
        ({"text": [" \t\n"]}, "text 0 is empty: give at least one word."),
        ({"text": ["\u200b"]}, "text 0 is empty: give at least one word."),
        ({"text": ["\x00\x1b"], "tasks": ["intent"]}, "text 0 is empty: give at least one word."),
        ({"text": ["wake me", "\u3000"]}, "text 1 is empty: give at least one word."),
        ({"text": ["wake me"], "tasks": [""]}, "the list of tasks is empty: name some of"),
        ({"text": ["wake me"], "tasks": [" , "]}, "the list of tasks is empty: name some of"),
        ({"text": ["wake me"], "tasks": ["intnt"]}, "there is no task 'intnt'; known tasks: "),
        ({"text": ["wake me", "play"], "tasks": ["intent", "intnt"]}, "there is no task 'intnt'; known tasks: "),
        ({"text": ["a" * 100_001]}, "text 0 has 100001 characters: give at most 100000."),
    ],
)
def test_a_fault_is_refused_with_the_same_class_and_sentence_on_every_way_in(
    way: str, inputs: Inputs, sentence: str, server: Supervisor
) -> None:
    refused, where, expected = WAYS_IN[way]
    error, said = refused(where, inputs, {}, server)
    assert error == expected
    assert said.startswith(sentence)


@pytest.mark.parametrize("way", [way for way in WAYS_IN if "generate" not in way])
@pytest.mark.parametrize(
    ("inputs", "shapes", "sentence"),
    [
        ({}, {}, NO_TEXT),
        ({"text": []}, {"text": [0, 1]}, "the input text has 0 values: give 1 to 64 texts"),
        ({"text": []}, {"text": [1, 0]}, "the input text has the shape [1, 0]: give [B, 1]"),
        ({"text": ["wake me"]}, {"text": [1]}, "the input text has the shape [1]: give [B, 1]"),
        ({"text": ["wake", "me"]}, {"text": [1, 2]}, "the input text has the shape [1, 2]: give [B, 1]"),
        ({"text": ["wake me"] * 65}, {}, "the input text has 65 values: give 1 to 64 texts"),
        ({"text": [7]}, {}, "of the datatype 'INT32': give BYTES"),
        ({"text": ["wake me"], "tasks": [7]}, {}, "of the datatype 'INT32': give BYTES"),
        ({"text": ["wake me"], "all_scores": ["yes"]}, {}, "of the datatype 'BYTES': give BOOL"),
        ({"text": ["wake me", "play"], "tasks": ["intent"]}, {}, "there are 2 texts and 1 values of tasks"),
        ({"text": ["wake me", "play"], "pair": ["play"]}, {}, "there are 2 texts and 1 values of pair"),
        ({"text": ["wake me"], "tasks": []}, {"tasks": [1, 0]}, "the input tasks has the shape [1, 0]: give [B, 1]"),
        ({"text": ["wake me"], "task": ["intent"]}, {}, "there is no input 'task': give all_scores, pair, tasks, text"),
    ],
)
def test_a_tensor_of_another_shape_or_type_is_refused_with_the_same_class(
    way: str, inputs: Inputs, shapes: dict[str, list[int]], sentence: str, server: Supervisor
) -> None:
    refused, where, expected = WAYS_IN[way]
    error, said = refused(where, inputs, shapes, server)
    assert error == expected
    assert sentence in said


@pytest.mark.parametrize("path", ["nlu/generate", "nlu/generate_stream", "nlu_stream/generate_stream"])
@pytest.mark.parametrize("inputs", [{}, {"text": []}, {"text": ["wake me"], "tasks": []}, {"text": ["a"] * 65}])
def test_generate_refuses_what_holds_nothing_or_too_much(path: str, inputs: Inputs, server: Supervisor) -> None:
    assert refused_over_http(path, inputs, {}, server)[0] == "400"


@pytest.mark.parametrize("pair", ["", "  ", "\u200b"])
def test_an_empty_pair_is_none(pair: str, server: Supervisor) -> None:
    (answers,) = ask_plainly(server, text=[b"wake me"], pair=[pair.encode()], tasks=[b"coherence"])
    assert answers["coherence"] == {"error": "the task coherence compares two texts: give a pair."}


@pytest.mark.parametrize(
    ("task", "inputs", "sentence"),
    [
        ("intent", {"text": ["\u200b"]}, "text 0 is empty"),
        ("coherence", {"text": ["wake me"], "pair": [" "]}, "pair 0 is empty"),
        ("coherence", {"text": [" "], "pair": ["wake me"]}, "text 0 is empty"),
        ("coherence", {"text": ["wake me", "play"], "pair": ["wake me"]}, "there are 2 texts and 1 values of pair"),
        ("coherence", {"text": ["wake me"]}, "the request has no pair: give the input `pair`."),
        ("coherence", {"pair": ["wake me"]}, NO_TEXT),
    ],
)
def test_an_ensemble_refuses_what_lacks_a_text_or_pair(
    task: str, inputs: Inputs, sentence: str, server: Supervisor
) -> None:
    shapes = {name: [len(values)] for name, values in inputs.items()}
    over_grpc, over_http = (
        refused_over_grpc(task, inputs, shapes, server),
        refused_over_http(f"{task}/infer", inputs, shapes, server),
    )
    assert (over_grpc[0], over_http[0]) == ("StatusCode.INVALID_ARGUMENT", "400")
    assert sentence in over_grpc[1]
    assert sentence in over_http[1]


@pytest.mark.parametrize(("text", "sentence"), [(b"caf\xe9", "not valid UTF-8 at byte 3"), (b" ", "text 0 is empty")])
def test_an_ensemble_refuses_what_the_router_refuses(text: bytes, sentence: str, server: Supervisor) -> None:
    with (
        grpc.InferenceServerClient(server.grpc_url) as client,
        pytest.raises(InferenceServerException, match=sentence),
    ):
        client.infer("intent", text_tensors({"text": [text]}))


def test_http_says_400_with_the_same_sentence(server: Supervisor) -> None:
    body = json.dumps({"text": "wake me", "tasks": "nope"}).encode()
    request = urllib.request.Request(f"http://{server.http_url}/v2/models/nlu/generate", body)
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request)
    assert refusal.value.code == 400
    assert "there is no task 'nope'; known tasks:" in json.load(refusal.value)["error"]


def test_a_pair_task_without_a_pair_fails_alone(suite: Suite, client: Client) -> None:
    answers = client.predict("wake me at seven")
    for task in suite.checkpoints:
        if suite.checkpoint(task).record.kind.is_pair:
            assert answers[task].error == f"the task {task} compares two texts: give a pair."
        else:
            assert answers[task].error is None


def test_in_a_batch_only_the_rows_without_a_pair_miss_the_pair_task(client: Client) -> None:
    texts, pairs = ["wake me at seven", "play some jazz"], [None, "louder please"]
    first, second = client.predict_batch(texts, pairs, tasks=["coherence", "intent"])
    assert first["coherence"].error
    assert first["intent"].label
    assert second["coherence"].label
    assert second["intent"].label


def test_rows_of_one_request_may_ask_for_different_tasks(server: Supervisor) -> None:
    rows = ask_plainly(server, text=[b"wake me at seven", b"play some jazz"], tasks=[b"intent", b"emotion, domain"])
    assert [set(row) for row in rows] == [{"intent"}, {"emotion", "domain"}]


def test_a_text_beyond_the_maximum_length_is_cut_and_says_so(client: Client) -> None:
    long_text = "wake me at seven " * 200
    answer = client.predict(long_text, tasks=["intent", "slots"])
    assert answer["intent"].truncated
    assert answer["slots"].truncated
    assert not client.predict("wake me at seven", tasks=["intent"])["intent"].truncated
    for span in answer["slots"].spans:
        assert long_text[span.start : span.end] == span.text


def test_one_caller_s_bad_request_does_not_touch_the_others(server: Supervisor) -> None:
    """Triton's dynamic batcher joins requests of many callers into one batch of the router."""
    failures: list[str] = []

    def good() -> None:
        for _ in range(10):
            (answers,) = ask_plainly(server, text=[b"wake me at seven"], tasks=[b"intent"])
            if set(answers) != {"intent"} or "label" not in answers["intent"]:
                failures.append(str(answers))

    def bad() -> None:
        for _ in range(10):
            try:
                ask_plainly(server, text=[b"wake me"], tasks=[b"nope"])
            except InferenceServerException as error:
                if "no task 'nope'" not in str(error):
                    failures.append(str(error))
            else:
                failures.append("a bad request was answered")

    threads = [threading.Thread(target=work) for work in (good, bad, good, bad, good, good)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.parametrize(
    "text",
    [
        "wake me at seven 🙂 in Paris!",
        "réveille-moi à Zürich",
        "请在七点叫醒我",
        "a\x00b",
        "\u200bhi",
        "x" * 5000,
        "\u0301",
        "\ufffd",
    ],
)
def test_spans_of_any_text_point_into_that_text(text: str, client: Client) -> None:
    answer = client.predict(text, tasks=["slots", "intent"])
    assert answer["intent"].label
    for span in answer["slots"].spans:
        assert text[span.start : span.end] == span.text
