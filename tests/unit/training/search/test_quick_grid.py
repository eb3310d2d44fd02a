"""The few L that docs/search.md names for 12 layers, tried on the paper's Table 1."""

import json

import pytest
from finished_search import PAPER_SCORES

from training.search.layer_range import default_range, parse_layers

GRID = parse_layers("4,5,7,10")


@pytest.mark.parametrize("task", json.loads(PAPER_SCORES.read_text())["tasks"])
def test_the_best_teacher_of_a_geometric_grid_is_within_03_points_of_the_exhaustive_search(task: str) -> None:
    printed = json.loads(PAPER_SCORES.read_text())["tasks"][task]["teachers"]
    scores = {int(layers): score for layers, score in printed.items()}
    best = max(scores[layers] for layers in default_range(12))
    assert round(best - max(scores[layers] for layers in GRID), 9) <= 0.3


def test_the_grid_costs_less_than_three_full_fine_tunings() -> None:
    """By arithmetic: with stored hidden states a teacher costs 3 L per token and epoch, full fine-tuning 3 N."""
    students = (1, 2, 3)
    assert (sum(GRID) + sum(students)) / 12 < 2.7  # the rest is for hidden states and logits, once each
