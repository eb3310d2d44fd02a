import numpy as np
import pytest
from router.padded_group import PaddedGroup
from router.states import States
from text_tokenizer import TextTokenizer


@pytest.fixture
def group(tokenizer_file):
    """(texts) -> their group, padded to 12 tokens; a text of n letters has n + 2."""
    return lambda *texts: PaddedGroup.of(TextTokenizer(tokenizer_file, 32).encode([(text, None) for text in texts]), 12)


def test_all_are_padded_to_the_length_and_what_is_padding_is_masked(group):
    made = group("ab", "abcdefgh", "a")

    assert {name: array.shape for name, array in made.arrays.items()} == dict.fromkeys(
        ("input_ids", "attention_mask", "token_type_ids"), (3, 12)
    )
    assert made.arrays["attention_mask"].sum(axis=1).tolist() == [4, 10, 3]


def test_a_branch_reads_the_sequences_that_asked_for_it_and_no_others(group):
    made = group("ab", "abcdefgh", "a")
    hidden = np.arange(3 * 12 * 2, dtype=np.float32).reshape(3, 12, 2)

    inputs = made.branch_inputs(States(range(3), hidden), [0, 2])

    np.testing.assert_array_equal(inputs["hidden"], hidden[[0, 2]])
    assert inputs["attention_mask"].sum(axis=1).tolist() == [4, 3]


def test_a_branch_that_all_asked_for_reads_them_all_in_their_order_without_a_copy(group):
    made = group("ab", "a")
    hidden = np.zeros((2, 12, 2), dtype=np.float32)

    inputs = made.branch_inputs(States([0, 1], hidden), [0, 1])

    assert inputs["hidden"] is hidden
    assert inputs["attention_mask"] is made.arrays["attention_mask"]
