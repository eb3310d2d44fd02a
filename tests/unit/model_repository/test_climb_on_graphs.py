"""The router over real graphs: what a fused graph answers is what trunk and branches answer apart."""

import json
from dataclasses import replace

import onnx
import pytest
from climbing import asking, collected
from router.registry import Fused, Registry, Task, Version
from tiny_graphs import TAGGING, TAPS, TASKS, WIDTH, make_branch, make_trunk

from build_tools.backends.espalier_backend.fused_graph import FusedGraph
from build_tools.backends.espalier_backend.fused_layout import FusedLayout
from build_tools.backends.espalier_backend.load_chain import load_chain
from build_tools.backends.espalier_backend.onnxruntime_segment import OnnxRuntimeSegment
from build_tools.compaction.fused_files import write_fused
from build_tools.compaction.merged_graph import MergedBranch

HIDDEN = [f"hidden_{tap}" for tap in TAPS]
FUSED = Fused("fused", 1, dict.fromkeys(sorted(TASKS), 1), TAPS)


def _version(task, number=1):
    kind, labels = ("tagging", ("O", "B-x", "I-x")) if task == TAGGING else ("classification", ("a", "b", "c"))
    return Version(task, number, kind, labels, TASKS[task], 64, f"branch_{task}", "trunk")


APART = Registry({task: Task(_version(task)) for task in TASKS})
COMPACTED = replace(APART, fused={"trunk": FUSED})
ROWS = [
    asking("a b c", *TASKS),
    asking("d", "d"),
    asking("e f g h i j k l m n o p", "a_slots", "c-domain"),
    asking("q r", "c-domain"),
    asking("a b d", "a_slots"),
    asking("a c d", "d", "b.intent"),
]


@pytest.fixture(scope="session")
def graphs(tmp_path_factory):
    """{Triton model: what computes it}, all of version 1."""
    folder = tmp_path_factory.mktemp("graphs")
    onnx.save(make_trunk(), folder / "trunk.onnx")
    branches = {task: MergedBranch(folder / f"{task}.onnx", tap) for task, tap in TASKS.items()}
    for seed, (task, branch) in enumerate(branches.items()):
        onnx.save(make_branch(seed, per_token=task == TAGGING), branch.file)
    layout = write_fused(folder / "trunk.onnx", branches, folder)
    assert layout == FusedLayout(TAPS, TASKS)
    rows = OnnxRuntimeSegment(folder / "rows.onnx", list(layout.columns), {})
    apart = {f"branch_{task}": branch.file for task, branch in branches.items()}
    return {
        "fused": FusedGraph(rows, layout, WIDTH),
        "trunk": load_chain(folder / "trunk.onnx", HIDDEN, {}, OnnxRuntimeSegment),
        **{model: load_chain(file, ["logits"], {}, OnnxRuntimeSegment) for model, file in apart.items()},
    }


@pytest.fixture
def called(graphs, climb_module, trunk_module, monkeypatch):
    """The models that the router called."""
    called = []

    def infer(model, version, inputs, outputs):  # noqa: ARG001
        called.append(model)
        graph = graphs[model]
        computed = graph.run(graph.with_asked(inputs, outputs) if model == "fused" else inputs, outputs)
        return {name: computed[name] for name in outputs}

    monkeypatch.setattr(climb_module, "infer", infer)
    monkeypatch.setattr(trunk_module, "infer", infer)
    return called


def _numbers(answers):
    """{(task, row, path): number}, and the rest as text."""
    numbers, rest = {}, json.loads(json.dumps(answers), parse_float=lambda _: None)

    def walk(value, *path):
        for name, one in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(one, dict | list):
                walk(one, *path, name)
            elif isinstance(one, float):
                numbers[(*path, name)] = one

    walk(answers)
    return numbers, rest


@pytest.mark.parametrize("by_tap", [True, False])
@pytest.mark.parametrize("resumes", [True, False])
@pytest.mark.parametrize("outside", [(), ("b.intent",), tuple(TASKS)[1:]])
@pytest.mark.usefixtures("models")
def test_every_row_gets_from_a_fused_graph_what_it_gets_from_trunk_and_branches(
    start, called, by_tap, resumes, outside
):
    rows = [replace(row, all_scores=True) for row in ROWS]
    expected, expected_rest = _numbers(collected(start(*rows, registry=APART, resumes=resumes)))
    called.clear()
    inside = dict.fromkeys(sorted(TASKS), 1) | dict.fromkeys(outside, 7)
    registry = replace(APART, fused={"trunk": replace(FUSED, tasks=inside)})

    found, rest = _numbers(collected(start(*rows, registry=registry, resumes=resumes, by_tap=by_tap)))

    assert found == pytest.approx(expected, abs=1e-5)
    assert rest == expected_rest
    assert set(called) == {"fused", *(f"branch_{task}" for task in outside)}
