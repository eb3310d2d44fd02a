import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from paper_protocol import ASSISTANT, DEEP, GLUE, Machine, Protocol
from paper_record import record

import training.cli


@pytest.fixture
def protocol(tmp_path: Path) -> Protocol:
    """The protocol on tiny data: each task has two rows, sst2 more dev rows than need three seeds."""
    for task in {*GLUE, *ASSISTANT, *DEEP}:
        (tmp_path / "data" / task).mkdir(parents=True)
        row = json.dumps({"text": "a text of some words", "label": "a"}) + "\n"
        (tmp_path / "data" / task / "train.jsonl").write_text(2 * row)
        (tmp_path / "data" / task / "dev.jsonl").write_text((1000 if task == "sst2" else 2) * row)
    return Protocol(tmp_path / "data", tmp_path / "out", "mpnet", Machine())


def test_every_piece_is_a_command_that_espalier_takes(protocol: Protocol) -> None:
    program = typer.main.get_command(training.cli.app)
    assert isinstance(program, typer.core.TyperGroup)
    for piece in protocol.pieces():
        verb, *arguments = piece.arguments
        program.commands[verb].make_context(verb, list(arguments))  # raises for an unknown option or a bad value


def test_few_dev_rows_are_measured_with_three_seeds_and_the_longest_piece_comes_first(protocol: Protocol) -> None:
    pieces = protocol.pieces()
    assert [piece.name for piece in pieces if " sst2 " in piece.name] == ["minilm sst2 seed 0"]
    assert len([piece for piece in pieces if "minilm trec seed" in piece.name]) == 3
    assert [piece.seconds for piece in pieces] == sorted((piece.seconds for piece in pieces), reverse=True)


def test_another_seed_and_the_exhaustive_search_take_the_rates_that_the_first_seed_chose(protocol: Protocol) -> None:
    def given_of(name: str, option: str = "--learning-rate") -> list[str]:
        (given,) = (piece.arguments for piece in protocol.pieces() if piece.name == name)
        return [given[place + 1] for place, word in enumerate(given) if word == option]

    first = protocol.output / "minilm-seed0" / "trec" / "result.json"
    first.parent.mkdir(parents=True)
    trials = [
        {"role": role, "layers": layers, "state": state, "score": score, "learning_rate": rate}
        for role, layers, state, score, rate in (
            ("teacher", 3, "finished", 80.0, 3e-4),
            ("teacher", 3, "finished", 81.0, 1e-4),
            ("teacher", 4, "finished", 80.5, 1e-4),
            ("teacher", 5, "pruned", None, 1e-4),
            ("student", 1, "finished", 70.0, 3e-4),
            ("full", 6, "finished", 80.0, 3e-4),
        )
    ]
    first.write_text(json.dumps({"to_do": 1, "trials": trials}))
    assert given_of("minilm trec seed 1") == ["3e-4"]
    assert given_of("minilm trec exhaustive", "--teacher-layers") == ["1,2,3,4,5"]
    first.write_text(json.dumps({"to_do": 0, "trials": trials}))
    assert given_of("minilm trec seed 1") == ["0.0001", "0.0003"]
    assert given_of("minilm trec seed 1", "--full-learning-rate") == ["0.0003"]
    assert given_of("minilm trec exhaustive") == ["0.0001"]
    assert given_of("minilm trec exhaustive", "--teacher-layers") == ["1,2,5"]  # the others are trained
    assert [piece.is_done for piece in protocol.pieces() if piece.name.startswith("minilm trec seed")].count(True) == 1


def test_a_piece_that_needs_the_rates_of_another_names_it_and_comes_after_it(protocol: Protocol) -> None:
    names = [piece.name for piece in protocol.pieces()]
    after = {piece.name: piece.after for piece in protocol.pieces() if piece.after}
    assert after["minilm trec seed 1"] == after["minilm trec exhaustive"] == "minilm trec seed 0"
    assert all(names.index(first) < names.index(name) for name, first in after.items())


def test_all_ways_may_keep_the_same_epochs(protocol: Protocol) -> None:
    given = {piece.arguments[piece.arguments.index("--epochs") + 1] for piece in protocol.pieces()}
    assert given == {"1-3"}


def test_glue_has_fewer_rows_in_the_searches_and_in_the_joint_training(protocol: Protocol) -> None:
    rows = {piece.name: piece.arguments[piece.arguments.index("--train-rows") + 1] for piece in protocol.pieces()}
    assert rows["minilm trec seed 0"] == "1000"
    assert rows["minilm rte seed 0"] == rows["minilm rte seed 1"] == rows["minilm joint"] == "500"
    assert rows["mpnet trec"] == rows["mpnet rte exhaustive"] == "500"


def test_a_record_of_finished_pieces_is_a_measurement_that_goes_on_elsewhere(
    protocol: Protocol, tmp_path: Path
) -> None:
    for task, to_do in (("trec", 0), ("snips", 2)):
        result = protocol.output / "minilm-seed0" / task / "result.json"
        result.parent.mkdir(parents=True)
        result.write_text(json.dumps({"to_do": to_do, "data": f"/home/a/{task}", "trials": []}, indent=2))
    assert record(protocol.pieces(), protocol.output, tmp_path / "record") == ["minilm trec seed 0"]
    (kept,) = (tmp_path / "record").rglob("*.json")
    assert kept.read_text() == '{"to_do":0,"data":"trec","trials":[]}\n'
    elsewhere = replace(protocol, output=tmp_path / "record")
    assert [piece.name for piece in elsewhere.pieces() if piece.is_done] == ["minilm trec seed 0"]
