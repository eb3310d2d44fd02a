"""The paths of tritonserver in the wheel nvidia-pytriton."""

import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from build_tools.serving.errors import ServeError


@dataclass(frozen=True)
class Distribution:
    """Paths inside the installed wheel."""

    tritonserver: Path
    libraries: Path
    python_backend: Path
    python_stub: Path


def find_distribution() -> Distribution:
    """Finds the installed nvidia-pytriton, with its stub for the running Python.

    Raises ServeError if it is not installed, if it has no stub for this Python, or if numpy 2 is installed, with which
    the stub silently passes empty tensors.
    """
    try:
        from pytriton.utils.distribution import get_libs_path, get_root_module_path, get_stub_path
    except ModuleNotFoundError as error:
        raise ServeError(
            f"serving needs the package nvidia-pytriton ({error}): install espalier with its extra 'serving'"
        ) from error
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    root = get_root_module_path() / "tritonserver"
    distribution = Distribution(
        tritonserver=root / "bin" / "tritonserver",
        libraries=get_libs_path(),
        python_backend=root / "backends" / "python",
        python_stub=get_stub_path(python),
    )
    if not distribution.tritonserver.is_file():
        raise ServeError(f"nvidia-pytriton is installed without a tritonserver: no {distribution.tritonserver}")
    if not distribution.python_stub.is_file():
        known = ", ".join(sorted(folder.name for folder in distribution.python_stub.parent.parent.iterdir()))
        raise ServeError(
            f"nvidia-pytriton has no Python backend for Python {python}, only for {known}: use one of these"
        )
    _refuse_numpy_2()
    return distribution


def _refuse_numpy_2() -> None:
    try:
        numpy = version("numpy")
    except PackageNotFoundError as error:
        raise ServeError("serving needs the package numpy: install espalier with its extra 'serving'") from error
    if int(numpy.split(".")[0]) >= 2:
        raise ServeError(
            f"numpy {numpy} is installed, but Triton's Python backend needs numpy below 2: run pip install 'numpy<2'"
        )
