import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from build_tools.repository.proposal import PROPOSAL, commit_proposal, digest, withdraw_proposal, write_proposal
from build_tools.repository.registry import (
    REGISTRY,
    Origin,
    Registry,
    TaskEntry,
    TrunkEntry,
    VersionEntry,
    read_registry,
    write_registry,
)
from training.kinds import Kind


def _registry(generation: int) -> Registry:
    origin = Origin(checkpoint="c", data="rows", data_sha256="d", published_at=datetime.now(UTC), published_by="me")
    version = VersionEntry(
        model="branch_intent",
        trunk="trunk",
        kind=Kind.CLASSIFICATION,
        labels=["a", "é"],
        tap=2,
        max_length=16,
        origin=origin,
    )
    trunk = TrunkEntry(
        encoder="tiny", config={"hidden_size": 16}, taps=[2], fingerprints=["f"], tokenizers={"tokenizer": 16}
    )
    task = TaskEntry(live=1, versions={"1": version})
    return Registry(generation=generation, runtime="openvino", trunks={"trunk": trunk}, tasks={"intent": task})


def test_a_committed_proposal_is_the_registry_byte_for_byte(tmp_path: Path) -> None:
    write_registry(tmp_path, _registry(1))
    sha256 = write_proposal(tmp_path, _registry(2))
    assert digest((tmp_path / PROPOSAL).read_bytes()) == sha256
    assert read_registry(tmp_path).generation == 1

    commit_proposal(tmp_path)

    assert digest((tmp_path / REGISTRY).read_bytes()) == sha256
    assert read_registry(tmp_path).generation == 2
    assert [file.name for file in tmp_path.iterdir()] == [REGISTRY]


def test_a_registry_is_written_as_it_is_proposed(tmp_path: Path) -> None:
    write_registry(tmp_path, _registry(2))
    write_proposal(tmp_path, read_registry(tmp_path))
    assert (tmp_path / PROPOSAL).read_bytes() == (tmp_path / REGISTRY).read_bytes()


def test_a_withdrawn_proposal_leaves_the_registry(tmp_path: Path) -> None:
    write_registry(tmp_path, _registry(1))
    write_proposal(tmp_path, _registry(2))
    withdraw_proposal(tmp_path)
    withdraw_proposal(tmp_path)  # twice does not matter
    assert [file.name for file in tmp_path.iterdir()] == [REGISTRY]


def test_a_proposal_takes_the_place_of_a_dead_one(tmp_path: Path) -> None:
    dead = write_proposal(tmp_path, _registry(2))
    assert write_proposal(tmp_path, _registry(3)) != dead
    assert [file.name for file in tmp_path.iterdir()] == [PROPOSAL]


def test_nothing_is_committed_where_nothing_is_proposed(tmp_path: Path) -> None:
    write_registry(tmp_path, _registry(1))
    with pytest.raises(FileNotFoundError):
        commit_proposal(tmp_path)
    assert read_registry(tmp_path).generation == 1


def test_a_committed_proposal_can_be_read_by_whoever_could_read_the_registry(tmp_path: Path) -> None:
    write_registry(tmp_path, _registry(1))
    (tmp_path / REGISTRY).chmod(0o644)
    before = os.umask(0o077)
    try:
        write_proposal(tmp_path, _registry(2))
    finally:
        os.umask(before)
    commit_proposal(tmp_path)
    assert (tmp_path / REGISTRY).stat().st_mode & 0o777 == 0o644
