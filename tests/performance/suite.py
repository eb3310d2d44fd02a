"""What is measured: a repository, built here once for a shape, or given."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from errors import BenchError
from repositories import compact_tasks, copy_compacted, copy_encoders, copy_with_naive_router
from shapes import MAX_LENGTH, SHAPES, BranchShape, Shape

from build_tools.build.builder import build
from build_tools.repository.names import TRUNK
from build_tools.repository.precision import Precision
from build_tools.repository.registry import Registry, read_registry
from build_tools.repository.runtime import Runtime
from training.encoder import load_encoder


@dataclass(frozen=True)
class Suite:
    """A built repository and what is made of it.

    work: where that lies. shape: its tasks that read one text, which are those that are measured; left_out: the others.
    precision: of the trunk, and of the encoders of single-task serving.
    """

    repository: Path
    work: Path
    shape: Shape
    encoder: str
    runtime: Runtime
    precision: Precision
    left_out: tuple[str, ...]

    @property
    def tasks(self) -> list[str]:
        return [branch.task for branch in self.shape.branches]

    @property
    def one_task(self) -> str:
        """The task that is asked alone: the first of the deepest tap, so that it needs the same trunk when alone."""
        return max(self.shape.branches, key=lambda branch: branch.tap).task

    def apart(self) -> Path:
        """Branches as models of their own, with the router and the naive one."""
        copy_with_naive_router(self.repository, self.tasks, self.work / "apart")
        return self.work / "apart"

    def compacted(self) -> Path:
        """Trunk and branches as one graph, made the first time. To be read, not served."""
        compacted = self.work / "compacted"
        if not compacted.is_dir():
            compact_tasks(self.repository, self.tasks, self.work / "compacting")
            (self.work / "compacting").rename(compacted)
        return compacted

    def served(self, outside: Sequence[str] = ()) -> Path:
        """Compacted, with the router. outside: tasks that run as branch models all the same."""
        copy_compacted(self.compacted(), self.work / "served", outside)
        return self.work / "served"

    def one_alone(self) -> Path:
        """With `one_task` only, compacted too."""
        compact_tasks(self.repository, [self.one_task], self.work / "one_alone")
        return self.work / "one_alone"

    def single_task(self, count: int) -> Path:
        """Single-task serving of the first `count` tasks, built the first time."""
        from single_task import build_encoders

        encoders = self.work / "encoders"
        if not encoders.is_dir():
            build_encoders(self.shape, self.encoder, self.precision, self.repository, encoders)
        copy_encoders(self.repository, self.tasks[:count], encoders, self.work / "single_task")
        return self.work / "single_task"


def open_suite(name: str, runtime: Runtime, precision: Precision, work: Path) -> Suite:
    """The suite of a shape's name, built in `work` unless it lies there, or of a built repository.

    runtime, precision: of a shape; a built repository has its own. Raises BenchError for what is neither.
    """
    left_out: tuple[str, ...] = ()
    if name in SHAPES:
        shape = SHAPES[name]
        work = work / f"{name}-{runtime}-{precision}"
        repository = work / "repository"
        if not repository.is_dir():
            build_shape(shape, work, runtime, precision)
        registry = read_registry(repository)
    else:
        repository = Path(name).resolve()
        if not repository.is_dir():
            raise BenchError(f"{name!r} is neither a shape ({', '.join(SHAPES)}) nor the folder of a built repository.")
        registry = read_registry(repository)
        work = work / repository.name
        shape, left_out = _shape_of(repository.name, registry)
    trunk = registry.trunks[TRUNK]
    return Suite(repository, work, shape, trunk.encoder, registry.runtime, trunk.precision, left_out)


def build_shape(shape: Shape, work: Path, runtime: Runtime, precision: Precision, tokens: int = MAX_LENGTH) -> None:
    """Builds `work`/repository of branches with random weights, which read so many tokens."""
    from random_suite import random_checkpoints, random_encoder

    work.mkdir(parents=True, exist_ok=True)
    checkpoints = random_checkpoints(shape, random_encoder(shape, work / "encoder"), work / "checkpoints", tokens)
    build(checkpoints, work / "repository", runtime=runtime, precision=precision)


def _shape_of(name: str, registry: Registry) -> tuple[Shape, tuple[str, ...]]:
    """The shape of the tasks that read one text, and the names of the others.

    A branch's layers stand in no registry and are not needed here: 0.
    """
    live = {task: entry.live_version for task, entry in registry.tasks.items()}
    branches = tuple(
        BranchShape(task, version.tap, 0, len(version.labels), version.kind)
        for task, version in live.items()
        if not version.kind.is_pair
    )
    if not branches:
        raise BenchError(f"all tasks of {name} compare two texts; at least one that reads one text is needed.")
    encoder = load_encoder(registry.trunks[TRUNK].encoder)
    shape = Shape(name, encoder.layers, int(encoder.config["hidden_size"]), branches)
    return shape, tuple(task for task, version in live.items() if version.kind.is_pair)
