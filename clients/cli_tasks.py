"""The tasks that a command line names."""

from clients.errors import RequestRejected


def read_tasks(joined: str | None) -> list[str] | None:
    """Returns the names in `--tasks`, which are joined by commas, or None (all tasks) if the option was left out.

    Raises RequestRejected if it names none.
    """
    if joined is None:
        return None
    if not joined.strip(" ,"):
        raise RequestRejected("--tasks is empty: name at least one task, or leave it out for all of them")
    return [name.strip() for name in joined.split(",") if name.strip()]
