import os
import shutil

import optuna
import pytest
from optuna.storages import RDBStorage
from sqlalchemy.exc import ProgrammingError

from training.errors import TrainingError
from training.search import storage
from training.search.storage import open_storage, search_id, sqlite_url

# Signs that mean something in a URL, to SQLAlchemy, to SQLite, or to Optuna's own template.
NAMES = ["a?b", "a#b", "a%25b", "a b", "a%b", "a&mode=ro", "a?mode=memory&uri=true", "a+b", "é", "日本", "a;b", "a:b@c"]
NAMES += [
    "{a}",
    "{SCHEMA_VERSION}",
    "a\nb",
    "'a'",
    '"a"',
    "[a]",
    "file:a",
    "a\\b",
    "$HOME",
    "~",
    ":memory:",
    "a=b",
    "a|b",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_database_lands_where_the_search_is(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()

    optuna.create_study(storage=sqlite_url(folder / "trials.db"), study_name="teachers")

    assert [file.name for file in folder.iterdir()] == ["trials.db"]
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_relative_folder_is_found_from_every_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    url = sqlite_url(tmp_path.relative_to(tmp_path) / "trials.db")
    monkeypatch.chdir("/")

    optuna.create_study(storage=url)

    assert (tmp_path / "trials.db").is_file()


def test_a_path_that_is_not_text_is_refused_in_one_sentence(tmp_path):
    folder = tmp_path / os.fsdecode(b"\xff")

    with pytest.raises(TrainingError, match="choose another --output"):
        sqlite_url(folder / "trials.db")


def test_a_driver_that_is_not_installed_is_named_with_the_one_that_comes_with_espalier():
    with pytest.raises(TrainingError, match=r"mysql\+aiomysql is not installed: .*postgresql\+psycopg://"):
        open_storage("mysql+aiomysql://user:secret@host/trials")


def test_a_database_that_cannot_be_reached_is_one_sentence_without_the_password():
    with pytest.raises(TrainingError, match="cannot be used") as caught:
        open_storage("postgresql+psycopg://user:secret@127.0.0.1:1/trials")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tables_that_another_process_makes_at_this_moment_are_tried_again(tmp_path, monkeypatch):
    failures = [ProgrammingError("CREATE TABLE", {}, Exception("exists"))] * 2

    class Late(RDBStorage):
        def __init__(self, *arguments, **options):
            if failures:
                raise failures.pop()
            super().__init__(*arguments, **options)

    monkeypatch.setattr(storage, "RDBStorage", Late)
    monkeypatch.setattr(storage, "_LONGEST_PAUSE", 0.001)
    assert isinstance(open_storage(sqlite_url(tmp_path / "trials.db")), Late)


def test_a_search_keeps_its_id_and_a_copy_of_its_folder_has_it_too(tmp_path):
    (tmp_path / "a" / "locks").mkdir(parents=True)
    first = search_id(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert search_id(tmp_path / "a") == search_id(tmp_path / "b") == first
