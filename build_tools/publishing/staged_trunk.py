"""The trunk that comes with a branch, as the next version of a served one or as a new one, beside the repository."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from build_tools.artefact.artefact import Artefact
from build_tools.errors import BuildError
from build_tools.golden.runnable import TOLERANCE, Runnable
from build_tools.publishing.trunk_plan import TrunkPlan
from build_tools.repository.golden_examples import GoldenExamples, read_golden
from build_tools.repository.names import hidden_name
from build_tools.repository.registry import Registry, TrunkEntry
from build_tools.repository.runtime import Runtime
from build_tools.repository.triton_config import GRAPH_FILE, config_of_trunk, write_trunk_configs


def stage_trunk(artefact: Artefact, plan: TrunkPlan, registry: Registry, folder: Path) -> Path:
    """Makes the folder of a trunk's model: its configs, and the version's folder, which is returned."""
    version = folder / str(plan.entry.version)
    version.mkdir(parents=True)
    shutil.copyfile(artefact.trunk / GRAPH_FILE, version / GRAPH_FILE)
    write_trunk_configs(folder, config_of_trunk(plan.name, plan.entry, registry.runtime, registry.device))
    return version


def check_next_version(
    artefact: Artefact, repository: Path, registry: Registry, plan: TrunkPlan, version: Path
) -> None:
    """Checks a new version of a served trunk, which all tasks on it will read, before anybody does.

    Both are loaded here and compared for the artefact's golden examples and for those of every live version on it.
    Raises BuildError if a hidden state differs.
    """
    assert plan.present is not None
    served = load_trunk(repository / plan.name / str(plan.present.version), plan.present, registry.runtime)
    new = load_trunk(version, plan.entry, registry.runtime)
    examples = [artefact.golden, *_of_live_versions(repository, registry, plan.name)]
    check_same_states(examples, served, new, plan)


def load_trunk(version: Path, entry: TrunkEntry, runtime: Runtime) -> Runnable:
    """Loads a trunk's version in this process."""
    from build_tools.precision.load_graph import load_graph  # loads both runtimes, which most publishes do not need

    return load_graph(version / GRAPH_FILE, [hidden_name(tap) for tap in entry.taps], runtime, entry.precision)


def check_same_states(examples: Iterable[GoldenExamples], served: Runnable, new: Runnable, plan: TrunkPlan) -> None:
    """Checks that a new version of a trunk gives the same hidden states as the served one, at all of its taps.

    Raises BuildError if one differs by more than 1e-3 for one of the examples.
    """
    assert plan.present is not None
    names = [hidden_name(tap) for tap in plan.present.taps]
    for golden in examples:
        before, after = served.run(golden.inputs, names), new.run(golden.inputs, names)
        seen = golden.inputs["attention_mask"] > 0  # values at padding are never read
        for name in names:
            difference = float(np.abs(before[name] - after[name])[seen].max())
            if not difference <= TOLERANCE:
                raise BuildError(
                    f"the new version of {plan.name} differs from the served one by {difference:.2g} at {name}; the "
                    f"limit is {TOLERANCE:g}."
                )


def _of_live_versions(repository: Path, registry: Registry, trunk: str) -> Iterator[GoldenExamples]:
    for entry in registry.tasks.values():
        version = entry.live_version
        golden = read_golden(repository / version.model / str(entry.live)) if version.trunk == trunk else None
        if golden is not None:  # a version of an earlier release has none
            yield golden
