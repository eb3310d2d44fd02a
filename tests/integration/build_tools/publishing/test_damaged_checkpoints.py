"""No damaged checkpoint becomes live, each is refused with a reason, and nothing of it stays."""

import shutil

import pytest
from damages import DAMAGES

from build_tools.errors import BuildError


def _bytes(folder):
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    files.pop("repository.lock", None)
    return files


@pytest.fixture(scope="module")
def untouched(built):
    return _bytes(built)


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_checkpoint_is_refused_with_a_reason_and_changes_nothing(
    repository, checkpoints, publish_to, untouched, tmp_path, name
):
    damaged = tmp_path / "damaged"
    shutil.copytree(checkpoints("intent", seed=1), damaged)
    DAMAGES[name](damaged)

    with pytest.raises(BuildError, match=r"is not published: it failed at step '[a-z ]+': .+") as refused:
        publish_to(damaged)

    assert len(str(refused.value)) < 2000
    assert _bytes(repository) == untouched
    assert {path.name for path in tmp_path.iterdir()} == {"damaged", "repository"}
