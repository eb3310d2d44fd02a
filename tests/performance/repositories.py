"""Model repositories made out of a built one: apart and compacted, for the naive router, for some encoders only."""

import json
import os
import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from build_tools.build.router_instances import choose_instances, set_instances
from build_tools.compaction.compact import compact
from build_tools.export.hand_written_models import HAND_WRITTEN
from build_tools.publishing.running_server import NoServer
from build_tools.repository.manifest import MANIFEST, write_manifest
from build_tools.repository.names import ROUTERS, TRUNK, branch_name
from build_tools.repository.registry import REGISTRY, read_registry, write_registry

RIVAL_ROUTERS = Path(__file__).resolve().parent / "routers"
NAIVE = "nlu_naive"
_NO_VERSION = 2**20  # of any task
_LONG_AGO = timedelta(hours=1)


def copy_with_naive_router(repository: Path, tasks: Sequence[str], target: Path) -> None:
    """`tasks` of the repository, its files linked and not copied, with this checkout's routers and the naive one."""
    copy_tasks(repository, tasks, target)
    _copy_router(target / NAIVE, NAIVE, "naive_model.py")


def copy_tasks(repository: Path, tasks: Sequence[str], target: Path) -> None:
    """`tasks` of the repository alone, its files linked and not copied, with this checkout's routers."""
    _begin(repository, tasks, target)
    _copy_routers(target)
    for model in (TRUNK, *map(branch_name, tasks)):
        _link(repository / model, target / model)


def compact_tasks(repository: Path, tasks: Sequence[str], target: Path) -> None:
    """The same, with trunk and branches as one graph."""
    copy_tasks(repository, tasks, target)
    write_manifest(target)
    compact(target, NoServer(), keep_loaded=0)
    (target / MANIFEST).unlink()  # what is changed by hand is in none
    registry = read_registry(target)
    for trunk in registry.trunks.values():
        if trunk.fused is not None:
            trunk.fused.since -= _LONG_AGO  # no batch in flight asks for what is in it
    write_registry(target, registry)


def copy_compacted(repository: Path, target: Path, outside: Sequence[str] = ()) -> None:
    """A compacted repository, its files linked, with this checkout's routers.

    outside: tasks that run as their branch models, as if they had been published since.
    """
    shutil.rmtree(target, ignore_errors=True)
    _link(repository, target)
    for router in ROUTERS:
        shutil.rmtree(target / router)
    _copy_routers(target)
    (target / REGISTRY).unlink()  # a link
    registry = read_registry(repository)
    fused = registry.trunks[TRUNK].fused
    assert fused is not None
    for task in outside:
        fused.tasks[task] = _NO_VERSION
    write_registry(target, registry)


def copy_encoders(repository: Path, tasks: Sequence[str], encoders: Path, target: Path) -> None:
    """Single-task serving of `tasks`: their whole encoders, linked, behind the same client and router."""
    _begin(repository, tasks, target)
    _copy_router(target / "nlu", "nlu", "single_model.py")
    for model in map(branch_name, tasks):
        _link(encoders / model, target / model)


def _copy_routers(target: Path) -> None:
    for router in ROUTERS:
        _copy_code(HAND_WRITTEN / router, target / router)
        set_instances(target / router, choose_instances(None))


def _begin(repository: Path, tasks: Sequence[str], target: Path) -> None:
    """An empty repository with the tokenizer, and a registry of these tasks."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    registry = json.loads((repository / REGISTRY).read_text(encoding="utf-8"))
    registry["tasks"] = {task: registry["tasks"][task] for task in tasks}
    for trunk in registry["trunks"].values():
        trunk["fused"] = None
    (target / REGISTRY).write_text(json.dumps(registry), encoding="utf-8")
    _copy_code(HAND_WRITTEN / "tokenizer", target / "tokenizer")
    shutil.copy(repository / "tokenizer" / "1" / "tokenizer.json", target / "tokenizer" / "1")


def _copy_router(target: Path, name: str, model_file: str) -> None:
    """The model `nlu` under another name, with its own model.py replaced."""
    _copy_code(HAND_WRITTEN / "nlu", target)
    set_instances(target, choose_instances(None))
    config = (target / "config.pbtxt").read_text(encoding="utf-8")
    (target / "config.pbtxt").write_text(config.replace('name: "nlu"', f'name: "{name}"', 1), encoding="utf-8")
    (target / "1" / "model.py").rename(target / "1" / "nlu_model.py")
    shutil.copy(RIVAL_ROUTERS / model_file, target / "1" / "model.py")


def _copy_code(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "tokenizer.json"))


def _link(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=_link_file)


def _link_file(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another file system
        shutil.copy(source, target)
