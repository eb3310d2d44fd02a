"""Where the outputs of a fused graph lie, and the names of the inputs that select its rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

HIDDEN, LOGITS = "hidden_", "logits_"
_TAP = "_tap"  # in a fused model's config: {"logits_<task>_tap": the task's tap}


@dataclass(frozen=True)
class FusedLayout:
    """taps: of the trunk, ascending. tasks: {task: its tap}."""

    taps: tuple[int, ...]
    tasks: Mapping[str, int]

    @property
    def columns(self) -> dict[str, int]:
        """{output: the tap that it needs}, in the order of the columns of `asked`: tasks by name, then taps."""
        logits = {f"{LOGITS}{task}": self.tasks[task] for task in sorted(self.tasks)}
        return logits | {f"{HIDDEN}{tap}": tap for tap in self.taps}


def read_layout(outputs: Iterable[str], parameters: Mapping[str, str]) -> FusedLayout:
    """Reads it from a config. Raises KeyError if a task has no tap."""
    names = list(outputs)
    taps = sorted(int(name.removeprefix(HIDDEN)) for name in names if name.startswith(HIDDEN))
    tasks = {name.removeprefix(LOGITS): int(parameters[f"{name}{_TAP}"]) for name in names if name.startswith(LOGITS)}
    return FusedLayout(tuple(taps), tasks)


def rows_input(part: str) -> str:
    """Returns the input int64 [n] that selects the rows of a part of the graph.

    part: an output. Its rows are positions among the rows that the trunk has computed at the output's tap. Or
    `step_<tap>`: the trunk's layers below a tap. Its rows are positions among the rows at the tap below, followed by
    the S rows of the request where the request gives the hidden states of that tap.
    """
    return f"rows_{part}"


def step_name(tap: int) -> str:
    """Returns the name of the part that computes the hidden states at a tap."""
    return f"step_{tap}"


def resumed_input(tap: int) -> str:
    """Returns the input float32 [S, T, H], or [0, T, H], with the hidden states from which a request goes on."""
    return f"resumed_{tap}"
