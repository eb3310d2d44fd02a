"""What a GPU makes of the paper's production suite: merged graph, split graphs, one encoder per task.

    python tests/performance/gpu.py [--tokens 16,32] [--rate 4000] [--seconds 10] [--output bench/gpu.json]

Needs an NVIDIA GPU, torch with CUDA and transformers; neither Triton nor ONNX Runtime. It measures PyTorch modules in
fp16, each layout captured in CUDA graphs, so it says what the layouts cost on the GPU, and not what a server adds. The
paper served this suite (21 tasks, 40 layers) on five V100s: 4,000 texts/s with a P99 of 32 ms (appendix E).

Layouts:
    merged   trunk and all branches in one CUDA graph: one launch for each batch
    split    a CUDA graph for the trunk and one for each branch, hidden states stay on the GPU
    by host  split, but hidden states pass through host memory, as between processes without CUDA shared memory
    single   one whole encoder per task, in one CUDA graph
"""

import argparse
import json
import queue
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from shapes import ASSISTANT, BranchShape, Shape
from torch import nn
from transformers import BertConfig, BertModel
from transformers.models.bert.modeling_bert import BertLayer

VOCABULARY = 30522
BATCHES = (1, 8, 32, 64, 128, 256)
MOST_WAITING = 256  # texts in one batch of the open load
TOLERANCE = 0.02  # of the fp32 logits' standard deviation, root mean square

Run = Callable[[], object]


class Head(nn.Module):
    """The layers of one task and its head: hidden [B, T, H], mask bool [B, 1, 1, T] -> logits [B, C] or [B, T, C]."""

    def __init__(self, config: BertConfig, shape: BranchShape, layers: int) -> None:
        super().__init__()
        self.tap, self.per_token = shape.tap, shape.kind.value == "tagging"
        self.layers = nn.ModuleList(BertLayer(config) for _ in range(layers))
        self.pooler = nn.Linear(config.hidden_size, config.hidden_size)
        self.classifier = nn.Linear(config.hidden_size, shape.labels)

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            hidden = layer(hidden, mask)
        if not self.per_token:
            hidden = torch.tanh(self.pooler(hidden[:, 0]))
        return self.classifier(hidden)


class Trunk(nn.Module):
    """Token ids [B, T] -> hidden states after each layer, {number of layers: [B, T, H]}."""

    def __init__(self, config: BertConfig, layers: int) -> None:
        super().__init__()
        bert = BertModel(config, add_pooling_layer=False)
        self.embeddings, self.layers = bert.embeddings, bert.encoder.layer[:layers]

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> dict[int, torch.Tensor]:
        states = {0: self.embeddings(input_ids=ids)}
        for number, layer in enumerate(self.layers, start=1):
            states[number] = layer(states[number - 1], mask)
        return states


class Suite:
    """The modules of one shape with random weights, which compute as long as trained ones."""

    def __init__(self, shape: Shape, dtype: torch.dtype, single: bool, compiled: bool) -> None:
        torch.manual_seed(0)
        config = BertConfig(vocab_size=VOCABULARY, num_hidden_layers=shape.encoder_layers, attn_implementation="sdpa")
        deepest = max(branch.tap for branch in shape.branches)
        with torch.device("cuda"):
            self.trunk = Trunk(config, deepest)
            self.heads = [Head(config, branch, branch.layers) for branch in shape.branches]
            # Single-task serving computes all layers for each task, each with weights of its own.
            depths = [shape.encoder_layers if single else 0] * len(shape.branches)
            self.encoders = [nn.ModuleList(BertLayer(config) for _ in range(depth)) for depth in depths]
        # Layers share one compiled function for each shape: more shapes than torch keeps by default.
        torch._dynamo.config.recompile_limit = 4 * len(BATCHES)
        for module in (self.trunk, *self.heads, *self.encoders):
            module.eval().to(dtype)
            if compiled:
                for layer in module if isinstance(module, nn.ModuleList) else module.layers:
                    layer.compile(dynamic=False)

    def answers(self, ids: torch.Tensor, mask: torch.Tensor) -> list[torch.Tensor]:
        """Every task's logits, the trunk computed once."""
        states = self.trunk(ids, mask)
        return [head(states[head.tap], mask) for head in self.heads]

    def single_answers(self, ids: torch.Tensor, mask: torch.Tensor) -> list[torch.Tensor]:
        """Every task's logits, each by an encoder of its own."""
        logits = []
        for head, layers in zip(self.heads, self.encoders, strict=True):
            hidden = self.trunk.embeddings(input_ids=ids)
            for layer in layers:
                hidden = layer(hidden, mask)
            if not head.per_token:
                hidden = torch.tanh(head.pooler(hidden[:, 0]))
            logits.append(head.classifier(hidden))
        return logits


def captured(compute: Callable[[], object]) -> tuple[torch.cuda.CUDAGraph, object]:
    """A CUDA graph of the computation, after three runs that warm it up, and the tensors that it writes."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            compute()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        written = compute()
    return graph, written


class Layouts:
    """Every layout for one batch size and length. `run[name]()` computes a batch from host ids to host logits."""

    def __init__(self, suite: Suite, batch: int, tokens: int, names: list[str]) -> None:
        self.host_ids = torch.randint(1000, VOCABULARY, (batch, tokens)).pin_memory()
        self.ids = self.host_ids.cuda()
        self.mask = torch.ones(batch, 1, 1, tokens, dtype=torch.bool, device="cuda")
        makers = {"merged": self._merged, "split": self._split, "by host": self._by_host, "single": self._single}
        self.run: dict[str, Run] = {name: makers[name](suite) for name in names}

    def _whole(self, compute: Callable[[], list[torch.Tensor]]) -> Run:
        graph, logits = captured(compute)
        host = [torch.empty(one.shape, dtype=one.dtype).pin_memory() for one in logits]

        def run() -> list[torch.Tensor]:
            self.ids.copy_(self.host_ids, non_blocking=True)
            graph.replay()
            for there, here in zip(host, logits, strict=True):
                there.copy_(here, non_blocking=True)
            torch.cuda.synchronize()
            return host

        return run

    def _merged(self, suite: Suite) -> Run:
        return self._whole(lambda: suite.answers(self.ids, self.mask))

    def _single(self, suite: Suite) -> Run:
        return self._whole(lambda: suite.single_answers(self.ids, self.mask))

    def _split(self, suite: Suite) -> Run:
        return self._apart(suite, by_host=False)

    def _by_host(self, suite: Suite) -> Run:
        return self._apart(suite, by_host=True)

    def _apart(self, suite: Suite, by_host: bool) -> Run:
        trunk, states = captured(lambda: suite.trunk(self.ids, self.mask))
        steps = []
        for head in suite.heads:
            given = torch.empty_like(states[head.tap])
            graph, logits = captured(lambda head=head, given=given: head(given, self.mask))
            steps.append((states[head.tap], given, graph, logits, torch.empty_like(logits, device="cpu").pin_memory()))
        taps = {head.tap for head in suite.heads}
        host = {tap: torch.empty_like(states[tap], device="cpu").pin_memory() for tap in taps}
        from_host = [host[head.tap] for head in suite.heads]

        def run() -> list[torch.Tensor]:
            self.ids.copy_(self.host_ids, non_blocking=True)
            trunk.replay()
            if by_host:
                for tap, there in host.items():
                    there.copy_(states[tap], non_blocking=True)
                torch.cuda.synchronize()
            for (state, given, graph, logits, there), handed in zip(steps, from_host, strict=True):
                given.copy_(handed if by_host else state, non_blocking=True)
                graph.replay()
                there.copy_(logits, non_blocking=True)
                if by_host:
                    torch.cuda.synchronize()  # another process has to know that the answer is there
            torch.cuda.synchronize()
            return [there for *_, there in steps]

        return run


def measured(runs: dict[str, Run], seconds: float) -> dict[str, list[float]]:
    """Seconds of each call; the layouts take turns, so that what disturbs one disturbs all."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    end = time.perf_counter() + seconds * len(runs)
    while time.perf_counter() < end or min(map(len, taken.values())) < 20:
        for name, run in runs.items():
            begun = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - begun)
    return taken


def open_load(by_batch: dict[int, Run], rate: float, seconds: float) -> dict[str, float]:
    """Texts arrive at random (Poisson) at this rate and are computed in the batches that are waiting.

    Returns P50 and P99 in ms from arrival to answer, the texts answered per second, and the mean batch.
    """
    arrivals: queue.SimpleQueue[float | None] = queue.SimpleQueue()
    draw = torch.Generator().manual_seed(0)
    gaps = torch.empty(int(rate * seconds)).exponential_(rate, generator=draw).tolist()

    def arrive() -> None:
        due = time.perf_counter()
        for gap in gaps:
            due += gap
            while (left := due - time.perf_counter()) > 0:
                time.sleep(left if left > 2e-4 else 0)
            arrivals.put(due)
        arrivals.put(None)

    threading.Thread(target=arrive, daemon=True).start()
    latencies, batches, begun, ended = [], [], time.perf_counter(), False
    while not ended:
        waiting = []
        while not ended and len(waiting) < MOST_WAITING and (not waiting or not arrivals.empty()):
            arrival = arrivals.get()
            ended = arrival is None
            if arrival is not None:
                waiting.append(arrival)
        if waiting:
            by_batch[next(size for size in sorted(by_batch) if size >= len(waiting))]()
            now = time.perf_counter()
            latencies += [now - arrival for arrival in waiting]
            batches.append(len(waiting))
    p = statistics.quantiles(latencies, n=100)
    return {
        "p50_ms": 1000 * p[49],
        "p99_ms": 1000 * p[98],
        "texts_per_second": len(latencies) / (time.perf_counter() - begun),
        "mean_batch": statistics.mean(batches),
    }


def deviation(suite: Suite, exact: Suite, tokens: int) -> float:
    """The greatest root mean square difference of a task's fp16 logits from fp32, over the fp32 standard deviation."""
    ids = torch.randint(1000, VOCABULARY, (32, tokens), device="cuda")
    mask = torch.ones(32, 1, 1, tokens, dtype=torch.bool, device="cuda")
    mask[::2, ..., tokens // 2 :] = False  # padded rows too
    pairs = zip(suite.answers(ids, mask), exact.answers(ids, mask), strict=True)
    return max(float((ours.float() - theirs).square().mean().sqrt() / theirs.std()) for ours, theirs in pairs)


def results(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """One record for each length: calls at each batch size, then the open load."""
    suite = Suite(ASSISTANT, torch.float16, single=True, compiled=arguments.compile)
    exact = Suite(ASSISTANT, torch.float32, single=False, compiled=False)
    for tokens in map(int, arguments.tokens.split(",")):
        record: dict[str, object] = {"tokens": tokens, "compiled": arguments.compile}
        record["fp16_deviation"] = deviation(suite, exact, tokens)
        if not record["fp16_deviation"] < TOLERANCE:
            raise SystemExit(f"fp16 differs from fp32 by {record['fp16_deviation']:.3f} of a logit's spread.")
        names = ["merged", "split", "by host", "single"]
        by_batch: dict[str, dict[int, Run]] = {name: {} for name in names}
        for batch in BATCHES:
            layouts = Layouts(suite, batch, tokens, names)
            for name, run in layouts.run.items():
                by_batch[name][batch] = run
            for name, taken in measured(layouts.run, arguments.seconds / 10).items():
                p = statistics.quantiles(taken, n=100)
                record[f"{name} {batch}"] = {
                    "p50_ms": 1000 * p[49],
                    "p99_ms": 1000 * p[98],
                    "texts_per_second": batch / p[49],
                    "calls": len(taken),
                }
        for name in names:
            record[f"{name} at {arguments.rate:g}/s"] = open_load(by_batch[name], arguments.rate, arguments.seconds)
        yield record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", default="16,32", help="lengths of the texts, in tokens")
    parser.add_argument("--rate", type=float, default=4000, help="texts per second of the open load")
    parser.add_argument("--seconds", type=float, default=10, help="of each open load; a tenth of it for each call")
    parser.add_argument("--compile", action="store_true", help="compile each layer with torch.compile first")
    parser.add_argument("--output", type=Path, help="a JSON file for all figures")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("gpu.py needs an NVIDIA GPU and torch with CUDA: neither is found here.")
    found = []
    with torch.inference_mode():
        for record in results(arguments):
            found.append(record)
            print(f"\n{torch.cuda.get_device_name()}, {record['tokens']} tokens, fp16, compiled: {record['compiled']}")
            print(f"fp16 against fp32: {record['fp16_deviation']:.4f} of a logit's spread")
            for name, figures in record.items():
                if isinstance(figures, dict):
                    print(f"{name:>20}: " + ", ".join(f"{key} {value:,.2f}" for key, value in figures.items()))
            if arguments.output:
                arguments.output.parent.mkdir(parents=True, exist_ok=True)
                arguments.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
