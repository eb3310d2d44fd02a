"""Where a search keeps its trials unless the user names a storage: a SQLite file, as the URL that Optuna takes."""

from pathlib import Path

from sqlalchemy.engine import URL, make_url

from training.errors import TrainingError


def sqlite_url(file: Path) -> str:
    """Returns the URL of a SQLite file, in which the signs of its path that mean something in a URL are escaped.

    Raises TrainingError if the path cannot be written as a URL.
    """
    path = str(file.resolve())
    try:
        url = URL.create("sqlite", database=path).render_as_string(hide_password=False)
        # SQLAlchemy below 2.1 does not escape. Optuna, for its part, fills in what stands in braces.
        is_same = make_url(url).database == path and not {"{", "}"} & set(url)
    except UnicodeEncodeError:
        is_same = False
    if not is_same:
        raise TrainingError(f"no SQLite database can be kept in {str(file.parent)!r}: choose another --output.")
    return url
