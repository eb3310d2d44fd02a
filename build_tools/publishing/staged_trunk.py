"""The trunk that a new branch will read: the served one, or a new version of it beside the repository."""

from pathlib import Path

import numpy as np

from build_tools.errors import BuildError
from build_tools.export.onnx_export import export_trunk
from build_tools.golden.golden_batch import GoldenBatch
from build_tools.golden.runnable import TOLERANCE, Runnable
from build_tools.precision.graph import Graph, load_graph
from build_tools.publishing.trunk_plan import TrunkPlan
from build_tools.repository.names import hidden_name
from build_tools.repository.runtime import Runtime
from build_tools.repository.triton_config import GRAPH_FILE, trunk_config, write_trunk_configs
from training.encoder import Encoder


def load_served_trunk(repository: Path, plan: TrunkPlan, runtime: Runtime) -> Runnable:
    """Loads the trunk that is served now."""
    assert plan.present is not None
    file = repository / plan.name / str(plan.present.version) / GRAPH_FILE
    outputs = [hidden_name(tap) for tap in plan.present.taps]
    return load_graph(file, outputs, runtime, plan.present.precision)


def export_trunk_version(encoder: Encoder, plan: TrunkPlan, runtime: Runtime, folder: Path) -> Runnable:
    """Writes the version's folder, and the model's configs beside it. Returns the graph, loaded."""
    folder.mkdir(parents=True)
    entry, outputs = plan.entry, [hidden_name(tap) for tap in plan.entry.taps]
    graph = Graph(folder / GRAPH_FILE, outputs, runtime, entry.hidden_size)
    export_trunk(encoder, entry.taps, graph.file, runtime)
    graph.settle(entry.precision)
    config = trunk_config(
        runtime, entry.taps, entry.hidden_size, entry.precision, plan.name, entry.version, entry.limits
    )
    write_trunk_configs(folder.parent, config)
    return load_graph(graph.file, outputs, runtime, entry.precision)


def check_same_states(golden: GoldenBatch, served: Runnable, new: Runnable, plan: TrunkPlan) -> None:
    """Checks that a new version of a trunk gives the same hidden states as the served one, at all of its taps.

    Raises BuildError if one differs by more than 1e-3 for the golden examples.
    """
    assert plan.present is not None
    names = [hidden_name(tap) for tap in plan.present.taps]
    before, after = served.run(golden.inputs, names), new.run(golden.inputs, names)
    seen = golden.inputs["attention_mask"] > 0  # values at padding are never read
    for name in names:
        difference = float(np.abs(before[name] - after[name])[seen].max())
        if not difference <= TOLERANCE:
            raise BuildError(
                f"the new version of {plan.name} differs from the served one by {difference:.2g} at {name}; the limit "
                f"is {TOLERANCE:g}."
            )
