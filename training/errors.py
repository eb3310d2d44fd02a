"""The errors that training raises for input it cannot use, and its warning."""

from espalier_errors import EspalierError


class TrainingError(EspalierError, ValueError):
    """Bad data, a bad option or a bad checkpoint: one sentence that names the thing and what to do."""


class NotFiniteError(TrainingError):
    """The loss or the outputs became NaN or infinite: this training is lost, another may do."""


class TrainingWarning(UserWarning):
    """Input that can be used but will hardly do: one sentence that names the thing and what to do."""
