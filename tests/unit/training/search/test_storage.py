import os

import optuna
import pytest

from training.errors import TrainingError
from training.search.storage import sqlite_url

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
