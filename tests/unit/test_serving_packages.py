"""A server needs the extra `serving` alone: what its code imports comes with it. Containers install no more."""

import ast
import sys
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OWN = ("build_tools", "clients", "training", "espalier", "espalier_errors", "espalier_json")
OF_TRITON = ("triton_python_backend_utils", "espalier_backend")
DISTRIBUTIONS = packages_distributions()


def _installed_with(requirements: list[str]) -> set[str]:
    """The packages that installing these brings, those that they need included."""
    found: set[str] = set()
    waiting = [(Requirement(one), "") for one in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        if name in found and not requirement.extras:
            continue
        found.add(name)
        needed = [Requirement(one) for one in distribution(name).requires or ()]
        waiting += [(one, of) for one in needed for of in ("", *requirement.extras)]
    return found


def _imported(folder: str) -> dict[str, str]:
    """Each package of others that the folder's code imports, wherever it does: one file that does."""
    found = {}
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in (name.partition(".")[0] for name in names):
                if name not in sys.stdlib_module_names and name not in OWN + OF_TRITON:
                    found[name] = str(file.relative_to(ROOT))
    return found


@pytest.mark.parametrize(
    ("folder", "extra"),
    [
        *(
            (f"build_tools/{room}", "serving")
            for room in ("serving", "publishing", "artefact", "repository", "backends")
        ),
        ("clients/playground", "playground"),
    ],
)
def test_what_a_room_imports_comes_with_its_extra(folder: str, extra: str) -> None:
    lines = PROJECT["dependencies"] + PROJECT["optional-dependencies"][extra]
    installed = _installed_with([line for line in lines if not line.startswith("espalier")])

    imported = _imported(folder)

    missing = {
        name: file
        for name, file in imported.items()
        if not {canonicalize_name(one) for one in DISTRIBUTIONS.get(name, ())} & installed
    }
    assert imported
    assert missing == {}
