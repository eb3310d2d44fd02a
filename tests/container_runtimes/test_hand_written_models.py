"""The hand-written models on the Python of NVIDIA's container 24.10, which is 3.10."""

import importlib
import sys
import types
from pathlib import Path

import pytest

MODELS = Path(__file__).resolve().parents[2] / "model_repository"
PLACES = [MODELS / model / "1" for model in ("nlu", "tokenizer")]
FILES = sorted(file for place in PLACES for file in place.rglob("*.py"))


@pytest.fixture(scope="module", autouse=True)
def stub() -> None:
    """What Triton's stub brings along."""
    utilities = types.ModuleType("triton_python_backend_utils")
    utilities.__getattr__ = lambda name: type(name, (Exception,), {})
    sys.modules["triton_python_backend_utils"] = utilities
    sys.path[:0] = map(str, PLACES)


def test_this_is_the_container_s_python() -> None:
    assert sys.version_info[:2] == (3, 10)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(MODELS)))
def test_every_file_can_be_imported(file: Path) -> None:
    place = next(one for one in PLACES if one in file.parents)
    name = ".".join(file.relative_to(place).with_suffix("").parts)
    if name == "model":
        compile(file.read_text(), str(file), "exec")  # the same name in every model
    else:
        importlib.import_module(name)
