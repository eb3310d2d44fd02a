"""The steps of a command: each is reported as it begins, and named in the message if it fails."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from build_tools.errors import BuildError
from training.errors import TrainingError, one_line

_MOST = 500  # characters of an error that is not our own


class Progress:
    """The step that a command is at."""

    def __init__(self, what: str, report: Callable[[str], None]) -> None:
        """what: the words that begin the message if a step fails. report: receives each step."""
        self.report = report
        self._what = what
        self._step = ""

    def at(self, step: str) -> None:
        """Begins the next step."""
        self._step = step
        self.report(step)

    def done(self, what: str) -> None:
        """Begins the message with these words from now on, because the essential part is done."""
        self._what = what

    @contextmanager
    def failures_told(self) -> Iterator[None]:
        """Turns every error inside into a BuildError: "<what> at step '<step>': <reason>"."""
        try:
            yield
        except (BuildError, TrainingError, OSError) as error:
            raise BuildError(f"{self._what} at step '{self._step}': {error}") from error
        except Exception as error:  # another team's checkpoint must not cause a traceback
            said = f"{type(error).__name__}: {one_line(error):.{_MOST}}"
            raise BuildError(f"{self._what} at step '{self._step}': {said}") from error
