"""The one error that training raises for input it cannot use."""


class TrainingError(ValueError):
    """Bad data, a bad option or a bad checkpoint: one sentence that names the thing and what to do."""
