"""Batches, queue, timeouts, cancellation and priorities of the router, and what happens when a branch is missing."""

import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

import pytest
from ask_triton import branch_executions, control, counter, executions
from askers import PATIENCE, Asker
from router_inputs import BATCH, different_texts
from served_suite import Suite
from tritonclient import grpc

from build_tools.serving.supervisor import Settings, Supervisor
from build_tools.serving.triton.resources import choose_resources
from clients import Client


@pytest.fixture
def asker(server: Supervisor) -> Iterator[Asker]:
    with grpc.InferenceServerClient(server.grpc_url) as client:
        yield Asker(client)


def _outcomes(futures: Sequence["Future[int]"]) -> list[str]:
    """Triton's status of each, "" for an answer."""
    errors = [future.exception(PATIENCE) for future in futures]
    return ["" if error is None else str(error.status()) for error in errors]


def test_a_request_whose_timeout_has_passed_is_refused_as_unavailable_and_the_others_are_answered(asker: Asker) -> None:
    futures = [asker.send(["wake me at seven"], timeout=1 if number % 2 else 0)[1] for number in range(8)]

    assert _outcomes(futures) == ["", "StatusCode.UNAVAILABLE"] * 4


def test_a_timeout_counts_the_time_in_the_queue(asker: Asker) -> None:
    """The router itself would have time enough: it is the waiting that takes longer."""
    needed = min(_seconds_of_one(asker) for _ in range(3))
    busy = asker.occupy()

    _, late = asker.send(["wake me at seven"], tasks="intent", timeout=int(5 * needed * 1e6))

    assert _outcomes([late]) == ["StatusCode.UNAVAILABLE"]
    # Triton's words or those of the gate's admission, not the router's.
    assert re.search("Request timeout expired|too busy to answer within", str(late.exception()))
    assert set(_outcomes(busy)) == {""}


def _seconds_of_one(asker: Asker) -> float:
    asked = time.monotonic()
    assert asker.send(["wake me at seven"], tasks="intent")[1].result(PATIENCE) == 1
    return time.monotonic() - asked


def test_requests_of_many_callers_that_wait_together_are_one_batch(server: Supervisor, asker: Asker) -> None:
    busy = asker.occupy()
    before = executions(server)["nlu"]

    waiting = [asker.send([text])[1] for text in different_texts(32)]

    assert set(_outcomes([*busy, *waiting])) == {""}
    assert executions(server)["nlu"] - before < 4 + 8


@pytest.mark.usefixtures("unprobed")
def test_a_cancelled_request_is_not_computed_to_its_end(server: Supervisor, asker: Asker) -> None:
    texts = different_texts(BATCH)
    before, started = branch_executions(server), time.monotonic()
    assert asker.send(texts)[1].result(PATIENCE) == BATCH
    whole, seconds = branch_executions(server) - before, time.monotonic() - started

    before = branch_executions(server)
    call, future = asker.send(texts)
    time.sleep(seconds / 10)
    call.cancel()

    assert _outcomes([future]) == ["StatusCode.CANCELLED"]
    time.sleep(seconds)
    assert branch_executions(server) - before < whole / 2


def test_a_full_queue_refuses_and_the_server_works_afterwards(server: Supervisor, asker: Asker) -> None:
    busy = asker.occupy(6)
    flood: list[Future[int]] = []
    statuses: list[int] = []
    deadline = time.monotonic() + PATIENCE
    # The queue empties while we ask: a request over HTTP may find room, and is then asked again with a new flood.
    while 503 not in statuses and time.monotonic() < deadline:
        flood += [asker.send(["wake me"], tasks="intent", name="flood")[1] for _ in range(900)]
        statuses.append(_status_over_http(server))

    assert set(statuses[:-1]) <= {200}
    assert statuses[-1] == 503
    assert set(_outcomes(flood)) == {"", "StatusCode.UNAVAILABLE"}
    assert set(_outcomes(busy)) == {""}
    assert asker.send(["wake me"], tasks="intent")[1].result(PATIENCE) == 1


def _status_over_http(server: Supervisor) -> int:
    url = f"http://{server.http_url}/v2/models/nlu/generate"
    try:
        with urllib.request.urlopen(url, b'{"text": "wake me", "tasks": "intent"}') as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_an_interactive_request_overtakes_bulk_requests_in_the_queue(asker: Asker) -> None:
    busy = asker.occupy(2)
    bulk = [asker.send(different_texts(BATCH, 20, seed), name="bulk", priority=2)[1] for seed in range(12)]
    _, interactive = asker.send(["wake me"], tasks="intent", name="interactive", priority=1)

    assert set(_outcomes([*busy, *bulk, interactive])) == {""}
    order = [name for name in asker.done if name]
    assert order.index("interactive") < len(bulk) / 2, order


def test_mixed_lengths_in_one_batch_give_the_answers_of_each_text_alone_with_little_padding(
    server: Supervisor, grpc_client: Client
) -> None:
    texts = different_texts(BATCH)
    names = ("espalier_padding_tokens_total", "espalier_tokens_total")
    before = [counter(server, name) for name in names]
    together = grpc_client.predict_batch(texts, tasks=["intent", "domain", "slots"])
    _wait(lambda: counter(server, names[1]) > before[1])
    padding, tokens = (counter(server, name) - count for name, count in zip(names, before, strict=True))

    assert 0 < padding / tokens < 0.2
    for text, answers in zip(texts, together, strict=True):
        alone = grpc_client.predict(text, tasks=["intent", "domain", "slots"])
        for task in ("intent", "domain"):
            assert answers[task].label == alone[task].label, (text, task)
            assert answers[task].score == pytest.approx(alone[task].score, abs=1e-3), (text, task)
        found, expected = ([(span.label, span.text) for span in a["slots"].spans] for a in (answers, alone))
        assert found == expected, text


@contextmanager
def _without(server: Supervisor, model: str) -> Iterator[None]:
    with grpc.InferenceServerClient(server.grpc_url) as client:
        client.unload_model(model, headers=control(server))
        _wait(lambda: not client.is_model_ready(model, headers=control(server)))
        try:
            yield
        finally:
            client.load_model(model, headers=control(server))
            _wait(lambda: client.is_model_ready(model, headers=control(server)))


def _wait(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_missing_branch_is_an_error_of_its_task_alone(suite: Suite, server: Supervisor, client: Client) -> None:
    text, pair = "wake me at seven", "make it half past seven"
    with _without(server, "branch_intent"):
        whole = client.predict(text, pair=pair)
        streamed = dict(client.stream(text, pair=pair))

    for answers in (whole, streamed):
        assert set(answers) == set(suite.checkpoints)
        assert {task for task, answer in answers.items() if answer.error} == {"intent"}
        assert "branch of intent cannot answer now" in answers["intent"].error
        assert answers["intent"].unavailable
    _wait(lambda: client.predict(text, tasks=["intent"])["intent"].label is not None)


def test_the_result_cache_answers_what_was_asked_before_alike(suite: Suite) -> None:
    resources = choose_resources(result_cache=1)
    with (
        Supervisor(Settings(suite.repository, resources=resources), print) as server,
        Client(server.grpc_url) as client,
    ):
        tasks = ["intent", "slots"]
        first = client.predict("wake me at seven", tasks=tasks)
        # Both router processes have a cache of their own: the third asks one of them again.
        later = [client.predict("wake me at seven", tasks=tasks) for _ in range(3)]
        _wait(lambda: sum(counter(server, f"espalier_result_cache_{name}_total") for name in ("hits", "misses")) >= 8)
        hits, misses = (counter(server, f"espalier_result_cache_{name}_total") for name in ("hits", "misses"))
        calls = counter(server, "espalier_branch_seconds_count")

        assert later == [first] * 3
        assert hits >= 4
        assert hits + misses == 8
        assert calls == misses
        streamed = dict(client.stream("wake me at seven", tasks=tasks))
        assert {task: answer.label for task, answer in streamed.items()} == {t: a.label for t, a in first.items()}
