"""How far a training is: a bar on a terminal, a line now and then where the output is a file."""

import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

LINE_EVERY = 30.0  # seconds between two lines in a file


class Progress:
    """Counts the steps of one training on standard error.

    title: of the training. steps: how many there will be. On a terminal it is tqdm's bar. Elsewhere it writes a whole
    line at most every LINE_EVERY seconds, so that a log shows that a long training moves, and a short one stays silent.
    """

    def __init__(self, title: str, steps: int) -> None:
        self.title, self.steps = title, steps
        self.is_terminal = sys.stderr.isatty()
        self.bar = tqdm(total=steps, desc=title, unit="step", disable=not self.is_terminal, leave=False)
        self.done, self.scored = 0, ""
        self.start = self.told = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()

    def step(self) -> None:
        """Counts one step of the optimizer."""
        self.done += 1
        self.bar.update()
        now = time.monotonic()
        if not self.is_terminal and now - self.told >= LINE_EVERY:
            self.told = now
            left = (now - self.start) / self.done * (self.steps - self.done)
            print(
                f"{self.title}: step {self.done} of {self.steps}{self.scored}, about {_duration(left)} left",
                file=sys.stderr,
                flush=True,
            )

    def epoch(self, number: int, metric: str, score: float) -> None:
        """Shows the dev score of the epoch that has just ended."""
        self.scored = f", {metric} {score:.2f} after epoch {number}"
        self.bar.set_postfix({metric: f"{score:.2f}"})


def _duration(seconds: float) -> str:
    """Returns '45 s', '12 min' or '3.4 h'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
