"""The errors that training raises for unusable input, and its warning."""

from espalier_errors import EspalierError


class TrainingError(EspalierError, ValueError):
    """Bad data, a bad option or a bad checkpoint. The message is one sentence: the cause and what to do."""


class NotFiniteError(TrainingError):
    """The loss or the outputs became NaN or infinite. Training with other hyper-parameters may succeed."""


class TrainingWarning(UserWarning):
    """Usable input that will probably give a bad result. The message is one sentence: the cause and what to do."""
