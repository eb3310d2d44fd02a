import sys
import sysconfig
from pathlib import Path

import pytest

from build_tools.serving.errors import ServeError
from build_tools.serving.triton import environment as module
from build_tools.serving.triton.distribution import Distribution
from build_tools.serving.triton.environment import server_environment

ANYWHERE = Distribution(Path("/d/tritonserver"), Path("/d/libs"), Path("/d/python"), Path("/d/stub"))
TEMPORARY = Path("/t/tmp")
LIBRARIES = ["/d/libs", sysconfig.get_config_var("LIBDIR")]
BINARIES = [str(Path(sys.executable).parent)]


def test_this_environment_comes_before_what_is_inherited():
    environment = server_environment(
        ANYWHERE, TEMPORARY, {"PATH": "/usr/bin", "LD_LIBRARY_PATH": "/lib", "HOME": "/h", "TMPDIR": "/a b"}
    )

    assert environment["PATH"].split(":") == [*BINARIES, "/usr/bin"]
    assert environment["LD_LIBRARY_PATH"].split(":") == [*LIBRARIES, "/lib"]
    assert environment["HOME"] == "/h"
    assert environment["TMPDIR"] == "/t/tmp"


def test_nothing_inherited_leaves_no_empty_entry_which_would_mean_the_current_folder():
    environment = server_environment(ANYWHERE, TEMPORARY, {})

    assert not environment["PATH"].endswith(":")
    assert not environment["LD_LIBRARY_PATH"].endswith(":")


@pytest.mark.parametrize("entries", [":", ".", "", "::/usr/lib", "/usr/lib:", ".:/usr/lib", "lib:/usr/lib:../lib"])
def test_entries_that_depend_on_the_current_folder_are_left_out(entries):
    environment = server_environment(ANYWHERE, TEMPORARY, {"PATH": entries, "LD_LIBRARY_PATH": entries})

    rest = ["/usr/lib"] if "/usr/lib" in entries else []
    assert environment["PATH"].split(":") == BINARIES + rest
    assert environment["LD_LIBRARY_PATH"].split(":") == LIBRARIES + rest


@pytest.mark.parametrize(
    "name",
    [
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONSTARTUP",
        "PYTHONUSERBASE",
        "PYTHONWARNINGS",
        "PYTHONBREAKPOINT",
        "PYTHONPLATLIBDIR",
        "PYTHONPYCACHEPREFIX",
        "PYTHONOPTIMIZE",
        "PYTHONINSPECT",
        "PYTHONIOENCODING",
        "BASH_ENV",
        "ENV",
        "SHELLOPTS",
        "BASHOPTS",
        "PS4",
        "BASH_FUNC_exec%%",
    ],
)
def test_a_variable_that_brings_code_into_a_model_process_is_left_out(name):
    assert name not in server_environment(ANYWHERE, TEMPORARY, {name: "/elsewhere"})


def test_python_looks_only_into_its_own_environment():
    environment = server_environment(ANYWHERE, TEMPORARY, {"PYTHONNOUSERSITE": "", "PYTHONSAFEPATH": ""})

    assert environment["PYTHONSAFEPATH"] == environment["PYTHONNOUSERSITE"] == environment["PYTHONUTF8"] == "1"


def test_the_user_site_stays_where_espalier_is_installed_in_it(monkeypatch, tmp_path):
    monkeypatch.setattr(module.site, "getusersitepackages", lambda: str(tmp_path))
    monkeypatch.setattr(module, "_numpy", lambda: str(tmp_path / "numpy" / "__init__.py"))

    assert "PYTHONNOUSERSITE" not in server_environment(ANYWHERE, TEMPORARY, {})


def test_packages_that_only_pythonpath_finds_are_refused_in_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_numpy", lambda: str(tmp_path / "numpy" / "__init__.py"))

    with pytest.raises(ServeError, match="numpy is found through PYTHONPATH"):
        server_environment(ANYWHERE, TEMPORARY, {"PYTHONPATH": f"/elsewhere:{tmp_path}"})


def test_a_clone_on_pythonpath_may_hold_the_environment_itself(monkeypatch, tmp_path):
    numpy = tmp_path / ".venv" / "lib" / "site-packages" / "numpy" / "__init__.py"
    monkeypatch.setattr(module, "_numpy", lambda: str(numpy))

    server_environment(ANYWHERE, TEMPORARY, {"PYTHONPATH": str(tmp_path)})


def test_telemetry_is_off_whatever_is_inherited():
    assert server_environment(ANYWHERE, TEMPORARY, {"ORT_DISABLE_TELEMETRY": "0"})["ORT_DISABLE_TELEMETRY"] == "1"
