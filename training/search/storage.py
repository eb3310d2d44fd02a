"""Where a search keeps its trials: a SQLite file, or a database that several machines reach."""

import contextlib
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

from filelock import FileLock
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError

from training.atomic_write import replace_file
from training.errors import TrainingError, one_line

ID_FILE: Final = "search.id"
_ATTEMPTS = 5
_LONGEST_PAUSE = 0.5  # seconds


def open_storage(url: str) -> RDBStorage:
    """Connects to the database, in which Optuna makes its tables if it has none.

    Raises TrainingError if the driver is not installed, or the database cannot be used.
    """
    with storage_errors():
        return _open(url)


def _open(url: str) -> RDBStorage:
    # Between two questions a trial may train for hours, and a firewall may have ended the connection meanwhile.
    options = {} if url.startswith("sqlite") else {"pool_pre_ping": True}
    attempt = 1
    while True:
        try:
            return RDBStorage(url, engine_kwargs=options)
        except ImportError:
            raise TrainingError(
                f"the driver of the storage {make_url(url).drivername} is not installed: for PostgreSQL write "
                "postgresql+psycopg://USER@HOST/DATABASE, and install Espalier with its extra `postgresql` "
                "(pip install '.[postgresql]' in its folder)."
            ) from None
        except (IntegrityError, ProgrammingError):  # another process makes the same tables at this moment
            if attempt == _ATTEMPTS:
                raise
            attempt += 1
            time.sleep(random.uniform(0, _LONGEST_PAUSE))


@contextlib.contextmanager
def storage_errors() -> Iterator[None]:
    """Turns database errors into a TrainingError of one sentence."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        cause = Exception(getattr(error, "orig", None) or error.__cause__ or error)
        raise TrainingError(
            f"the storage of the search's trials cannot be used ({one_line(cause)}): check that it exists, is writable "
            "and not full; finished trials are not lost."
        ) from error


def search_id(folder: Path) -> str:
    """Returns the random id of the search in this folder, which a first call makes.

    A path would not do: two machines may mount one folder at different places.
    """
    file = folder / ID_FILE
    with FileLock(folder / "locks" / "id"):
        if not file.exists():
            replace_file(file, f"{uuid4().hex}\n", staged_in=folder)
        return file.read_text(encoding="ascii").strip()


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
