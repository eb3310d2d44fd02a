"""What ONNX Runtime makes of graphs as `espalier build --device gpu` writes them: merged, split, single-task.

    python tests/performance/gpu_graphs.py [--tokens 16,32] [--batches 1,8,64] [--seconds 2]
    python tests/performance/gpu_graphs.py --cpu --small      does the program work? Its figures mean nothing

Needs an NVIDIA GPU, and the extra `build` of this project with onnxruntime-gpu in place of onnxruntime. It makes graphs
of the paper's production suite (21 tasks, 40 layers of BERT-base, random weights) one after the other, in fp16, and
calls them in this process: no Triton, no TensorRT. gpu.py measures the same layouts as PyTorch modules.

Layouts:
    merged   trunk and all branches in one graph: token ids go to the GPU, logits come back
    split    trunk and branches apart; hidden states stay in GPU memory
    single   a whole encoder for each task: one graph of that size, called once for each task
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from random_suite import random_encoder
from shapes import ASSISTANT, BranchShape, Shape

from build_tools.compaction.merged_graph import MergedBranch, merge
from build_tools.export.onnx_export import export_branch, export_trunk
from build_tools.precision.half import halve
from build_tools.repository.names import TRUNK_INPUTS, hidden_name, logits_name
from build_tools.repository.runtime import Runtime
from training.encoder import Encoder
from training.kinds import Kind
from training.model import Branch

SMALL = Shape("small", 3, 64, (BranchShape("one", 1, 1, 3), BranchShape("two", 2, 1, 5, Kind.TAGGING)))
NOT_RUN = "Not run: Triton, the TensorRT provider, padded batches of mixed lengths, several GPUs."
MOST_SECONDS = 540  # for all of it

Run = Callable[[], object]


def half_trunk(encoder: Encoder, taps: list[int], file: Path) -> Path:
    """Writes the trunk in fp16 to `file`."""
    whole = file.with_suffix(".fp32")
    export_trunk(encoder, taps, whole, Runtime.ONNXRUNTIME)
    halve(whole, file)
    whole.unlink()
    return file


def half_branch(encoder: Encoder, shape: BranchShape, layers: int, tap: int, file: Path) -> Path:
    """Writes a branch of the shape, with other layers on another tap, in fp16 to `file`."""
    branch = Branch(encoder.architecture, tap, layers, shape.labels, shape.kind is Kind.TAGGING).eval()
    whole = file.with_suffix(".fp32")
    export_branch(branch, whole, Runtime.ONNXRUNTIME)
    halve(whole, file)
    whole.unlink()
    return file


class Session:
    """A graph on the device. `run` leaves on it what is kept there, and gives out the rest in host memory."""

    def __init__(self, file: Path, provider: str, device: str) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(file), options, providers=[provider])
        if self._session.get_providers()[0] != provider:
            raise SystemExit(f"onnxruntime has no {provider} here: its libraries are not found (CUDA, cuDNN).")
        self._device = device

    def run(
        self, given: Mapping[str, np.ndarray | onnxruntime.OrtValue], wanted: list[str], kept: bool = False
    ) -> dict[str, onnxruntime.OrtValue]:
        """Returns the wanted outputs. kept: on the device."""
        binding = self._session.io_binding()
        for name, value in given.items():
            if isinstance(value, np.ndarray):
                binding.bind_cpu_input(name, value)
            else:
                binding.bind_ortvalue_input(name, value)
        for name in wanted:
            binding.bind_output(name, self._device if kept else "cpu")
        self._session.run_with_iobinding(binding)
        return dict(zip(wanted, binding.get_outputs(), strict=True))


class Layouts:
    """The three layouts of a shape. `runs` gives for each a call that answers all tasks for a batch."""

    def __init__(self, shape: Shape, folder: Path, cpu: bool) -> None:
        provider, device = ("CPUExecutionProvider", "cpu") if cpu else ("CUDAExecutionProvider", "cuda")
        encoder = random_encoder(shape, folder / "encoder")
        torch.manual_seed(0)
        self._shape = shape
        self._taps = sorted({branch.tap for branch in shape.branches})
        trunk = half_trunk(encoder, self._taps, folder / "trunk.onnx")
        files = {
            branch.task: half_branch(encoder, branch, branch.layers, branch.tap, folder / f"{branch.task}.onnx")
            for branch in shape.branches
        }
        merged = {branch.task: MergedBranch(files[branch.task], branch.tap) for branch in shape.branches}
        merge(trunk, merged, folder / "merged.onnx")
        # One layer above the trunk's is the branch's: together they are the whole encoder.
        below = shape.encoder_layers - 1
        head = next(branch for branch in shape.branches if branch.kind is not Kind.TAGGING)
        single_trunk = half_trunk(encoder, [below], folder / "single_trunk.onnx")
        single = half_branch(encoder, head, 1, below, folder / "single_head.onnx")
        merge(single_trunk, {head.task: MergedBranch(single, below)}, folder / "single.onnx")

        self._merged = Session(folder / "merged.onnx", provider, device)
        self._trunk = Session(trunk, provider, device)
        self._branches = {task: Session(file, provider, device) for task, file in files.items()}
        self._single, self._single_task = Session(folder / "single.onnx", provider, device), head.task

    def runs(self, rows: int, tokens: int) -> dict[str, Run]:
        """Returns {layout: a call with a batch without padding}."""
        ids = np.random.default_rng(0).integers(1000, 20000, (rows, tokens))
        columns = (ids, np.ones_like(ids), np.zeros_like(ids))
        inputs = dict(zip(TRUNK_INPUTS, columns, strict=True))
        logits = [logits_name(branch.task) for branch in self._shape.branches]

        def split() -> None:
            hidden = self._trunk.run(inputs, [hidden_name(tap) for tap in self._taps], kept=True)
            for branch in self._shape.branches:
                given = {"hidden": hidden[hidden_name(branch.tap)], TRUNK_INPUTS[1]: columns[1]}
                self._branches[branch.task].run(given, ["logits"])

        def single() -> None:
            for _ in self._shape.branches:
                self._single.run(inputs, [logits_name(self._single_task)])

        return {"merged": lambda: self._merged.run(inputs, logits), "split": split, "single": single}


def measured(runs: Mapping[str, Run], seconds: float) -> dict[str, list[float]]:
    """Seconds of each call; the layouts take turns, so that what disturbs one disturbs all."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for run in (*runs.values(), *runs.values()):
        run()
    end = time.perf_counter() + seconds * len(runs)
    while time.perf_counter() < end or min(map(len, taken.values())) < 20:
        for name, run in runs.items():
            begun = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - begun)
    return taken


def rows_of_table(layouts: Layouts, arguments: argparse.Namespace) -> Iterator[str]:
    """The lines of a Markdown table. What there is no time for is said in its place."""
    begun = time.perf_counter()
    yield "| tokens | batch | layout | P50 ms | P99 ms | texts/s |\n| ---: | ---: | --- | ---: | ---: | ---: |"
    for tokens in map(int, arguments.tokens.split(",")):
        for batch in map(int, arguments.batches.split(",")):
            if time.perf_counter() - begun > MOST_SECONDS:
                yield f"| {tokens} | {batch} | not run: no time left | | | |"
                continue
            for name, taken in measured(layouts.runs(batch, tokens), arguments.seconds).items():
                p = statistics.quantiles(taken, n=100)
                p50, p99 = 1000 * p[49], 1000 * p[98]
                yield f"| {tokens} | {batch} | {name} | {p50:,.2f} | {p99:,.2f} | {1000 * batch / p50:,.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", default="16,32", help="lengths of the texts, in tokens")
    parser.add_argument("--batches", default="1,8,64", help="texts in a call")
    parser.add_argument("--seconds", type=float, default=2, help="for each layout, length and batch")
    parser.add_argument("--cpu", action="store_true", help="on the CPU, to try the program")
    parser.add_argument("--small", action="store_true", help="two tasks on three small layers, to try the program")
    arguments = parser.parse_args()
    found = onnxruntime.get_available_providers()
    if not arguments.cpu and "CUDAExecutionProvider" not in found:
        raise SystemExit(
            f"This onnxruntime has no CUDAExecutionProvider (it has {', '.join(found)}): uninstall onnxruntime, "
            "install onnxruntime-gpu on a machine with an NVIDIA GPU, or try the program with --cpu --small."
        )
    shape = SMALL if arguments.small else ASSISTANT
    with tempfile.TemporaryDirectory(prefix="espalier-") as folder:
        begun = time.perf_counter()
        layouts = Layouts(shape, Path(folder), arguments.cpu)
        where = "CPU: these figures mean nothing" if arguments.cpu else "CUDA provider"
        suite = f"{len(shape.branches)} tasks, {shape.layers} layers of width {shape.hidden_size}, fp16"
        made = f"graphs made in {time.perf_counter() - begun:.0f} s"
        print(f"{suite}, {where}, onnxruntime {onnxruntime.__version__}; {made}\n")
        for line in rows_of_table(layouts, arguments):
            print(line, flush=True)
    print(f"\n{NOT_RUN}")


if __name__ == "__main__":
    main()
