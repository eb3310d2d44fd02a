import numpy as np
import pytest

from build_tools.errors import BuildError
from build_tools.repository.golden_examples import GOLDEN_EXAMPLES, GoldenExamples, read_golden, write_golden
from build_tools.repository.names import TRUNK_INPUTS


def _examples(words: bool) -> GoldenExamples:
    inputs = {name: np.zeros((3, 5), np.int64) for name in TRUNK_INPUTS}
    inputs["attention_mask"][0, :2] = inputs["attention_mask"][1, :3] = inputs["attention_mask"][2] = 1
    shape = (3, 5, 2) if words else (3, 2)
    logits = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return GoldenExamples(inputs, logits, inputs["attention_mask"] == 1 if words else None, float(np.ptp(logits)))


@pytest.mark.parametrize("words", [True, False])
def test_what_is_written_is_read_back_and_always_the_same_bytes(tmp_path, words):
    write_golden(tmp_path, _examples(words))
    first = (tmp_path / GOLDEN_EXAMPLES).read_bytes()

    found = read_golden(tmp_path)

    for name in TRUNK_INPUTS:
        np.testing.assert_array_equal(found.inputs[name], _examples(words).inputs[name])
    np.testing.assert_array_equal(found.logits, _examples(words).logits)
    assert (found.words is None) == (not words)
    assert found.spread == _examples(words).spread
    write_golden(tmp_path, found)
    assert (tmp_path / GOLDEN_EXAMPLES).read_bytes() == first


def test_the_first_examples_are_as_long_as_the_longest_of_them_and_keep_the_range_of_all():
    first = _examples(words=True).first(2)

    assert {array.shape for array in first.inputs.values()} == {(2, 3)}
    assert (first.logits.shape, first.words.shape) == ((2, 3, 2), (2, 3))
    assert first.spread == _examples(words=True).spread
    assert _examples(words=False).first(1).logits.shape == (1, 2)


def test_a_version_of_an_earlier_release_has_none(tmp_path):
    assert read_golden(tmp_path) is None


def _without_logits(arrays):
    del arrays["logits"]


def _pickled(arrays):
    arrays["logits"] = np.array([{}, {}, {}], object)


def _other_length(arrays):
    arrays["token_type_ids"] = arrays["token_type_ids"][:, :2]


def _other_type(arrays):
    arrays["logits"] = arrays["logits"].astype(np.float64)


def _other_rows(arrays):
    arrays["logits"] = arrays["logits"][:2]


def _empty(arrays):
    arrays |= {name: array[:0] for name, array in arrays.items()}


@pytest.mark.parametrize("damage", [_without_logits, _pickled, _other_length, _other_type, _other_rows, _empty])
def test_a_file_of_something_else_is_refused_and_objects_are_never_read(tmp_path, damage):
    arrays = {**_examples(words=False).inputs, "logits": _examples(words=False).logits}
    damage(arrays)
    np.savez(tmp_path / GOLDEN_EXAMPLES, **arrays)

    with pytest.raises(BuildError, match=r"golden\.npz is damaged .*: publish the version again"):
        read_golden(tmp_path)
