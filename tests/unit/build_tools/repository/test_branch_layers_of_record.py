import json
from collections.abc import Callable
from pathlib import Path

import pytest

from build_tools.errors import BuildError
from build_tools.repository.branch_layers import branch_layers
from build_tools.repository.registry import VersionEntry


def _put(repository: Path, content: str) -> None:
    folder = repository / "branch_intent" / "2"
    folder.mkdir(parents=True)
    (folder / "branch.json").write_text(content)


def test_a_branch_has_the_layers_of_its_record(tmp_path: Path, make_version: Callable[..., VersionEntry]) -> None:
    _put(tmp_path, json.dumps({"layers": 3}))

    assert branch_layers(tmp_path, make_version(), 2) == 3


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"layers": 0}', '{"layers": true}'])
def test_a_damaged_record_is_named(tmp_path: Path, make_version: Callable[..., VersionEntry], content: str) -> None:
    _put(tmp_path, content)

    with pytest.raises(BuildError, match=r"branch_intent/2/branch\.json"):
        branch_layers(tmp_path, make_version(), 2)


def test_a_missing_record_is_named(tmp_path: Path, make_version: Callable[..., VersionEntry]) -> None:
    with pytest.raises(BuildError, match=r"branch_intent/2/branch\.json cannot be read"):
        branch_layers(tmp_path, make_version(), 2)
