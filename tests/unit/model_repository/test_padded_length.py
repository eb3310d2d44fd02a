import pytest
from router.padded_length import padded_length


@pytest.mark.parametrize(("tokens", "padded"), [(3, 4), (4, 4), (5, 8), (31, 32), (32, 32), (33, 40), (121, 128)])
def test_few_lengths_are_left_of_many(tokens, padded):
    assert padded_length(tokens, 512) == padded


@pytest.mark.parametrize("most", [61, 64, 66])
def test_no_length_is_less_than_the_tokens_nor_more_than_the_most(most):
    assert all(tokens <= padded_length(tokens, most) <= most for tokens in range(1, most + 1))
