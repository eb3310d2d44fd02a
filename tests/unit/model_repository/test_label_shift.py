import random

import pytest
from router.label_shift import LabelSample, shift_beyond_chance


def _sample(draw, texts, first=0):
    sample = LabelSample(most=10**6)
    for number in range(first, first + texts):
        sample.add(number, [draw()])
    return sample


@pytest.mark.parametrize("labels", [2, 6, 60, 150])
@pytest.mark.parametrize(("few", "many"), [(100, 100), (100, 900), (1000, 1000)])
def test_what_two_samples_of_one_distribution_differ_by_is_within_what_chance_may_explain(labels, few, many):
    chance = random.Random(labels * few + many)
    weights = [chance.expovariate(1) for _ in range(labels)]

    for _ in range(20):
        shift, explained = shift_beyond_chance(
            *(_sample(lambda: chance.choices(range(labels), weights)[0], texts) for texts in (few, many))
        )
        assert shift < explained


def test_the_distance_is_half_the_sum_of_the_differences_of_shares():
    one, other = LabelSample(100), LabelSample(100)
    for number, label in enumerate("aaab"):
        one.add(number, [label])
    for number, label in enumerate("abcc"):
        other.add(number, [label])

    shift, _ = shift_beyond_chance(one, other)

    assert shift == pytest.approx((0.5 + 0 + 0.5) / 2)


def test_chance_explains_less_the_more_texts_there_are():
    explained = [
        shift_beyond_chance(_sample(lambda: "a", texts), _sample(lambda: "b", texts))[1] for texts in (50, 500, 5000)
    ]

    assert explained == sorted(explained, reverse=True)
    assert explained[2] < explained[0] / 5


def test_a_sample_forgets_so_that_a_late_change_shows():
    sample = LabelSample(most=100)
    for number in range(5000):
        sample.add(number, ["a"])
    for number in range(5000, 5300):
        sample.add(number, ["b"])

    assert sample.shares()["b"] > 0.9
    assert sample.texts <= 100
    assert len(sample._known) + len(sample._older) <= 200, "its memory is bounded"
