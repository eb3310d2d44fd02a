"""Streaming: each task's answer by itself, the same as in one piece."""

import asyncio
import json
import urllib.request

import pytest
from served_suite import Suite

from build_tools.serving.server import TritonServer
from clients import AsyncClient, Client, RequestRejected


def test_a_stream_brings_each_task_once_with_the_router_s_answer(suite: Suite, client: Client) -> None:
    text, pair = "wake me at seven", "make it half past seven"
    whole = client.predict(text, pair=pair)
    streamed = list(client.stream(text, pair=pair))
    assert sorted(task for task, _ in streamed) == sorted(suite.checkpoints)
    for task, answer in streamed:
        assert (answer.label, answer.version) == (whole[task].label, whole[task].version)
        assert answer.score == pytest.approx(whole[task].score, abs=1e-3)


def test_a_stream_brings_only_the_tasks_asked_for(client: Client) -> None:
    assert {task for task, _ in client.stream("wake me at seven", tasks=["intent", "emotion"])} == {"intent", "emotion"}


def test_a_pair_task_without_a_pair_is_an_error_of_its_own_in_a_stream(client: Client) -> None:
    answers = dict(client.stream("wake me at seven", tasks=["intent", "coherence"]))
    assert answers["intent"].label
    assert "give a pair" in answers["coherence"].error


def test_a_refused_stream_says_why(client: Client) -> None:
    with pytest.raises(RequestRejected, match=r"no task 'nope'; known tasks: .*intent"):
        list(client.stream("wake me at seven", tasks=["nope"]))


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_asyncio_gets_the_same_answers_many_at_once(transport: str, server: TritonServer, grpc_client: Client) -> None:
    url = server.grpc_url if transport == "grpc" else f"http://{server.http_url}"

    async def ask() -> tuple[list, list]:
        async with AsyncClient(url) as client:
            whole = await asyncio.gather(*(client.predict("wake me at seven", tasks=["intent"]) for _ in range(16)))
            return whole, [pair async for pair in client.stream("wake me at seven", tasks=["intent", "slots"])]

    whole, streamed = asyncio.run(ask())
    expected = grpc_client.predict("wake me at seven", tasks=["intent", "slots"])
    assert {answers["intent"].label for answers in whole} == {expected["intent"].label}
    assert {task: answer.label for task, answer in streamed} == {task: a.label for task, a in expected.items()}


def test_server_sent_events_come_one_per_task(server: TritonServer) -> None:
    body = json.dumps({"text": "wake me at seven", "tasks": "intent,slots"}).encode()
    request = urllib.request.Request(f"http://{server.http_url}/v2/models/nlu_stream/generate_stream", body)
    with urllib.request.urlopen(request) as answer:
        events = [json.loads(line[6:]) for line in answer.read().decode().splitlines() if line.startswith("data: ")]
    assert [len(json.loads(event["result"])["tasks"]) for event in events] == [1, 1]
