"""The errors of building and serving."""

from espalier_errors import EspalierError


class BuildError(EspalierError, ValueError):
    """A repository cannot be built, changed or served. The message names the cause and what to do."""
