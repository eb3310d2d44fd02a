"""Which step of a change is under way: told as it begins, and named if it fails."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from build_tools.errors import BuildError
from training.errors import TrainingError


class Progress:
    """Steps in their order."""

    def __init__(self, what: str, report: Callable[[str], None]) -> None:
        """what: the sentence that begins the message if a step fails."""
        self.report = report
        self._what = what
        self._step = ""

    def at(self, step: str) -> None:
        """The next step begins."""
        self._step = step
        self.report(step)

    def done(self, what: str) -> None:
        """What matters is done: from now on a failure begins with this sentence."""
        self._what = what

    @contextmanager
    def failures_told(self) -> Iterator[None]:
        """Turns what goes wrong inside into a BuildError: "<what> at step '<step>': <reason>"."""
        try:
            yield
        except (BuildError, TrainingError, OSError) as error:
            raise BuildError(f"{self._what} at step '{self._step}': {error}") from error
        except Exception as error:  # what a checkpoint of others can cause is no traceback
            raise BuildError(f"{self._what} at step '{self._step}': {type(error).__name__}: {error}") from error
