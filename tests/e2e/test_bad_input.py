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

from build_tools.serving.server import TritonServer
from clients import Client, RequestRejected


def ask_plainly(server: TritonServer, model: str = "nlu", **columns: list[bytes]) -> list[dict]:
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
    columns: dict[str, list[bytes]], sentence: str, server: TritonServer
) -> None:
    with pytest.raises(InferenceServerException, match=sentence) as refusal:
        ask_plainly(server, **columns)
    assert refusal.value.status() == "StatusCode.INVALID_ARGUMENT"


@pytest.mark.parametrize(("text", "sentence"), [(b"caf\xe9", "not valid UTF-8 at byte 3"), (b" ", "text 0 is empty")])
def test_an_ensemble_refuses_what_the_router_refuses(text: bytes, sentence: str, server: TritonServer) -> None:
    with (
        grpc.InferenceServerClient(server.grpc_url) as client,
        pytest.raises(InferenceServerException, match=sentence),
    ):
        client.infer("intent", text_tensors({"text": [text]}))


def test_http_says_400_with_the_same_sentence(server: TritonServer) -> None:
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


def test_rows_of_one_request_may_ask_for_different_tasks(server: TritonServer) -> None:
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


def test_one_caller_s_bad_request_does_not_touch_the_others(server: TritonServer) -> None:
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
    ["wake me at seven 🙂 in Paris!", "réveille-moi à Zürich", "请在七点叫醒我", "a\x00b", "\u200bhi", "x" * 5000],
)
def test_spans_of_any_text_point_into_that_text(text: str, client: Client) -> None:
    answer = client.predict(text, tasks=["slots", "intent"])
    assert answer["intent"].label
    for span in answer["slots"].spans:
        assert text[span.start : span.end] == span.text
