"""Medians, ratios and tables of the benchmark."""

import pytest
from report import RATIOS, markdown, medians, ratio_of_rounds, table
from shapes import ASSISTANT, GLUE

THROUGHPUT, _, MEMORY, LATENCY, *_ = RATIOS


def round_of(nlu: float, bare: float) -> dict[str, dict[str, float]]:
    return {"nlu": {"texts_per_second": nlu, "p50_ms": nlu}, "bare": {"texts_per_second": bare, "p50_ms": bare}}


def test_the_median_is_that_of_the_rounds_which_have_the_figure() -> None:
    rounds = [round_of(1, 2), round_of(30, 4), round_of(2, 6), {"naive": {"p50_ms": 5}}]

    assert medians(rounds)["nlu"]["texts_per_second"] == 2
    assert medians(rounds)["bare"]["texts_per_second"] == 4
    assert medians(rounds)["naive"] == {"p50_ms": 5}


def test_a_ratio_is_the_median_of_each_rounds_own() -> None:
    rounds = [round_of(90, 100), round_of(8, 10), round_of(5, 10)]

    assert ratio_of_rounds(THROUGHPUT, rounds) == pytest.approx(0.8)


def test_a_ratio_to_a_rival_that_was_not_measured_is_left_out() -> None:
    assert ratio_of_rounds(MEMORY, [round_of(1, 2)]) is None


def test_a_goal_is_reached_from_its_own_side() -> None:
    assert THROUGHPUT.reached(0.95)
    assert not THROUGHPUT.reached(0.84)
    assert LATENCY.reached(1.1)
    assert not LATENCY.reached(1.11)


def test_the_report_begins_with_ratios_and_ends_with_goals() -> None:
    text = markdown(ASSISTANT, {"16": [round_of(80, 100)], "mix": [round_of(96, 100)]}, ["a note"])

    places = [text.index(part) for part in ("| ratio | 16 tokens | mix |", "| rival |", "- a note", "Goals")]
    assert places == sorted(places)
    assert "| texts/s of (b) over (a), saturated | 0.80 | 0.96 |" in text
    assert "| texts/s of (b) over (a), saturated | at least 0.95 | 0.80 no | 0.96 yes |" in text


def test_goals_of_another_shape_are_marked_as_such() -> None:
    assert "not for this one" in markdown(GLUE, {"16": [round_of(1, 1)]}, [])
    assert "not for this one" not in markdown(ASSISTANT, {"16": [round_of(1, 1)]}, [])


def test_a_table_is_markdown() -> None:
    assert table(["a", "b"], [["x", "1"]]) == "| a | b |\n| --- | ---: |\n| x | 1 |"
