import numpy as np
import pytest

from build_tools.backends.espalier_backend import parts as module
from build_tools.backends.espalier_backend.parts import parts


@pytest.mark.parametrize(("rows", "length", "expected"), [(64, 512, 16), (64, 32, 1), (1, 512, 1), (5, 5000, 5)])
def test_no_part_has_more_tokens_than_a_router_sends_unless_one_sequence_has(rows, length, expected):
    tensors = {"hidden": np.zeros((rows, length, 2)), "attention_mask": np.zeros((rows, length))}
    found = list(parts(tensors))
    assert len(found) == expected
    assert all(tokens <= max(module._MOST_TOKENS, length) for _, tokens in found)
    assert sum(tokens for _, tokens in found) == rows * length
    assert all(len(part["hidden"]) == len(part["attention_mask"]) for part, _ in found)


def test_the_parts_are_the_whole_in_order():
    ids = np.arange(3000).reshape(3, 1000)
    found = [part["ids"] for part, _ in parts({"ids": ids, "attention_mask": np.ones_like(ids)})]
    np.testing.assert_array_equal(np.concatenate(found), ids)
