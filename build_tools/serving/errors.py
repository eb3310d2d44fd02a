"""What goes wrong when a model repository is served."""

from build_tools.errors import BuildError


class ServeError(BuildError):
    """The server could not be started, or ended by itself; the message is meant for the user as it is."""
