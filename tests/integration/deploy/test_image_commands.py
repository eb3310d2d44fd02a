"""What deploy/container/Dockerfile runs, run in a fresh folder: no container engine runs here."""

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILE = (ROOT / "deploy" / "container" / "Dockerfile").read_text().replace("\\\n", " ")
PACKAGES = ("build_tools", "clients", "model_repository", "training")


def _context(folder: Path) -> None:
    """What `COPY . .` copies: what .dockerignore, which leaves out all, lets in again, but for what it then names."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    left_out = [line.removeprefix("**/") for line in lines[1:] if not line.startswith("!")]

    def ignored(at: str, names: list[str]) -> set[str]:
        inside = Path(at).relative_to(ROOT)
        return {
            name
            for name in names
            for pattern in left_out
            if fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(str(inside / name), pattern)
        }

    for line in lines:
        for source in ROOT.glob(line[1:]) if line.startswith("!") else ():
            target = folder / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=ignored)
            else:
                shutil.copy2(source, target)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image's folders `site` (packages) and `bin` (scripts), after the Dockerfile's RUN lines.

    pip installs without dependencies, from no index: tests/unit/test_serving_packages.py has them.
    """
    root = tmp_path_factory.mktemp("image")
    work = root / "opt" / "espalier"
    (root / "bin").mkdir()
    _context(work)
    options = {"TARGET": str(root / "site"), "NO_DEPS": "1", "NO_INDEX": "1", "NO_BUILD_ISOLATION": "0", "QUIET": "1"}
    environment = os.environ | {f"PIP_{name}": value for name, value in options.items()}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    commands = re.findall(r"^RUN (.*)$", DOCKERFILE, re.MULTILINE)
    assert commands
    for command in commands:
        own = command.replace("/opt/espalier", str(work)).replace("/usr/local/bin", str(root / "bin"))
        ended = subprocess.run(["sh", "-ec", own], cwd=work, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not work.exists()
    return root


def _run(image: Path, *command: str) -> str:
    """Runs as in the image: elsewhere than the clone, and without writing beside the code."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(image / "site"), "HOME": str(image / "opt")}
    environment |= dict(re.findall(r"\b(PYTHON\w+)=(\w+)", DOCKERFILE))
    return subprocess.run(command, cwd=image, env=environment, capture_output=True, text=True, check=True).stdout


def test_the_context_has_all_code_and_the_package_all_of_it_but_tests(image: Path) -> None:
    def files(folder: Path) -> set[str]:
        found = (path for package in PACKAGES for path in (folder / package).rglob("*") if path.is_file())
        tracked = {str(path.relative_to(folder)) for path in found}
        return {name for name in tracked if "__pycache__" not in name}

    tracked = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(tracked.stdout.split()) - files(image / "site") == set()


def test_the_program_of_the_entrypoint_and_its_command_are_there(image: Path) -> None:
    (entrypoint,) = re.findall(r'^ENTRYPOINT \["(\w+)"\]', DOCKERFILE, re.MULTILINE)
    program = image / "site" / "bin" / entrypoint
    where = _run(image, sys.executable, "-c", "import espalier; print(espalier.__file__)")
    assert Path(where.strip()).parent == image / "site"
    (verb,) = re.findall(r'^CMD \["(\w+)"', DOCKERFILE, re.MULTILINE)
    assert "--repository" in _run(image, sys.executable, str(program), verb, "--help")


def test_the_gate_s_script_may_be_run_by_any_user(image: Path) -> None:
    assert (image / "bin" / "start_gate").stat().st_mode & 0o555 == 0o555


def test_the_code_is_compiled_since_nothing_can_be_written_later(image: Path) -> None:
    for package in ("build_tools", "clients"):
        assert list((image / "site" / package).glob("__pycache__/*.pyc"))
