"""Streaming: each task's answer by itself, the same as in one piece."""

import asyncio
import json
import re
import time
import urllib.request

import pytest
from ask_triton import branch_executions, executions, settled_executions
from askers import PATIENCE, StreamAsker
from router_inputs import BATCH, different_texts
from served_suite import Suite

from build_tools.serving.supervisor import Supervisor
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
def test_asyncio_gets_the_same_answers_many_at_once(transport: str, server: Supervisor, grpc_client: Client) -> None:
    url = server.grpc_url if transport == "grpc" else f"http://{server.http_url}"

    async def ask() -> tuple[list, list]:
        async with AsyncClient(url) as client:
            whole = await asyncio.gather(*(client.predict("wake me at seven", tasks=["intent"]) for _ in range(16)))
            return whole, [pair async for pair in client.stream("wake me at seven", tasks=["intent", "slots"])]

    whole, streamed = asyncio.run(ask())
    expected = grpc_client.predict("wake me at seven", tasks=["intent", "slots"])
    assert {answers["intent"].label for answers in whole} == {expected["intent"].label}
    assert {task: answer.label for task, answer in streamed} == {task: a.label for task, a in expected.items()}


def test_server_sent_events_come_one_per_task(server: Supervisor) -> None:
    body = json.dumps({"text": "wake me at seven", "tasks": "intent,slots"}).encode()
    request = urllib.request.Request(f"http://{server.http_url}/v2/models/nlu_stream/generate_stream", body)
    with urllib.request.urlopen(request) as answer:
        events = [json.loads(line[6:]) for line in answer.read().decode().splitlines() if line.startswith("data: ")]
    assert [len(json.loads(event["result"])["tasks"]) for event in events] == [1, 1]


@pytest.mark.usefixtures("unprobed")
def test_a_streamed_request_ends_with_its_own_answers_though_others_of_its_batch_wait(
    suite: Suite, server: Supervisor
) -> None:
    before = executions(server)["nlu_stream"]
    with StreamAsker(server.grpc_url) as asker:
        asker.occupy(name="busy")  # so that the next two wait together
        asker.send(["wake me"], "emotion", name="short")
        asker.send(different_texts(BATCH - 1), ",".join(suite.checkpoints), name="long")
        asker.wait()

    assert asker.errors == []
    batches = settled_executions(server)["nlu_stream"] - before
    assert batches == 5, "they must be one batch for the next line to prove anything"
    of_the_last = [place for place, arrived in enumerate(asker.arrived) if arrived == ("long", False)][-1]
    assert asker.arrived.index(("short", True)) < of_the_last


def test_a_streamed_request_whose_timeout_has_passed_is_refused_and_the_others_are_answered(
    server: Supervisor,
) -> None:
    with StreamAsker(server.grpc_url) as asker:
        for number in range(8):
            asker.send(["wake me at seven"], name=str(number), timeout=1 if number % 2 else 0)
        asker.wait()

    assert sorted(asker.ended) == ["0", "2", "4", "6"]
    assert len(asker.errors) == 4
    # Triton's words, the router's, or those of the gate's admission.
    assert all(re.search("timeout|too busy to answer within", error) for error in asker.errors), asker.errors


@pytest.mark.usefixtures("unprobed")
def test_a_cancelled_stream_is_not_computed_to_its_end(server: Supervisor) -> None:
    texts = different_texts(BATCH)
    before, started = branch_executions(server), time.monotonic()
    with StreamAsker(server.grpc_url) as asker:
        asker.send(texts)
        asker.wait()
    whole, seconds = branch_executions(server) - before, time.monotonic() - started

    before = branch_executions(server)
    with StreamAsker(server.grpc_url) as asker:
        asker.send(texts)
        time.sleep(seconds / 10)

    time.sleep(seconds)
    assert branch_executions(server) - before < whole / 2


def test_a_full_queue_refuses_streamed_requests_at_once(server: Supervisor) -> None:
    deadline = time.monotonic() + PATIENCE
    with StreamAsker(server.grpc_url) as busy, StreamAsker(server.grpc_url) as flood:
        busy.occupy(6)
        while not flood.errors and time.monotonic() < deadline:  # a slow flood is answered meanwhile
            for number in range(900):
                flood.send(["wake me"], "intent", name=str(number))
        busy.wait()
        flood.wait()

    assert busy.errors == []
    assert flood.errors
    assert flood.ended_before_errors < len(flood.ended), "refused at once, not when there is room"
    # Triton's queue, or the gate's admission before it.
    full = "Exceeds maximum queue size|requests in flight|too busy to answer within"
    assert all(re.search(full, error) for error in flood.errors), set(flood.errors)


def test_an_interactive_streamed_request_overtakes_bulk_requests(server: Supervisor) -> None:
    with StreamAsker(server.grpc_url) as asker:
        for seed in range(14):
            asker.send(different_texts(BATCH, 20, seed), name="bulk", priority=2)
        asker.send(["wake me"], "intent", name="interactive", priority=1)
        asker.wait()

    assert asker.errors == []
    assert "interactive" in asker.ended[:8], asker.ended
