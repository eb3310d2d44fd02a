import pytest

from clients import failure
from clients.errors import Broken, Busy, NotTaken, RequestRejected, ServerFailed, ServerUnavailable

_BROKE = "Failed to process the request(s) for model 'nlu_0_0', message: KeyError: 3\n\nAt:\n  model.py(39)\n"


def test_a_rejection_is_the_servers_sentence_alone() -> None:
    error = failure.refusal("host:1", "unknown task 'x'; known: a, b", bad_request=True)
    assert type(error) is RequestRejected
    assert str(error) == "unknown task 'x'; known: a, b"


@pytest.mark.parametrize("bad_request", [True, False])
def test_a_model_that_broke_is_never_blamed_on_the_request_and_shows_no_traceback(bad_request: bool) -> None:
    error = failure.refusal("host:1", _BROKE, bad_request)
    assert type(error) is ServerFailed
    assert str(error) == "the server at host:1 failed on this request: KeyError: 3"


@pytest.mark.parametrize("rest", ["is not found", "has no available versions"])
def test_a_missing_model_is_named_and_means_unavailable(rest: str) -> None:
    error = failure.refusal("host:1", f"Request for unknown model: 'nlu_stream' {rest}", bad_request=True)
    assert isinstance(error, ServerUnavailable)
    assert "host:1" in str(error)
    assert "'nlu_stream' is not loaded" in str(error)


@pytest.mark.parametrize(
    ("sentence", "advice"),
    [
        ("[request id: <id_unknown>] Exceeds maximum queue size", "its queue is full"),
        ("Server is stopping, scheduler for model has stopped accepting new inference requests", "is being stopped"),
        ("Request timeout expired", "within the timeout"),
        ("the request's timeout of 0.25 s has passed.", "within the timeout"),
    ],
)
def test_a_busy_server_is_unavailable_for_now_whatever_the_status(sentence: str, advice: str) -> None:
    assert failure.is_servers(sentence)
    for bad_request in (True, False):
        error = failure.refusal("host:1", sentence, bad_request)
        assert isinstance(error, ServerUnavailable)
        assert advice in str(error)


def test_an_error_without_a_sentence_still_has_one() -> None:
    assert str(failure.refusal("host:1", "", bad_request=False)).endswith("no reason given")


@pytest.mark.parametrize(
    "sentence",
    [
        "Failed to process the request(s) for model instance 'nlu_stream_0_0', message: Stub process is not healthy.",
        "Stub process 'nlu_stream_0_1' is not healthy.",
        "Server not ready",
        "the server cannot answer now, ask again: trunk has died and is being brought back",
    ],
)
@pytest.mark.parametrize("bad_request", [True, False])
def test_a_dead_process_or_a_server_that_starts_is_not_blamed_on_the_request_and_may_be_asked_again(
    sentence: str, bad_request: bool
) -> None:
    told = failure.refusal("host:1", sentence, bad_request)

    assert isinstance(told, ServerUnavailable)
    assert "ask again later" in str(told)
    assert failure.is_servers(sentence)


def test_unavailable_says_where_why_and_what_to_do() -> None:
    message = str(failure.unreachable("host:1", "Connection refused"))
    assert "host:1 cannot be reached (Connection refused)" in message
    assert "espalier serve" in message
    assert "within 0.5 s" in str(failure.too_slow("host:1", 0.5))


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("the server has 512 requests in flight: ask again later. (request 1)", "has 512 requests in flight"),
        ("the server is stopping: ask another one.", "is stopping"),
        ("the key web has 4 requests in flight, as many as it may: ...", "refuses: the key web has 4"),
    ],
)
def test_what_the_gate_refuses_for_now_may_be_asked_again(sentence: str, said: str) -> None:
    for bad_request in (False, True):  # gRPC has one status for too much and for too large
        error = failure.refusal("host:1", sentence, bad_request)
        assert isinstance(error, ServerUnavailable)
        assert f"the server at host:1 {said}" in str(error)
    assert failure.is_servers(sentence)


def test_a_client_that_is_not_known_is_told_how_to_give_its_key() -> None:
    error = failure.unauthenticated("host:1", "a key is missing")

    assert isinstance(error, RequestRejected)
    assert "(a key is missing): give its key as Client(key=...), or in ESPALIER_KEY" in str(error)


def test_too_large_is_the_caller_s_to_change_and_too_many_passes() -> None:
    large = "Received message larger than max (20000000 vs. 16777216)"
    assert isinstance(failure.too_much("host:1", large), RequestRejected)
    for sentence in ("the key web has 4 requests in flight, as many as it may: wait.", "local_rate_limited", ""):
        assert isinstance(failure.too_much("host:1", sentence), ServerUnavailable)


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("the server is not ready (trunk is loading): ask again.", NotTaken),
        ("Server is stopping: ask again, or ask another server.", NotTaken),
        ("Request for unknown model: 'nlu' is not found", NotTaken),
        ("Server not ready", NotTaken),
        ("the server has 512 requests in flight, as many as it takes: ask again later.", Busy),
        ("the server is too busy to answer within 1 s: an answer takes about 2 s now. Ask again in 1 s.", Busy),
        ("Exceeds maximum queue size", Busy),
        # A request may have brought down the process or the server, and would bring down the next one, too.
        ("the server is being started again: ask again.", Broken),
        ("the server cannot answer now, ask again: trunk has died and is being brought back", Broken),
        ("Stub process 'nlu_0' is not healthy.", Broken),
        ("Request timeout expired", ServerUnavailable),
        ("the key web has 4 requests in flight, as many as it may have: wait.", ServerUnavailable),
    ],
)
def test_only_what_no_server_has_begun_on_may_be_sent_to_another(sentence: str, kind: type[ServerUnavailable]) -> None:
    assert type(failure.refusal("host:1", sentence, bad_request=False)) is kind


def test_of_a_proxy_s_refusals_only_503_says_that_nobody_has_the_request() -> None:
    kinds = {status: type(failure.not_now("host:1", status)) for status in (429, 502, 503, 504)}
    assert kinds == dict.fromkeys((429, 504), ServerUnavailable) | {502: Broken, 503: NotTaken}
