"""Assembles the directory in which tritonserver looks for backends."""

import shutil
from pathlib import Path

from build_tools.repository.runtime import Runtime
from build_tools.serving.triton.distribution import Distribution

_SOURCES = Path(__file__).parents[2] / "backends"

BACKENDS = ("python", *Runtime)


def assemble_backends(distribution: Distribution, directory: Path) -> None:
    """Fills the empty `directory` with a folder for each of `BACKENDS`, from the wheel and this package.

    The Python backend needs the stub for this Python beside it; the wheel keeps the stubs elsewhere. The code that our
    backends share is copied into each of them, because a stub has only its own backend's folder on sys.path.
    """
    # Copies (7 MB), because Triton refuses a library behind a symbolic link that leaves the backend directory.
    no_caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(distribution.python_backend, directory / "python", ignore=no_caches)
    shutil.copy2(distribution.python_stub, directory / "python")
    for name in Runtime:
        shutil.copytree(_SOURCES / name, directory / name, ignore=no_caches)
        shutil.copytree(_SOURCES / "espalier_backend", directory / name / "espalier_backend", ignore=no_caches)
