"""Each repository has a copy of the hand-written models, and Triton runs them without the project beside them."""

import ast
import sys
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[3] / "model_repository"
_PACKAGES = {"numpy", "opentelemetry", "prometheus_client", "tokenizers", "triton_python_backend_utils"}
_OWN = {"freed_memory", "router", "step_clock", "text_tokenizer"}


def _imported(file):
    """The top-level names of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "").partition(".")[0]


def test_hand_written_models_import_nothing_of_the_project_and_no_further_packages():
    files = sorted(_REPOSITORY.rglob("*.py"))
    imported = {name: file.relative_to(_REPOSITORY) for file in files for name in _imported(file)}

    assert {"numpy", "router"} <= imported.keys()
    foreign = imported.keys() - sys.stdlib_module_names - _PACKAGES - _OWN
    assert {name: str(imported[name]) for name in foreign} == {}


def test_every_module_of_the_router_that_is_imported_is_in_the_copy():
    router = _REPOSITORY / "nlu" / "1" / "router"
    wanted = set()
    for file in _REPOSITORY.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("router."):
                wanted.add(node.module.removeprefix("router."))

    assert wanted == {file.stem for file in router.glob("*.py")} - {"__init__"}, (
        "no file is missing, and none is unused"
    )
