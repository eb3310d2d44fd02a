"""A fused graph made beside the repository, and checked with the golden examples of every task in it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from build_tools.compaction.fused_files import write_fused
from build_tools.compaction.merged_graph import MergedBranch
from build_tools.compaction.plan import CompactionPlan
from build_tools.errors import BuildError
from build_tools.golden.token_parity import compare_logits
from build_tools.precision.load_graph import load_fused
from build_tools.progress import Progress
from build_tools.repository.golden_examples import GoldenExamples, read_golden
from build_tools.repository.names import logits_name
from build_tools.repository.precision import Precision, common_parameters
from build_tools.repository.registry import Registry, VersionEntry
from build_tools.repository.triton_config import GRAPH_FILE


@dataclass(frozen=True)
class StagedFused:
    """plan: what is in it. folder: that of its version. versions, golden: {task: of the version in it}.

    parameters: of its config, for the precisions in it.
    """

    plan: CompactionPlan
    folder: Path
    versions: dict[str, VersionEntry]
    golden: dict[str, GoldenExamples]
    trunk_precision: Precision
    parameters: dict[str, str]

    def check(self, task: str, logits: np.ndarray, examples: GoldenExamples) -> float:
        """Compares the logits of golden examples. Returns the greatest difference. Raises BuildError, naming the task.

        Float32 logits may differ by 1e-3; in lower precisions the answers must agree.
        """
        version = self.versions[task]
        exact = (self.trunk_precision, version.precision) == (Precision.FP32, Precision.FP32)
        try:
            return compare_logits(examples, version.kind, logits, exact)
        except BuildError as error:
            raise BuildError(
                f"version {self.plan.tasks[task]} of {task} answers otherwise in one graph: {error}"
            ) from error


def graph_files(repository: Path, registry: Registry, plan: CompactionPlan) -> list[Path]:
    """Returns the graphs that are merged: the trunk's, then the branches'."""
    branches = [_branch_file(repository, registry, task, number) for task, number in plan.tasks.items()]
    return [repository / plan.trunk / str(plan.version) / GRAPH_FILE, *branches]


def stage_fused(
    repository: Path, registry: Registry, plan: CompactionPlan, folder: Path, progress: Progress
) -> StagedFused:
    """Makes the files in the new folder `folder`. Raises BuildError if a task answers otherwise than by itself."""
    folder.mkdir(parents=True)
    trunk = registry.trunks[plan.trunk]
    versions = {task: registry.tasks[task].versions[str(number)] for task, number in plan.tasks.items()}
    files = dict(zip(plan.tasks, graph_files(repository, registry, plan)[1:], strict=True))
    golden = {task: _golden(files[task].parent) for task in versions}
    progress.at(f"merging {plan.trunk} and the branches of {', '.join(versions)}")
    branches = {task: MergedBranch(files[task], version.tap) for task, version in versions.items()}
    layout = write_fused(repository / plan.trunk / str(plan.version) / GRAPH_FILE, branches, folder)
    progress.at("golden examples before it is moved in")
    precisions = [trunk.precision, *(version.precision for version in versions.values())]
    parameters = common_parameters(registry.runtime, precisions)
    assert parameters is not None  # as planned
    staged = StagedFused(plan, folder, versions, golden, trunk.precision, parameters)
    graph = load_fused(folder, layout, registry.runtime, parameters, trunk.hidden_size)
    for task, examples in golden.items():
        name = logits_name(task)
        staged.check(task, graph.run(examples.inputs, [name])[name], examples)
    return staged


def _branch_file(repository: Path, registry: Registry, task: str, number: int) -> Path:
    return repository / registry.tasks[task].versions[str(number)].model / str(number) / GRAPH_FILE


def _golden(version: Path) -> GoldenExamples:
    examples = read_golden(version)
    if examples is None:
        raise BuildError(f"{version} has no golden examples: run espalier upgrade --checkpoints.")
    return examples
