"""With no server: what it makes of a repository, and what other commands make of that."""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import kill_points
import numpy as np
import pytest
from child_process import child_process
from drill_size import drill_size
from filelock import FileLock
from untrained import tiny_encoder

from build_tools.build.builder import build
from build_tools.compaction import compact as compact_module
from build_tools.compaction.compact import COMPACT_LOCK, compact
from build_tools.errors import BuildError
from build_tools.precision.graph import load_graph
from build_tools.publishing.retire import retire
from build_tools.publishing.rollback import rollback
from build_tools.publishing.running_server import NoServer
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import settle
from build_tools.publishing.verify import verify
from build_tools.repository.audit import AUDIT_LOG, read_lines
from build_tools.repository.golden_examples import GOLDEN_EXAMPLES, read_golden, write_golden
from build_tools.repository.in_memory import held_models, idle_models
from build_tools.repository.manifest import read_manifest
from build_tools.repository.registry import Registry, read_registry
from build_tools.repository.runtime import Runtime
from build_tools.repository.triton_config import read_config

KILLS = drill_size(8, 20)
_ENDING_SECONDS = 10.0
TASKS = ("intent", "same", "slots")


def _compact(repository: Path, **given: object) -> Registry:
    compact(repository, NoServer(), **given)
    assert verify(repository) == []
    return read_registry(repository)


def _fused(repository: Path):
    return read_registry(repository).trunks["trunk"].fused


@pytest.mark.parametrize("runtime", Runtime)
def test_trunk_and_branches_become_one_graph_and_are_then_on_disk_only(built, tmp_path, runtime):
    repository = Path(shutil.copytree(built(runtime), tmp_path / "repository"))

    registry = _compact(repository)

    assert held_models(registry) == {"fused": [1]}
    assert idle_models(registry) == {"trunk", *(f"branch_{task}" for task in TASKS)}
    names = [output.name for output in read_config(repository / "fused").output]
    assert names == ["hidden_1", "hidden_2", *(f"logits_{task}" for task in TASKS)]
    for task in TASKS:
        steps = [step.model_name for step in read_config(repository / task).ensemble_scheduling.step]
        assert steps == ["tokenizer", "fused"]
    line = read_lines(repository / AUDIT_LOG)[-1]
    assert (line["action"], line["model"], line["tasks"]) == ("compact", "fused", dict.fromkeys(TASKS, 1))
    # The plain graph, as NVIDIA's backends run it.
    plain = load_graph(repository / "fused/1/model.onnx", ["logits_slots", "logits_same"], runtime)
    golden = read_golden(repository / "branch_slots/1")
    assert golden is not None
    logits, seen = plain.run(golden.inputs, ["logits_slots"])["logits_slots"], golden.inputs["attention_mask"] > 0
    np.testing.assert_allclose(logits[seen], golden.logits[seen], atol=1e-3)


def test_what_is_published_after_it_runs_outside_until_the_next_one_and_a_rollback_runs_inside(
    repository, checkpoints, publish_to
):
    _compact(repository)

    publish_to(checkpoints("intent", seed=1))
    registry = read_registry(repository)
    assert held_models(registry) == {"fused": [1], "branch_intent": [2]}  # no trunk: the fused graph gives out the tap
    assert registry.fused_with("intent", 1) is not None
    assert [step.model_name for step in read_config(repository / "intent").ensemble_scheduling.step] == [
        *("tokenizer", "fused", "branch_intent"),
    ]

    rollback("intent", repository, NoServer())
    assert held_models(read_registry(repository)) == {"fused": [1]}

    publish_to(checkpoints("intent", seed=2))
    registry = _compact(repository, keep_loaded=0)
    assert held_models(registry) == {"fused.2": [2]}
    assert registry.trunks["trunk"].fused.tasks == {"intent": 3, "same": 1, "slots": 1}
    assert not (repository / "fused").exists()


def test_a_retired_task_leaves_the_graph_with_the_next_compaction(repository):
    _compact(repository)

    retire("same", repository, NoServer())

    registry = read_registry(repository)
    assert registry.trunks["trunk"].fused.tasks.keys() == set(TASKS)  # its columns are those of the graph
    assert _compact(repository).trunks["trunk"].fused.tasks.keys() == {"intent", "slots"}


def test_chosen_tasks_alone_go_in(repository):
    registry = _compact(repository, tasks=["slots"])

    assert held_models(registry) == {"fused": [1], "branch_intent": [1], "branch_same": [1]}
    with pytest.raises(BuildError, match="the task nothing is not here"):
        compact(repository, NoServer(), tasks=["nothing"], when_needed=0.1)


def test_tasks_that_come_out_of_the_graph_are_named(repository):
    _compact(repository)
    said = []

    compact(repository, NoServer(), tasks=["slots"], report=said.append)

    assert "the new graph is without intent, same: branch models answer for them again" in said
    assert held_models(read_registry(repository)) == {"fused.2": [2], "branch_intent": [1], "branch_same": [1]}


def test_each_trunk_gets_a_graph_of_its_own(repository, tmp_path, checkpoints, publish_to):
    second = tiny_encoder(tmp_path / "second", seed=7)
    publish_to(checkpoints("mood", encoder=second), encoder=second.name)

    registry = _compact(repository)

    assert held_models(registry) == {"fused": [1], "fused.2": [1]}
    assert registry.trunks["trunk.2"].fused.tasks == {"mood": 1}


def test_it_does_nothing_where_nothing_has_changed_or_little_runs_outside(repository, checkpoints, publish_to):
    before = _compact(repository)
    assert _compact(repository) == before

    publish_to(checkpoints("intent", seed=1))
    before, said = read_registry(repository), []
    compact(repository, NoServer(), when_needed=0.4, report=said.append)
    assert read_registry(repository) == before
    assert said[-1] == "not needed: of the tasks that can be in the fused graph, 33% run outside it"
    compact(repository, NoServer(), when_needed=0.3)
    assert _fused(repository).tasks["intent"] == 2


def test_a_version_without_golden_examples_stays_outside_and_it_says_so(repository):
    (repository / "branch_same/1" / GOLDEN_EXAMPLES).unlink()
    said = []

    compact(repository, NoServer(), report=said.append)

    assert "same stays outside: it has no golden examples: run espalier upgrade --checkpoints" in said
    assert _fused(repository).tasks.keys() == {"intent", "slots"}


def test_a_branch_that_answers_otherwise_than_its_golden_examples_is_named_and_nothing_changes(repository):
    golden = read_golden(repository / "branch_same/1")
    assert golden is not None
    write_golden(repository / "branch_same/1", replace(golden, logits=golden.logits + 1))
    before = _state(repository)

    with pytest.raises(BuildError, match="step 'golden examples before it is moved in': version 1 of same answers"):
        compact(repository, NoServer())

    assert _state(repository) == before


def test_two_at_once_are_refused(repository):
    with (
        FileLock(repository / COMPACT_LOCK),
        pytest.raises(BuildError, match="another command compacts it already"),
    ):
        compact(repository, NoServer())


def test_too_little_memory_is_said_before_anything_is_done(repository, monkeypatch):
    monkeypatch.setattr("build_tools.compaction.room_for_both.available_memory", lambda: 10)
    before = _state(repository)

    with pytest.raises(BuildError, match="there is not enough memory"):
        compact(repository, NoServer())

    assert _state(repository) == before


def test_a_new_repository_that_cannot_be_compacted_is_built_all_the_same_and_it_says_so(
    checkpoints, tmp_path, monkeypatch
):
    monkeypatch.setattr("build_tools.compaction.room_for_both.available_memory", lambda: 10)

    with pytest.raises(BuildError, match=r"is built and can be served, but .* there is not enough memory"):
        build([checkpoints("intent")], tmp_path / "new", compacted=True)

    assert verify(tmp_path / "new") == []


def test_a_version_published_while_it_works_stays_live_outside(repository, checkpoints, publish_to, monkeypatch):
    stage, newer = compact_module.stage_fused, checkpoints("intent", seed=1)

    def slow(*given):
        staged = stage(*given)
        publish_to(newer)
        return staged

    monkeypatch.setattr(compact_module, "stage_fused", slow)

    registry = _compact(repository)

    assert registry.tasks["intent"].live == 2
    assert registry.fused_with("intent", 2) is None
    assert registry.fused_with("slots", 1) is not None
    assert held_models(registry)["branch_intent"] == [2]


def test_killed_anywhere_it_leaves_everything_as_it_was(repository):
    settle(ServedRepository(repository, NoServer()))
    before = _state(repository)
    program = [sys.executable, kill_points.__file__, str(repository), kill_points.NO_SERVER, "compact", ",".join(TASKS)]
    with child_process(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killer:
        for kill in range(KILLS):
            print("before", kill / (KILLS - 1), file=killer.stdin, flush=True)
            killed = killer.stdout.readline()
            assert killed
            assert _registry(repository) == before[0], killed
            assert _settled(repository, before) == before, killed
        killer.stdin.close()

    assert held_models(_compact(repository)) == {"fused": [1]}


def _settled(repository: Path, wanted: tuple) -> tuple:
    """The state after what the next change does first. A process that was killed holds its locks until it has ended."""
    deadline = time.monotonic() + _ENDING_SECONDS
    settle(ServedRepository(repository, NoServer()))
    while _state(repository) != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
        settle(ServedRepository(repository, NoServer()))
    return _state(repository)


def _registry(repository: Path) -> dict[str, object]:
    return json.loads((repository / "registry.json").read_text())


def _state(repository: Path) -> tuple[dict[str, object], dict[str, str], set[str]]:
    """registry.json, manifest.json, and the files in the repository and beside it, without the locks."""
    files = (path.relative_to(repository.parent) for path in repository.parent.rglob("*"))
    return (
        _registry(repository),
        read_manifest(repository),
        {str(path) for path in files if path.suffix not in (".lock", ".jsonl")},
    )
