"""The base of all errors that a user can fix. Separate, because no package of the project may import all others."""


class EspalierError(Exception):
    """An error that a user can fix. The message is one sentence that names the problem and the fix."""
