"""The same text gets the same answer, whatever way it takes and whatever stands beside it."""

import json
import urllib.request

import numpy as np
import pytest
from ask_triton import ensemble_over_grpc, ensemble_over_http
from served_suite import Suite

from build_tools.serving.supervisor import Supervisor
from clients import Client
from training.kinds import Kind

TOLERANCE = 1e-3

TEXTS = [
    "stop",
    "wake me at seven",
    "Play something by Prince in the kitchen, please.",
    " ".join(["remind me to call my mother about the trip to Paris next Friday"] * 7),
    "what is the weather like in Oslo tomorrow",
    "ugh, not again",
]
THIRTY_TWO = (TEXTS * 6)[:32]


def test_golden_examples_come_out_of_the_ensembles_as_they_came_out_of_pytorch(
    suite: Suite, server: Supervisor
) -> None:
    for task in suite.checkpoints:
        checkpoint = suite.checkpoint(task)
        golden = checkpoint.golden
        pairs = [row["text_pair"] for row in golden] if checkpoint.record.kind.is_pair else None
        logits = ensemble_over_grpc(server, task, [row["text"] for row in golden], pairs)["logits"]
        for row, served in zip(golden, logits, strict=True):
            expected = np.array(row["logits"], dtype=np.float32)
            own = served[: len(expected)] if checkpoint.record.kind is Kind.TAGGING else served
            assert np.abs(own - expected).max() < TOLERANCE, (task, row["text"])


@pytest.mark.parametrize("task", ["intent", "slots", "emotion"])
def test_short_texts_beside_long_ones_keep_their_logits(task: str, server: Supervisor) -> None:
    together = ensemble_over_grpc(server, task, THIRTY_TWO)["logits"]
    for text, logits in zip(TEXTS, together, strict=False):
        alone = ensemble_over_grpc(server, task, [text])["logits"][0]
        own = logits[: len(alone)] if task == "slots" else logits
        tokens = slice(None)
        if task == "slots":  # padding positions of the lone text carry logits that nobody reads
            offsets = ensemble_over_grpc(server, task, [text])["offsets"][0]
            tokens = offsets[:, 1] > 0
        assert np.abs(own[tokens] - alone[tokens]).max() < TOLERANCE, text


def test_ensembles_answer_the_same_over_both_transports(server: Supervisor) -> None:
    over_grpc = ensemble_over_grpc(server, "slots", TEXTS)
    over_http = ensemble_over_http(server, "slots", TEXTS)
    assert over_grpc.keys() == over_http.keys() == {"logits", "truncated", "offsets"}
    for name in over_grpc:
        np.testing.assert_allclose(over_grpc[name], over_http[name], atol=TOLERANCE)


def test_the_router_answers_one_text_as_it_answers_it_among_32(client: Client) -> None:
    together = client.predict_batch(THIRTY_TWO, all_scores=True)
    for text, among_others in zip(TEXTS, together, strict=False):
        alone = client.predict(text, all_scores=True)
        assert alone.keys() == among_others.keys()
        for task, answer in alone.items():
            other = among_others[task]
            assert (answer.label, answer.error) == (other.label, other.error)
            assert spans_of(answer) == spans_of(other)
            for label, value in (answer.scores or {}).items():
                assert other.scores[label] == pytest.approx(value, abs=TOLERANCE)


@pytest.mark.parametrize("task", ["domain", "intent", "emotion"])
def test_router_and_ensemble_give_the_same_label_and_scores(
    task: str, suite: Suite, server: Supervisor, client: Client
) -> None:
    labels = suite.checkpoint(task).record.labels
    logits = ensemble_over_grpc(server, task, TEXTS)["logits"]
    for answers, row in zip(client.predict_batch(TEXTS, tasks=[task], all_scores=True), logits, strict=True):
        assert answers[task].label == labels[row.argmax()]
        probabilities = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
        assert [answers[task].scores[label] for label in labels] == pytest.approx(probabilities.tolist(), abs=TOLERANCE)


def test_pair_tasks_get_the_same_answer_from_router_and_ensemble(
    suite: Suite, server: Supervisor, client: Client
) -> None:
    labels = suite.checkpoint("coherence").record.labels
    pairs = ["make it half past seven"] * len(TEXTS)
    logits = ensemble_over_grpc(server, "coherence", TEXTS, pairs)["logits"]
    answers = client.predict_batch(TEXTS, pairs, tasks=["coherence", "intent"])
    assert [answer["coherence"].label for answer in answers] == [labels[row.argmax()] for row in logits]
    # The pair is for pair tasks alone: single-text tasks answer as without it.
    without = client.predict_batch(TEXTS, tasks=["intent"])
    assert [answer["intent"].label for answer in answers] == [answer["intent"].label for answer in without]


def test_curl_over_triton_s_generate_extension_gets_the_client_s_answer(
    server: Supervisor, grpc_client: Client
) -> None:
    body = json.dumps({"text": "wake me at seven", "tasks": "intent,slots"}).encode()
    request = urllib.request.Request(f"http://{server.http_url}/v2/models/nlu/generate", body)
    with urllib.request.urlopen(request) as answer:
        result = json.loads(json.load(answer)["result"])
    expected = grpc_client.predict("wake me at seven", tasks=["intent", "slots"])
    assert result["tasks"].keys() == expected.keys()
    assert result["tasks"]["intent"]["label"] == expected["intent"].label
    assert [span["text"] for span in result["tasks"]["slots"]["spans"]] == [s.text for s in expected["slots"].spans]


def spans_of(answer) -> list[tuple[int, int, str]] | None:
    return None if answer.spans is None else [(span.start, span.end, span.label) for span in answer.spans]
