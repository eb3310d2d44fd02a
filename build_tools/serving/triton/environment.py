"""The environment of tritonserver and of its model processes.

Nothing in it may bring code of others into a model process: neither the folder where `espalier serve` was called, nor
Python's variables, nor the user's own site-packages, nor a start file of the shell. (Triton's Python backend starts a
model process through bash, and the process puts its current folder at the head of sys.path.)
"""

import importlib.util
import os
import site
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from build_tools.backends.espalier_backend.telemetry import TELEMETRY_OFF
from build_tools.serving.errors import ServeError
from build_tools.serving.triton.distribution import Distribution

# What bash reads or runs before its command, and functions that take the place of commands.
_BASH = ("BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4")
_PREFIXES = ("PYTHON", "BASH_FUNC_")


def server_environment(
    distribution: Distribution, temporary: Path, inherited: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Returns `inherited` without what would bring in code, with what finds the libraries and this Python.

    temporary: the folder for temporary files. Raises ServeError if numpy comes from PYTHONPATH, which is left out.
    """
    kept = {name: value for name, value in inherited.items() if name not in _BASH and not name.startswith(_PREFIXES)}
    _check_packages(inherited)
    # The stub links to libpython, and uses the site-packages of the first python3 on PATH.
    libraries = [str(distribution.libraries), sysconfig.get_config_var("LIBDIR")]
    binaries = [str(Path(sys.executable).parent)]
    own = {
        "LD_LIBRARY_PATH": _joined(libraries, inherited.get("LD_LIBRARY_PATH")),
        "PATH": _joined(binaries, inherited.get("PATH")),
        "PYTHONSAFEPATH": "1",
        "PYTHONUTF8": "1",  # names of files and texts mean the same in every locale
        "TMPDIR": str(temporary),
    }
    if not _is_below(_numpy(), site.getusersitepackages()):  # where Espalier is installed for one user
        own["PYTHONNOUSERSITE"] = "1"
    return kept | TELEMETRY_OFF | own


def _check_packages(inherited: Mapping[str, str]) -> None:
    for folder in filter(None, inherited.get("PYTHONPATH", "").split(os.pathsep)):
        # Not what is further below: a clone on PYTHONPATH may hold the environment itself, as .venv.
        if Path(_numpy()).resolve().parent.parent == Path(folder).resolve():
            raise ServeError(
                f"numpy is found through PYTHONPATH ({folder}), which model processes do not use: install Espalier "
                "with its extra 'serving' in one Python environment"
            )


def _numpy() -> str:
    spec = importlib.util.find_spec("numpy")
    return (spec and spec.origin) or ""


def _is_below(file: str, folder: str) -> bool:
    return Path(file).resolve().is_relative_to(Path(folder).resolve())


def _joined(first: list[str], rest: str | None) -> str:
    """An empty or relative entry would mean a folder below the current one, so none is taken over."""
    return os.pathsep.join([*first, *(entry for entry in (rest or "").split(os.pathsep) if Path(entry).is_absolute())])
