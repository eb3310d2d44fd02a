"""The tasks that a command line names."""

from clients.errors import RequestRejected


def read_tasks(joined: str | None) -> list[str] | None:
    """The names in `--tasks`, joined by commas; None, for all tasks, if it was left out.

    Raises RequestRejected when it names none.
    """
    if joined is None:
        return None
    if not joined.strip(" ,"):
        raise RequestRejected("--tasks is empty: name at least one task, or leave it out for all of them")
    return [name.strip() for name in joined.split(",") if name.strip()]
