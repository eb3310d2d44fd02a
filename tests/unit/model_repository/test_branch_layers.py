import json

import pytest
from router.branch_layers import BranchLayers
from router.registry import Version

INTENT = Version("intent", 3, "classification", ("a", "b"), 2, 16, "branch_intent", "trunk")


@pytest.fixture
def record(tmp_path):
    record = tmp_path / "branch_intent" / "3" / "branch.json"
    record.parent.mkdir(parents=True)
    return record


def test_a_branch_has_the_layers_of_its_record_which_is_read_once(tmp_path, record):
    record.write_text(json.dumps({"layers": 4}))
    layers = BranchLayers(tmp_path)
    assert layers(INTENT) == 4

    record.unlink()

    assert layers(INTENT) == 4


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"layers": null}', '{"layers": 0}'])
def test_without_a_record_that_says_it_a_branch_has_one(tmp_path, record, content):
    if content is not None:
        record.write_text(content)

    assert BranchLayers(tmp_path)(INTENT) == 1
