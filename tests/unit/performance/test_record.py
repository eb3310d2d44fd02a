"""Rounds that another run goes on with."""

from pathlib import Path

import pytest
from errors import BenchError
from record import Record, read_record, write_record

SETTING = {"shape": "assistant", "seconds": 3.0}
KINDS = ["16", "mix"]
TRIED = [{"layout": "one call after the other", "batch": 8, "texts_per_second": 17.3}]


def figures(value: float) -> dict[str, dict[str, float]]:
    return {kind: {"p50_ms": value} for kind in KINDS}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rounds = [{"nlu": figures(1), "bare": figures(2)}, {"nlu": figures(3)}]
    record = Record(rounds, tried=TRIED, encoders=21, days=["2026-01-02"])
    write_record(tmp_path / "bench" / "assistant.json", SETTING, record, KINDS, ["a note"])
    return tmp_path / "bench" / "assistant.json"


def test_what_is_read_is_what_was_written_without_the_rivals_that_failed(file: Path) -> None:
    record = read_record(file, SETTING, KINDS)

    assert record.rounds == [{"nlu": figures(1), "bare": figures(2)}, {"nlu": figures(3)}]
    assert (record.tried, record.encoders, record.days) == (TRIED, 21, ["2026-01-02"])


@pytest.mark.parametrize(
    ("of", "kinds", "differing"), [(SETTING | {"seconds": 8.0}, KINDS, "seconds"), (SETTING, ["16"], "tokens")]
)
def test_rounds_of_another_setting_are_not_mixed_in(
    file: Path, of: dict[str, object], kinds: list[str], differing: str
) -> None:
    with pytest.raises(BenchError, match=rf"assistant.json is of another setting \({differing}\): leave --go-on out"):
        read_record(file, of, kinds)


def test_nothing_to_go_on_with_is_told(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="to go on with: leave --go-on out"):
        read_record(tmp_path / "none.json", SETTING, KINDS)
