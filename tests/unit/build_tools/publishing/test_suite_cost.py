from datetime import UTC, datetime
from typing import Any

import pytest

from build_tools.publishing.status import TaskStatus
from build_tools.publishing.suite_cost import suite_cost


def _task(name: str, **given: Any) -> TaskStatus:
    measured = {"trunk_milliseconds": 0.5 * given["layers"], "milliseconds": 2.0}
    return TaskStatus(
        task=name,
        live=1,
        previous=None,
        candidate=None,
        versions=[1],
        loaded=None,
        published_at=datetime(2026, 1, 2, tzinfo=UTC),
        published_by="somebody",
        data="rows",
        checkpoint="c",
        requests=None,
        errors=None,
        withdrawn=None,
        **{"trunk": "trunk", **measured, **given},
    )


TASKS = [_task("intent", layers=2, own_layers=3), _task("mood", layers=4, own_layers=1)]


def test_the_trunk_counts_once_up_to_the_deepest_tap_and_for_each_task_of_single_task_serving() -> None:
    assert suite_cost(TASKS) == (
        "a text for all 2 tasks: 4 + 4 layers, 6.0 ms; with an encoder for each task: 10 layers, about 7.0 ms"
    )


def test_each_trunk_counts_for_its_own_tasks() -> None:
    line = suite_cost([*TASKS, _task("other", layers=3, own_layers=1, trunk="trunk.2")])

    assert line is not None
    assert line.startswith("a text for all 3 tasks: 7 + 5 layers, 9.5 ms")


@pytest.mark.parametrize("missing", ["milliseconds", "trunk_milliseconds"])
def test_without_measurements_there_are_only_layers(missing: str) -> None:
    unmeasured = _task("other", layers=3, own_layers=1, **{missing: None})

    assert suite_cost([*TASKS, unmeasured]) == (
        "a text for all 3 tasks: 4 + 5 layers; with an encoder for each task: 14"
    )


def test_without_layers_there_is_nothing_to_say() -> None:
    assert suite_cost([]) is None
    assert suite_cost(TASKS[:1]) is None
    assert suite_cost([*TASKS, _task("other", layers=3, own_layers=None)]) is None
