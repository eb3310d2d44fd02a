"""The errors of building and serving."""

from espalier_errors import EspalierError


class BuildError(EspalierError, ValueError):
    """A repository cannot be built, changed or served. The message names the cause and what to do."""


class NotNowError(BuildError):
    """It cannot be done now, and what was asked is not to blame: the same may work later."""
