"""Why a generation cannot be adopted now."""

from build_tools.serving.errors import ServeError


class NotHereError(ServeError):
    """A file is not here yet, or not whole: a folder on the network may show changes late. Looking again may help."""


class AwayError(ServeError):
    """This server's Triton does not answer: it is being started again. Asking again helps."""
