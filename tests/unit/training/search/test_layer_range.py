import pytest

from training.errors import TrainingError
from training.search.layer_range import check_range, default_range, parse_range


@pytest.mark.parametrize(
    ("encoder_layers", "least", "most"), [(12, 4, 10), (6, 2, 5), (24, 8, 20), (4, 2, 3), (3, 1, 2), (2, 1, 1)]
)
def test_the_default_is_the_papers_range_in_proportion(encoder_layers: int, least: int, most: int) -> None:
    layers = default_range(encoder_layers)
    assert (layers[0], layers[-1]) == (least, most)
    check_range(layers, encoder_layers)


def test_one_layer_is_too_few_for_a_trunk() -> None:
    with pytest.raises(TrainingError, match="1 layer has none for a trunk"):
        default_range(1)


def test_a_range_holds_both_its_ends() -> None:
    assert list(parse_range("4-6")) == [4, 5, 6]
    assert list(parse_range(" 4 ")) == [4]


@pytest.mark.parametrize("text", ["", "a", "4-", "-4", "0-3", "4..10", "4-10-12", "4.0-5", "4 - 5"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(TrainingError, match="is not a range"):
        parse_range(text)


def test_a_backward_range_is_refused_with_the_forward_one() -> None:
    with pytest.raises(TrainingError, match="runs backwards: write the smaller number first, like 4-10"):
        parse_range("10-4")


def test_a_range_that_leaves_no_trunk_is_refused() -> None:
    check_range(range(4, 12), 12)
    with pytest.raises(TrainingError, match=r"L must be 1\.\.11 .* not 4-12"):
        check_range(range(4, 13), 12)
