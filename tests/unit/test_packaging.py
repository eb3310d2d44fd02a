"""What installs where, read from pyproject.toml and requirements.lock."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKED = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.lstrip().startswith("#")]


def requirements(*extras: str) -> list[Requirement]:
    """Those of the client and of the extras, with what these include."""
    found = [Requirement(line) for line in PROJECT["dependencies"]]
    for extra in extras:
        for requirement in map(Requirement, PROJECT["optional-dependencies"][extra]):
            found += requirements(*sorted(requirement.extras)) if requirement.name == "espalier" else [requirement]
    return found


def on(python: str, of: list[Requirement]) -> dict[str, SpecifierSet]:
    """What installs on a version of Python, and all that is said about each package's version."""
    specifiers: dict[str, SpecifierSet] = {}
    for requirement in of:
        if requirement.marker is None or requirement.marker.evaluate({"python_version": python}):
            name = canonicalize_name(requirement.name)
            specifiers[name] = specifiers.get(name, SpecifierSet()) & requirement.specifier
    return specifiers


@pytest.mark.parametrize(
    ("python", "fits"), [("3.10", False), ("3.11", True), ("3.12", True), ("3.13", True), ("3.14", True)]
)
def test_client_installs_on_every_python_from_3_11_on(python: str, fits: bool) -> None:
    assert (python in SpecifierSet(PROJECT["requires-python"])) is fits


@pytest.mark.parametrize("extras", [(), ("serving",), ("build",), ("dev",)])
def test_nothing_asks_for_numpy_1_where_it_has_no_wheel(extras: tuple[str, ...]) -> None:
    newer = on("3.13", requirements(*extras))
    assert "2.1.0" in newer["numpy"]
    assert "2.73.0" in newer["tritonclient"]  # 2.50 needs numpy 1
    assert "nvidia-pytriton" not in newer


@pytest.mark.parametrize("python", ["3.11", "3.12"])
def test_server_has_numpy_1_on_every_python_that_serves(python: str) -> None:
    serving = on(python, requirements("serving"))
    assert "2.0.0" not in serving["numpy"]
    assert "nvidia-pytriton" in serving


def test_client_needs_neither_torch_nor_a_server() -> None:
    assert not on("3.11", requirements()).keys() & {
        "torch",
        "transformers",
        "nvidia-pytriton",
        "openvino",
        "onnxruntime",
    }


def test_lock_pins_every_package_of_pyproject_but_torch() -> None:
    """torch's CPU build has a version number of its own (+cpu), so that pyproject.toml pins it."""
    locked = dict(line.split("==") for line in LOCKED)
    wanted = on("3.11", requirements("dev"))
    assert str(wanted.pop("torch")) == "==2.13.0"
    assert {
        name: str(specifiers) for name, specifiers in wanted.items() if locked.get(name, "0") not in specifiers
    } == {}
    assert all(Version(version) for version in locked.values())


def test_lock_brings_no_cuda_and_names_no_index() -> None:
    assert [line for line in LOCKED if line.startswith(("nvidia-", "triton=="))] == ["nvidia-pytriton==0.7.0"]
    assert [line for line in LOCKED if "://" in line or " @ " in line or line.startswith("-")] == []
