from collections.abc import Mapping

import numpy as np

from build_tools.backends.espalier_backend.chain import Chain


class AddOne:
    """Computes `output` as 1 more than `source`, and counts its runs."""

    def __init__(self, source: str, output: str) -> None:
        self.outputs = (output,)
        self.runs = 0
        self._source = source

    def __call__(self, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.runs += 1
        return {self.outputs[0]: tensors[self._source] + 1}


def _chain() -> tuple[list[AddOne], Chain]:
    segments = [AddOne("x", "a"), AddOne("a", "b"), AddOne("b", "c")]
    return segments, Chain(segments)


def test_nothing_above_the_deepest_output_asked_for_is_run():
    segments, chain = _chain()

    computed = chain.run({"x": np.zeros(1)}, ["b", "a"])

    assert [segment.runs for segment in segments] == [1, 1, 0]
    assert {name: tensor.item() for name, tensor in computed.items()} == {"a": 1, "b": 2}


def test_what_was_computed_on_the_way_is_told_though_nobody_asked():
    _, chain = _chain()

    assert list(chain.run({"x": np.zeros(1)}, ["c"])) == ["a", "b", "c"]


def test_a_request_does_not_see_what_an_earlier_one_computed():
    segments, chain = _chain()
    chain.run({"x": np.zeros(1)}, ["a"])

    assert chain.run({"x": np.ones(1)}, ["a"])["a"].item() == 2
    assert segments[0].runs == 2


def test_the_chain_goes_on_from_an_output_that_is_given_and_runs_nothing_below_it():
    segments, chain = _chain()

    computed = chain.run({"x": np.zeros(1), "a": np.full(1, 10.0)}, ["c"])

    assert [segment.runs for segment in segments] == [0, 1, 1]
    assert {name: tensor.item() for name, tensor in computed.items()} == {"b": 11, "c": 12}


def test_of_several_outputs_given_the_highest_is_where_the_chain_goes_on():
    segments, chain = _chain()

    chain.run({"x": np.zeros(1), "b": np.ones(1), "a": np.zeros(1)}, ["c"])

    assert [segment.runs for segment in segments] == [0, 0, 1]
