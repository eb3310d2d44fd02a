"""On a server that answers zeros; what the golden examples say is written here."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from build_tools.errors import BuildError
from build_tools.publishing.promote import promote
from build_tools.publishing.rollback import rollback
from build_tools.publishing.served_answers import TrunkSilentError, check_answers, silent_versions
from build_tools.publishing.verify import wrong_answers
from build_tools.repository.golden_examples import GoldenExamples, write_golden
from build_tools.repository.names import TRUNK_INPUTS
from build_tools.repository.registry import Registry, read_registry, write_registry


def _golden(repository: Path, model: str, number: int, logits: list[list[float]]) -> None:
    inputs = {name: np.ones((len(logits), 3), np.int64) for name in TRUNK_INPUTS}
    write_golden(repository / model / str(number), GoldenExamples(inputs, np.array(logits, np.float32), None, 0.0))


def _check(server, repository: Path, registry: Registry, number: int = 2) -> float | None:
    return check_answers(server, repository, registry, "intent", number, rows=4)


def test_a_version_that_answers_as_its_golden_examples_say_passes(repository, registry, triton) -> None:
    _golden(repository, "branch_intent", 2, [[0.0, 0.0005]])

    assert _check(triton(repository), repository, registry) == pytest.approx(0.0005)


def test_a_version_of_an_earlier_release_has_no_golden_examples_and_only_has_to_answer(
    repository, registry, triton
) -> None:
    server = triton(repository)
    assert _check(server, repository, registry) is None

    server.dead.add("branch_intent")
    with pytest.raises(BuildError, match="branch_intent version 2 does not answer"):
        _check(server, repository, registry)


@pytest.mark.parametrize(
    ("logits", "said"),
    [
        ([[0.0, 0.0], [0.0, 0.1]], "golden example 2: a logit differs by 0.1; at most 0.001 is allowed"),
        ([[0.0, 0.0, 0.0]], r"its logits have the shape \[1, 2\] in place of \[1, 3\]"),
        ([[0.0, float("nan")]], "golden example 1: a logit differs"),
    ],
)
def test_a_version_that_answers_something_else_is_refused(repository, registry, triton, logits, said) -> None:
    _golden(repository, "branch_intent", 2, logits)

    with pytest.raises(BuildError, match=said):
        _check(triton(repository), repository, registry)


def test_a_damaged_file_of_golden_examples_is_named(repository, registry, triton) -> None:
    (repository / "branch_intent/2/golden.npz").write_bytes(b"PK\x03\x04")

    with pytest.raises(BuildError, match=r"golden\.npz is damaged"):
        _check(triton(repository), repository, registry)


def _shadow(repository: Path, registry: Registry) -> None:
    entry = registry.tasks["intent"].model_copy(update={"live": 2, "earlier": [1], "shadow": 3})
    write_registry(repository, registry.model_copy(update={"tasks": registry.tasks | {"intent": entry}}))


@pytest.mark.parametrize(
    ("change", "number", "prepare"),
    [(rollback, 2, lambda *_: None), (promote, 3, _shadow)],
    ids=["rollback", "promote"],
)
@pytest.mark.parametrize("trouble", ["dead branch", "dead trunk", "wrong answer"])
def test_no_version_is_made_live_that_is_dead_or_wrong(
    repository, registry, triton, change: Callable, number: int, prepare: Callable, trouble: str
) -> None:
    prepare(repository, registry)
    _golden(repository, "branch_intent", number, [[9.0, 0.0] if trouble == "wrong answer" else [0.0, 0.0]])
    before = read_registry(repository)
    server = triton(repository)
    server.dead |= {"dead branch": {"branch_intent"}, "dead trunk": {"trunk"}}.get(trouble, set())

    with pytest.raises(BuildError, match=f"version {number} of intent is not made live, because it does not answer"):
        change("intent", repository, server)

    assert read_registry(repository) == before


def test_a_candidate_can_be_ended_though_the_live_version_is_dead(repository, registry, triton) -> None:
    _shadow(repository, registry)
    server = triton(repository)
    server.dead.add("branch_intent")

    assert rollback("intent", repository, server) == (3, 2)


def test_silent_versions_are_told_with_their_reason_and_a_dead_trunk_is_asked_once(
    repository, registry, triton, monkeypatch
) -> None:
    _golden(repository, "branch_intent", 2, [[9.0, 0.0]])
    _golden(repository, "branch_intent", 3, [[0.0, 0.0]])
    server = triton(repository)
    assert wrong_answers(repository, server) == [
        "version 2 of intent does not answer: golden example 1: a logit differs by 9; at most 0.001 is allowed."
    ]

    server.dead.add("trunk")
    asked, infer = [], server.infer
    monkeypatch.setattr(server, "infer", lambda model, *given: asked.append(model) or infer(model, *given))
    silent = silent_versions(server, repository, registry, {"branch_intent": [2, 3]}, rows=1, seconds=1.0)

    assert list(silent) == ["intent"]
    assert set(silent["intent"]) == {2, 3}
    assert asked == ["trunk"]


def test_what_is_not_loaded_is_not_asked(repository, registry, triton) -> None:
    server = triton(repository)
    server.dead |= {"trunk", "branch_intent", "branch_mood"}

    assert silent_versions(server, repository, registry, {}, rows=1, seconds=1.0) == {}


def test_a_trunk_that_does_not_answer_is_told_apart(repository, registry, triton) -> None:
    _golden(repository, "branch_intent", 2, [[0.0, 0.0]])
    server = triton(repository)
    server.dead.add("trunk")

    with pytest.raises(TrunkSilentError):
        _check(server, repository, registry)
