"""The errors of building and serving."""

from espalier_errors import EspalierError


class BuildError(EspalierError, ValueError):
    """A repository that cannot be built or served: one sentence that names the thing and what to do."""
