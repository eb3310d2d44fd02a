"""The base of all errors that a user can mend. Apart, because neither room of the project may import all others."""


class EspalierError(Exception):
    """Something that a user can mend; the message is one sentence that names the problem and the fix."""
