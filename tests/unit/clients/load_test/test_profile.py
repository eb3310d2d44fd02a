import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clients.errors import ServerFailed
from clients.load_test.measurement import latency_of
from clients.load_test.profile import Profile, read_profile

_MS = 1_000_000
_START = 1_700_000_000  # seconds


def _result(**tasks: object) -> dict[str, str]:
    return {"result": json.dumps({"tasks": tasks})}


_ANSWER = _result(intent={"label": "stop"})
_REFUSAL = _result(coherence={"error": "needs a pair"})
_FINAL = {"result": ""}


def _request(sent_ms: int, *responses: tuple[int, dict[str, Any]]) -> dict[str, Any]:
    """A request with its responses, each so many milliseconds after it."""
    sent = _START * 1000 * _MS + sent_ms * _MS
    return {
        "timestamp": sent,
        "request_inputs": {"text": "a"},
        "response_timestamps": [sent + after * _MS for after, _ in responses],
        "response_outputs": [outputs for _, outputs in responses],
    }


def _read(folder: Path, *requests: dict[str, Any]) -> Profile:
    export = folder / "profile.json"
    export.write_text(json.dumps({"experiments": [{"requests": requests}]}), encoding="utf-8")
    return read_profile(export, _START + 1, _START + 2)


def test_only_requests_answered_within_the_stretch_count(tmp_path: Path) -> None:
    profile = _read(
        tmp_path,
        _request(900, (50, _ANSWER)),  # answered in the warm-up
        _request(950, (100, _ANSWER)),
        _request(1500, (30, _ANSWER)),
        _request(1990, (20, _ANSWER)),  # answered after the end
    )
    np.testing.assert_allclose(profile.last, [100, 30])


def test_the_empty_final_response_of_a_stream_is_no_answer(tmp_path: Path) -> None:
    profile = _read(tmp_path, _request(1000, (10, _ANSWER), (40, _ANSWER), (90, _FINAL)), _request(1000, (5, _FINAL)))
    np.testing.assert_allclose(profile.last, [40])
    np.testing.assert_allclose(profile.first, [10])


def test_the_refusal_of_a_task_is_counted_and_is_not_the_first_answer(tmp_path: Path) -> None:
    profile = _read(
        tmp_path,
        _request(1000, (1, _REFUSAL), (20, _ANSWER), (50, _FINAL)),
        _request(1000, (2, _REFUSAL), (50, _FINAL)),  # nothing but errors
        _request(1000, (30, _result(intent={"label": "error"}, coherence={"error": "needs a pair"}))),
    )
    np.testing.assert_allclose(profile.first, [20, np.nan, 30])
    assert profile.task_errors == ["needs a pair"] * 3


def test_other_models_tensors_need_no_tasks(tmp_path: Path) -> None:
    profile = _read(tmp_path, _request(1000, (30, {"logits": [0.5, 1.5], "truncated": False})))
    np.testing.assert_allclose(profile.last, [30])
    assert profile.task_errors == []


@pytest.mark.parametrize("content", [b'{"experiments": [{"requ', b"{}", b'{"experiments": [{"requests": [{}]}]}'])
def test_a_record_that_was_cut_off_is_an_error_and_not_a_result(tmp_path: Path, content: bytes) -> None:
    export = tmp_path / "profile.json"
    export.write_bytes(content)
    with pytest.raises(ServerFailed, match="cannot be read"):
        read_profile(export, 0, 1)


def test_raw_string_lengths_in_tensors_do_not_stop_the_reading(tmp_path: Path) -> None:
    export = tmp_path / "profile.json"
    request = json.dumps(_request(1000, (30, {"words": "@"}))).encode().replace(b"@", b"a\xc8\\u0000b")
    export.write_bytes(b'{"experiments": [{"requests": [' + request + b"]}]}")
    assert len(read_profile(export, _START + 1, _START + 2).last) == 1


def test_percentiles_leave_out_what_has_no_first_answer() -> None:
    latency = latency_of(np.array([*range(101), np.nan], dtype=float))
    assert latency is not None
    assert (latency.average, latency.p50, latency.p90, latency.p95, latency.p99) == (50, 50, 90, 95, 99)
    assert latency_of(np.array([np.nan])) is None
