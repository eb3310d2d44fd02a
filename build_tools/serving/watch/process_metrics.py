"""What the processes of a server hold in memory, by model, for /metrics."""

from collections import defaultdict
from collections.abc import Callable, Iterator

import psutil
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from build_tools.serving.watch.model_processes import ProcessTable


class ProcessCollector(Collector):
    """Looks at the processes when it is asked. Those of tritonserver itself and of the gate count as models, too.

    triton: the process id of tritonserver; None while it does not run, or runs elsewhere. gates: those of the gate.
    """

    def __init__(self, triton: Callable[[], int | None], gates: Callable[[], list[int]]) -> None:
        self._triton = triton
        self._gates = gates

    def collect(self) -> Iterator[Metric]:
        """Yields the families."""
        number = GaugeMetricFamily("espalier_model_processes", "Processes of the model", labels=["model"])
        memory = GaugeMetricFamily("espalier_model_memory_bytes", "What they hold in memory", labels=["model"])
        for model, sizes in self._sizes().items():
            number.add_metric([model], len(sizes))
            memory.add_metric([model], sum(sizes))
        yield from (number, memory)

    def total_bytes(self) -> int:
        """What all of them hold in memory."""
        return sum(sum(sizes) for sizes in self._sizes().values())

    def _sizes(self) -> dict[str, list[int]]:
        """Returns {model: resident bytes of each process}."""
        pids = [("gate", pid) for pid in self._gates()]
        triton = self._triton()
        if triton is not None:
            pids.append(("tritonserver", triton))
            pids += [(process.version[0], process.pid) for process in ProcessTable(triton).read()]
        sizes: dict[str, list[int]] = defaultdict(list)
        for model, pid in pids:
            try:
                sizes[model].append(psutil.Process(pid).memory_info().rss)
            except psutil.Error:  # it has just ended
                continue
        return sizes
