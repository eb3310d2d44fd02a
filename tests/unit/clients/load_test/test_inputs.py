import json
from pathlib import Path

import pytest

from clients.errors import RequestRejected
from clients.load_test.inputs import prepare_inputs


def _tensor(value: str) -> dict[str, list[object]]:
    return {"content": [value], "shape": [1]}


def test_each_text_is_the_request_that_the_client_would_send(tmp_path: Path) -> None:
    file = tmp_path / "inputs.json"
    prepare_inputs(["ü", "b"], [None, "c"], ["intent", "slots"], file)
    assert json.loads(file.read_text(encoding="utf-8")) == {
        "data": [
            {"text": _tensor("ü"), "tasks": _tensor("intent,slots")},
            {"text": _tensor("b"), "pair": _tensor("c"), "tasks": _tensor("intent,slots")},
        ]
    }
    prepare_inputs(["a"] * 70, None, None, file)  # more than one batch of the client
    assert json.loads(file.read_text(encoding="utf-8")) == {"data": [{"text": _tensor("a")}] * 70}


def test_a_row_that_the_server_would_refuse_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestRejected, match=r"texts\[1\] is empty"):
        prepare_inputs(["a", " "], None, None, tmp_path / "inputs.json")
    with pytest.raises(RequestRejected, match="pairs has 1 rows"):
        prepare_inputs(["a", "b"], ["c"], None, tmp_path / "inputs.json")
    with pytest.raises(RequestRejected, match="no texts"):
        prepare_inputs([], None, None, tmp_path / "inputs.json")
