from collections.abc import Callable

import pytest

from build_tools.errors import BuildError
from build_tools.publishing.redefinition import check_redefinition, redefinitions
from build_tools.repository.registry import Registry
from training.branch_record import BranchRecord
from training.kinds import Kind

MakeRecord = Callable[..., BranchRecord]


def _from(make_record: MakeRecord, data: str, sha256: str = "new", **given: object) -> BranchRecord:
    record = make_record(**given)
    changes = {"data": data, "data_sha256": sha256}
    return record.model_copy(update={"training": record.training.model_copy(update=changes)})


@pytest.fixture
def registry(registry: Registry) -> Registry:
    """The data of mood is known by its folder and its hash."""
    origin = registry.tasks["mood"].live_version.origin
    origin.data, origin.data_sha256 = "data/mood", "m"
    return registry


@pytest.mark.parametrize(("data", "sha256"), [("none", "0"), ("none", "new"), ("data/intent_2", "new")])
def test_new_rows_other_data_another_seed_and_another_order_of_the_labels_make_the_next_version(
    registry: Registry, make_record: MakeRecord, data: str, sha256: str
) -> None:
    record = _from(make_record, data, sha256, labels=["b", "a"])

    assert redefinitions(record, registry) == {}
    check_redefinition(record, registry, redefine=False)


def test_data_that_two_tasks_share_may_go_on_to_be_shared(registry: Registry, make_record: MakeRecord) -> None:
    origin = registry.tasks["intent"].live_version.origin
    origin.data_sha256 = "m"

    assert redefinitions(_from(make_record, "data/mood", "m"), registry) == {}


def test_a_new_task_redefines_nothing(registry: Registry, make_record: MakeRecord) -> None:
    assert redefinitions(_from(make_record, "topics", task="topics", labels=["x", "y"]), registry) == {}


@pytest.mark.parametrize(
    ("given", "data", "kind", "said"),
    [
        ({"labels": ["a", "b", "c"]}, ("none", "new"), "labels", r"it has 3 labels, not 2 \(with 'c'\)"),
        ({"labels": ["a", "x"]}, ("none", "new"), "labels", r"it has 2 labels, not 2 \(without 'b'; with 'x'\)"),
        ({"labels": list("acdefg")}, ("none", "new"), "labels", r"with 'c', 'd', 'e', \.\.\.\)"),
        ({"kind": Kind.MULTI_LABEL}, ("none", "new"), "kind", "its kind is multi_label, not classification"),
        ({}, ("data/mood", "new"), "origin", r"it was trained on the data of mood \('data/mood'\)"),
        ({}, ("data/renamed", "m"), "origin", r"it was trained on the data of mood \('data/renamed'\)"),
    ],
)
def test_what_breaks_with_the_live_version_has_to_be_meant(
    registry: Registry, make_record: MakeRecord, given: dict[str, object], data: tuple[str, str], kind: str, said: str
) -> None:
    record = _from(make_record, *data, **given)

    assert set(redefinitions(record, registry)) == {kind}
    with pytest.raises(BuildError, match=f"{said}.*publish it with --redefine, else under a name of its own"):
        check_redefinition(record, registry, redefine=False)
    check_redefinition(record, registry, redefine=True)
