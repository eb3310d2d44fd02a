"""The errors of building and serving."""


class BuildError(ValueError):
    """A repository that cannot be built or served: one sentence that names the thing and what to do."""
