from collections.abc import Callable

import pytest

from build_tools.errors import BuildError
from build_tools.publishing.redefinition import check_redefinition, data_name, redefinitions
from build_tools.repository.registry import Registry
from training.checkpoint import BranchRecord
from training.kinds import Kind

MakeRecord = Callable[..., BranchRecord]


def _from(make_record: MakeRecord, data: str, **given: object) -> BranchRecord:
    record = make_record(**given)
    return record.model_copy(update={"training": record.training.model_copy(update={"data": data})})


def test_new_rows_another_seed_and_another_order_of_the_labels_make_the_next_version(
    registry: Registry, make_record: MakeRecord
) -> None:
    record = _from(make_record, "/somewhere/else/none", labels=["b", "a"])

    assert redefinitions(record, registry) == {}
    check_redefinition(record, registry, redefine=False)


def test_a_new_task_redefines_nothing(registry: Registry, make_record: MakeRecord) -> None:
    assert redefinitions(_from(make_record, "topics", task="topics", labels=["x", "y"]), registry) == {}


@pytest.mark.parametrize(
    ("given", "data", "kind", "said"),
    [
        ({"labels": ["a", "b", "c"]}, "none", "labels", r"it has 3 labels, not 2 \(with 'c'\)"),
        ({"labels": ["a", "x"]}, "none", "labels", r"it has 2 labels, not 2 \(without 'b'; with 'x'\)"),
        ({"labels": list("acdefg")}, "none", "labels", r"with 'c', 'd', 'e', \.\.\.\)"),
        ({"kind": Kind.MULTI_LABEL}, "none", "kind", "its kind is multi_label, not classification"),
        ({}, "data/intent", "origin", "it was trained on 'intent', the live version on 'none'"),
    ],
)
def test_what_breaks_with_the_live_version_has_to_be_meant(
    registry: Registry, make_record: MakeRecord, given: dict[str, object], data: str, kind: str, said: str
) -> None:
    record = _from(make_record, data, **given)

    assert set(redefinitions(record, registry)) == {kind}
    with pytest.raises(BuildError, match=f"{said}.*publish it with --redefine, else under a name of its own"):
        check_redefinition(record, registry, redefine=False)
    check_redefinition(record, registry, redefine=True)


@pytest.mark.parametrize("data", ["rte", "data/rte", "/data/rte/", "hub:glue/rte", "C:\\data\\rte", "hub:rte"])
def test_data_is_known_by_the_last_part_of_its_name(data: str) -> None:
    assert data_name(data) == "rte"
