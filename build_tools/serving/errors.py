"""Errors of serving a model repository."""

from build_tools.errors import BuildError


class ServeError(BuildError):
    """The server could not be started or ended by itself. The message is shown to the user as it is."""
