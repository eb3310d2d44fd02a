"""A machine that only serves has no torch: the formats on disk must load without it."""

import pkgutil
import subprocess
import sys

import pytest

from build_tools import repository

MODULES = [
    "build_tools.repository",
    *(f"build_tools.repository.{module.name}" for module in pkgutil.iter_modules(repository.__path__)),
    "training.atomic_write",
    "training.kinds",
]


@pytest.mark.parametrize("hidden", [(), ("torch", "transformers", "safetensors")], ids=["installed", "missing"])
def test_the_formats_on_disk_load_without_torch(hidden):
    program = (
        f"import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({hidden!r}))\n"
        f"for module in {MODULES!r}:\n"
        f"    importlib.import_module(module)\n"
        f"    assert sys.modules.get('torch') is None, f'{{module}} imports torch'\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
