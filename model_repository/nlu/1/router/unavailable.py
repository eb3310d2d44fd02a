"""Errors after which the same request may be asked again: nothing is wrong with it."""


class UnavailableError(RuntimeError):
    """The server, or the version of one task, cannot answer now."""


class StoppingError(UnavailableError):
    """Triton is being stopped and begins no further calls. It says nothing about the model that was called."""


class NotLoadedError(UnavailableError):
    """Triton does not have the model's version loaded at present, for example while it is brought back."""


class DeadError(UnavailableError):
    """The process of the model has died. Triton needs about a second to say so, for each call."""


class NotAskedError(UnavailableError):
    """The model was not called, because its process has died a moment ago."""
