"""The paper's scores, and folders as a search leaves them."""

from collections.abc import Callable
from pathlib import Path

import finished_search
import pytest

from training.search.result import Trial
from training.selection.options import Options
from training.selection.options_from_scores import read_scores


@pytest.fixture(scope="session")
def paper() -> Options:
    return read_scores(finished_search.PAPER_SCORES).options()


@pytest.fixture(scope="session")
def make_trial() -> Callable[..., Trial]:
    return finished_search.trial


@pytest.fixture(scope="session")
def write_search() -> Callable[..., Path]:
    return finished_search.write_search
