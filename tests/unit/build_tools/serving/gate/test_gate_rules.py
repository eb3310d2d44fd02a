"""Who may ask what, and in which words and class the gate says no."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from raw_requests import text_request
from tritonclient.grpc import service_pb2 as pb

from build_tools.serving.gate.access import Caller, OpenAccess
from build_tools.serving.gate.call import InferCall
from build_tools.serving.gate.catalogue import Models, ModelSpec
from build_tools.serving.gate.exchanges import Exchanges
from build_tools.serving.gate.gate import Gate
from build_tools.serving.gate.grpc_messages import read_call
from build_tools.serving.gate.observers import Exchange
from build_tools.serving.gate.readiness import Readiness
from build_tools.serving.gate.refusal import Code, RefusedError
from build_tools.serving.gate.settings import Limits
from build_tools.serving.state import ServerState

LIMITED = Caller("team", frozenset({"intent", "gone"}))
CONTROL = Caller("control", may_control=True)


class AskedTriton:
    """Keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[pb.ModelInferRequest, float]] = []

    async def infer(self, message: bytes, seconds: float) -> bytes:
        self.asked.append((pb.ModelInferRequest.FromString(message), seconds))
        return b"answer"


class OpenDoor:
    @asynccontextmanager
    async def admit(self, *_: object) -> AsyncIterator[None]:
        yield


@pytest.fixture
def triton() -> AskedTriton:
    return AskedTriton()


@pytest.fixture
def gate(triton: AskedTriton, tmp_path: Path) -> Gate:
    ServerState(ready=True, written_at=time.monotonic() + 1e6, tasks={"intent": True}).write(tmp_path / "state.json")
    (tmp_path / "control.key").write_text("k" * 43)
    gate = Gate(
        Limits(),
        tmp_path,
        Readiness(tmp_path / "state.json"),
        OpenAccess(),
        OpenDoor(),
        triton,  # type: ignore[arg-type]
    )
    gate.look()
    models = gate.catalogue.models
    ensembles = {
        task: ModelSpec({"text": "BYTES"}, ("text",), frozenset({"logits"}), task=task) for task in ("intent", "slots")
    }
    gate.catalogue._file.value = Models(
        {**ensembles, **models.open}, frozenset({"trunk"}), frozenset({"intent", "slots"})
    )
    return gate


def _ask(gate: Gate, caller: Caller, call: InferCall, seconds: float | None = None) -> Exchange:
    exchange = Exchange("grpc", "ModelInfer", id="by chance", caller=caller)
    asyncio.run(gate.infer(exchange, call, seconds))
    return exchange


def _call(model: str = "nlu", tasks: str | None = None, **fields: object) -> InferCall:
    message = text_request(model, **fields)
    if tasks is not None:
        message.inputs.add(name="tasks", datatype="BYTES", shape=[1, 1]).contents.bytes_contents.append(tasks.encode())
        message.inputs[0].contents.bytes_contents.append(b"wake me")
        del message.raw_input_contents[:]
    return read_call(message.SerializeToString())


def _code(ask: Callable[[], object]) -> Code:
    with pytest.raises(RefusedError) as refusal:
        ask()
    return refusal.value.code


def test_a_caller_of_some_tasks_who_names_none_asks_its_own(gate: Gate, triton: AskedTriton) -> None:
    _ask(gate, LIMITED, _call())
    assert read_call(triton.asked[0][0].SerializeToString()).tasks == ["intent"]


def test_a_foreign_task_and_an_unknown_one_are_refused_in_the_same_words(gate: Gate, triton: AskedTriton) -> None:
    sentences = set()
    for name in ("slots", "nope", "gone"):
        with pytest.raises(RefusedError) as refusal:
            _ask(gate, LIMITED, _call(tasks=f"intent, {name}"))
        assert refusal.value.code is Code.FORBIDDEN
        sentences.add(refusal.value.sentence.replace(name, "NAME"))
    assert len(sentences) == 1
    for name in ("slots", "nope", "trunk"):
        with pytest.raises(RefusedError) as refusal:
            _ask(gate, LIMITED, _call(name))
        assert refusal.value.code is Code.NOT_FOUND
        sentences.add(refusal.value.sentence.replace(name, "NAME"))
    assert len(sentences) == 2
    assert triton.asked == []


@pytest.mark.parametrize("tasks", ["", ",", " , "])
def test_an_empty_list_tells_a_caller_of_some_tasks_only_of_its_own(
    gate: Gate, triton: AskedTriton, tasks: str
) -> None:
    with pytest.raises(RefusedError, match="the list of tasks is empty: name some of intent, or leave") as refusal:
        _ask(gate, LIMITED, _call(tasks=tasks))
    assert refusal.value.code is Code.INVALID
    assert triton.asked == []


def test_a_caller_none_of_whose_tasks_is_served_is_told_so(gate: Gate) -> None:
    assert _code(lambda: _ask(gate, Caller("team", frozenset({"gone"})), _call())) is Code.FORBIDDEN


def test_who_may_ask_all_tasks_lets_the_router_name_the_unknown_one(gate: Gate, triton: AskedTriton) -> None:
    _ask(gate, Caller(), _call(tasks="nope"))
    assert len(triton.asked) == 1


def test_the_earliest_deadline_counts_and_none_becomes_the_default(gate: Gate, triton: AskedTriton) -> None:
    call = _call()
    _ask(gate, Caller(), call)
    _ask(gate, Caller(), call, 2.0)
    timed = text_request()
    timed.parameters["timeout"].int64_param = 500_000
    _ask(gate, Caller(), read_call(timed.SerializeToString()), 2.0)
    assert [seconds for _, seconds in triton.asked] == pytest.approx([30.0, 2.0, 0.5], abs=0.1)
    assert triton.asked[2][0].parameters["timeout"].int64_param == pytest.approx(500_000, abs=100_000)


def test_a_request_without_an_id_gets_the_one_of_its_header(gate: Gate, triton: AskedTriton) -> None:
    assert _ask(gate, Caller(), _call()).id == triton.asked[0][0].id == "by chance"
    assert _ask(gate, Caller(), _call(id="own")).id == triton.asked[1][0].id == "own"


def test_a_model_that_answers_often_is_not_asked_once(gate: Gate) -> None:
    assert _code(lambda: _ask(gate, Caller(), _call("nlu_stream"))) is Code.NOT_OFFERED


def test_only_the_control_key_of_the_repository_controls(gate: Gate) -> None:
    assert gate.identify(None, "k" * 43) == CONTROL
    for wrong in (None, "", "k" * 42, "k" * 44, "ü"):
        assert not gate.identify(None, wrong).may_control
    assert _code(lambda: gate.check_control(Caller())) is Code.FORBIDDEN
    gate.check_control(CONTROL)


def test_without_a_key_in_the_repository_nobody_controls(gate: Gate) -> None:
    gate._control_key.value = None
    assert not gate.identify(None, "").may_control
    assert not gate.identify(None, "None").may_control


def test_metadata_of_trunk_and_branches_is_for_who_may_ask_all_tasks(gate: Gate) -> None:
    assert gate.readable(Caller(), "trunk")
    assert not gate.readable(LIMITED, "trunk")
    assert not gate.readable(Caller(), "evil")
    assert gate.readable(CONTROL, "evil")
    assert [gate.readable(LIMITED, name) for name in ("nlu", "intent", "slots")] == [True, True, False]


def test_a_branch_is_asked_with_the_control_key_alone(gate: Gate, triton: AskedTriton) -> None:
    call = InferCall("branch_intent", "3")
    assert _code(lambda: _ask(gate, Caller(), call)) is Code.NOT_FOUND
    _ask(gate, CONTROL, call)
    assert triton.asked[0][0].model_version == "3"
    assert _code(lambda: _ask(gate, CONTROL, InferCall("../x"))) is Code.INVALID


def test_a_server_that_is_not_ready_says_so_and_can_still_be_changed(gate: Gate, tmp_path: Path) -> None:
    ServerState(ready=False, reason="the trunk is dead", written_at=time.monotonic()).write(tmp_path / "state.json")
    gate.look()
    with pytest.raises(RefusedError, match="the trunk is dead") as refusal:
        _ask(gate, Caller(), _call())
    assert refusal.value.code is Code.UNAVAILABLE
    gate.check_control(CONTROL)
    assert not gate.readiness.has_task("intent")
    gate.readiness.end()
    assert _code(lambda: gate.check_control(CONTROL)) is Code.UNAVAILABLE


def test_a_supervisor_that_is_silent_makes_the_gate_unready(gate: Gate, tmp_path: Path) -> None:
    ServerState(ready=True, written_at=time.monotonic() - 60).write(tmp_path / "state.json")
    gate.look()
    assert not gate.readiness.is_ready
    assert not gate.readiness.is_live


def test_a_clock_that_is_set_makes_no_supervisor_silent_and_hides_none_that_is(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for written, is_live in ((0, True), (60, False)):
        ServerState(ready=True, written_at=time.monotonic() - written).write(tmp_path / "state.json")
        gate.look()
        for hour in (-3600, 3600):
            with monkeypatch.context() as patched:
                set_to = time.time() + hour
                patched.setattr(time, "time", lambda set_to=set_to: set_to)
                assert gate.readiness.is_live == is_live


def test_a_damaged_registry_leaves_the_last_good_one(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "registry.json").write_text("[" * 100_000)
    gate.look()
    assert "intent" in gate.catalogue.models.open


class Notes:
    def __init__(self) -> None:
        self.noted: list[tuple[str, str, str]] = []

    def began(self, exchange: Exchange) -> None:
        self.noted.append(("began", exchange.id, ""))

    def ended(self, exchange: Exchange) -> None:
        self.noted.append(("ended", exchange.id, exchange.code))


def test_observers_are_told_of_each_request_and_how_it_ended() -> None:
    notes = Notes()
    exchanges = Exchanges([notes])

    def fail(error: BaseException, headers: dict[str, str]) -> None:
        with exchanges.exchange("grpc", "ModelInfer", headers):
            raise error

    with exchanges.exchange("grpc", "ModelInfer", {"x-request-id": "a"}):
        assert exchanges.inside == 1
    for error, kind in (
        (RefusedError(Code.TOO_MANY, "no"), RefusedError),
        (KeyError("a fault of the gate"), RefusedError),
        (asyncio.CancelledError(), asyncio.CancelledError),
    ):
        with pytest.raises(kind):
            fail(error, {"x-request-id": "b"})
    with pytest.raises(RefusedError):
        fail(AssertionError(), {"x-request-id": "a\nforged line"})
    assert [code for _, _, code in notes.noted[1::2]] == ["ok", "too_many", "internal", "cancelled", "invalid"]
    assert exchanges.inside == 0
    assert "a\nforged line" not in {request_id for _, request_id, _ in notes.noted}


@pytest.mark.parametrize(
    ("sent", "passed_on"),
    [
        (f"00-{'a' * 32}-{'b' * 16}-01", f"00-{'a' * 32}-{'b' * 16}-01"),
        (f"00-{'a' * 32}-{'b' * 16}-01\n", ""),
        ("anything", ""),
    ],
)
def test_only_a_w3c_trace_context_goes_on(sent: str, passed_on: str) -> None:
    with Exchanges([]).exchange("grpc", "ModelInfer", {"traceparent": sent}) as exchange:
        assert exchange.traceparent == passed_on


def test_a_sentence_is_not_longer_than_grpc_can_send() -> None:
    assert len(RefusedError(Code.INVALID, "x" * 10**6).for_request("id")) < 1100
