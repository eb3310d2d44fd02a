from pathlib import Path

import numpy as np
import pytest

from build_tools.backends.espalier_backend.request_check import (
    MOST_TOKENS,
    RefusedRequestError,
    RequestCheck,
    check_finite,
)

TRUNK_INPUTS = [
    *({"name": name, "data_type": "TYPE_INT64", "dims": ["-1", "-1"]} for name in ("input_ids", "attention_mask")),
    {"name": "token_type_ids", "data_type": "TYPE_INT64", "dims": ["-1", "-1"]},
    {"name": "hidden_2", "data_type": "TYPE_FP32", "dims": ["-1", "-1", "4"], "optional": True},
]
LIMITS = {"most_tokens": "16", "input_ids_below": "100", "token_type_ids_below": "2", "NUM_STREAMS": "1"}
BRANCH_INPUTS = [
    {"name": "hidden", "data_type": "TYPE_FP32", "dims": ["-1", "-1", "4"]},
    {"name": "attention_mask", "data_type": "TYPE_INT64", "dims": ["-1", "-1"]},
]


@pytest.fixture
def trunk(tmp_path: Path) -> RequestCheck:
    return RequestCheck(TRUNK_INPUTS, LIMITS, tmp_path)


@pytest.fixture
def branch(tmp_path: Path) -> RequestCheck:
    (tmp_path / "branch.json").write_text('{"encoder": {"config": {"max_position_embeddings": 16}}}')
    return RequestCheck(BRANCH_INPUTS, {}, tmp_path)


def _tokens(rows: int = 2, length: int = 5, **changed: np.ndarray) -> dict[str, np.ndarray]:
    names = ("input_ids", "attention_mask", "token_type_ids")
    return {name: np.ones((rows, length), np.int64) for name in names} | changed


def _states(rows: int, length: int, mask_rows: int | None = None, mask_length: int | None = None):
    mask = np.ones((mask_rows or rows, mask_length or length), np.int64)
    return {"hidden": np.zeros((rows, length, 4), np.float32), "attention_mask": mask}


def test_what_a_router_sends_passes(trunk: RequestCheck, branch: RequestCheck) -> None:
    trunk(_tokens())
    trunk(_tokens(1, 16, input_ids=np.full((1, 16), 99)))
    trunk(_tokens(hidden_2=np.zeros((2, 5, 4), np.float32)))
    branch(_states(2, 5))
    branch(_states(1, 16))


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (_tokens(input_ids=np.full((2, 5), 100)), "input_ids holds 100: give values from 0 to 99"),
        (_tokens(input_ids=np.full((2, 5), -1)), "input_ids holds -1"),
        (_tokens(token_type_ids=np.full((2, 5), 2)), "token_type_ids holds 2"),
        (_tokens(attention_mask=np.full((2, 5), 2)), "attention_mask holds 2"),
        (_tokens(attention_mask=np.full((2, 5), np.iinfo(np.int64).min)), "attention_mask holds -9"),
        (_tokens(attention_mask=np.ones((1, 5), np.int64)), "attention_mask has 1 at place 0"),
        (_tokens(token_type_ids=np.ones((2, 4), np.int64)), "token_type_ids has 4 at place 1"),
        (_tokens(input_ids=np.ones((2, 5), np.int32)), "input_ids is int32: give int64"),
        (_tokens(input_ids=np.ones(5, np.int64)), r"input_ids has the shape \[5\]: give \[-1, -1\]"),
        (_tokens(0), "give at least one token"),
        (_tokens(2, 0), "give at least one token"),
        (_tokens(1, 17), "17 tokens are too many: the model takes 16"),
        (_tokens(MOST_TOKENS // 16 + 1, 16), "are too many"),
        (_tokens(hidden_2=np.zeros((2, 4, 4), np.float32)), "hidden_2 has 4 at place 1"),
        (_tokens(hidden_2=np.zeros((2, 5, 3), np.float32)), r"hidden_2 has the shape \[2, 5, 3\]"),
    ],
)
def test_a_trunk_is_not_asked(trunk: RequestCheck, tensors: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(RefusedRequestError, match=said):
        trunk(tensors)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (_states(2, 5, mask_length=4), "attention_mask has 4 at place 1"),
        (_states(2, 5, mask_rows=1), "attention_mask has 1 at place 0"),
        (_states(1, 17), "17 tokens are too many"),
        (_states(0, 5), "give at least one token"),
    ],
)
def test_a_branch_is_not_asked(branch: RequestCheck, tensors: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(RefusedRequestError, match=said):
        branch(tensors)


def test_logits_that_are_not_finite_are_the_callers_fault_only_if_a_hidden_state_is_not_finite() -> None:
    tensors, logits = _states(1, 5), np.array([[1.0, np.nan]], np.float32)
    check_finite(np.zeros((1, 2), np.float32), tensors)
    with pytest.raises(ArithmeticError):
        check_finite(logits, tensors)

    tensors["hidden"][0, 0, 0] = np.inf
    with pytest.raises(RefusedRequestError, match="hidden holds values that are not finite"):
        check_finite(logits, tensors)
