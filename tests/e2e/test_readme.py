"""Every example of the README runs, in the README's order and words."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from served_suite import Suite

from build_tools.serving.server import TritonServer

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Made quick: what is shown is that the commands work, not how well the branch answers.
QUICK = {
    "finetune": "--epochs 1 --train-rows 64",
    "distill": "--epochs 1 --train-rows 64",
    "search": "--epochs 1-1 --train-rows 64 --dev-rows 64",
    "report": "--no-errors",
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands(start: str) -> list[str]:
    lines = [line.partition("  #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith(start)]


@pytest.fixture(scope="module")
def newcomer(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as it is after `make demo`, with the sample data in demo/data."""
    folder = tmp_path_factory.mktemp("newcomer")
    (folder / "demo").mkdir()
    (folder / "demo" / "data").symlink_to(suite.folders["intent"].parent)
    return folder


def run(command: str, folder: Path, server: TritonServer) -> str:
    command = command.replace("localhost:8001", server.grpc_url).replace("localhost:8000", server.http_url)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_train_and_build_commands_run_one_after_the_other(newcomer: Path, server: TritonServer) -> None:
    for verb in ("finetune", "distill", "evaluate", "search", "select", "report", "build"):
        for command in commands(f"espalier {verb} "):
            run(f"{command} {QUICK.get(verb, '')}", newcomer, server)
    assert "intent" in (newcomer / "suite.json").read_text(encoding="utf-8")
    assert "intent" in (newcomer / "report" / "report.html").read_text(encoding="utf-8")
    assert (newcomer / "my_repository" / "registry.json").is_file()


def test_publish_commands_change_the_repository_that_was_built(newcomer: Path) -> None:
    verbs = ("publish", "status", "promote", "rollback")
    chosen = [command for command in commands("espalier ") if command.split()[1] in verbs]
    assert [command.split()[1] for command in chosen] == list(verbs)
    with TritonServer(newcomer / "my_repository") as own:
        for command in chosen:
            port = f" --metrics-port {own.metrics_url.rpartition(':')[2]}" if " status " in command else ""
            output = run(command + port, newcomer, own)
            assert "intent" in output
    assert output == "intent: version 2 is rolled back, version 1 is live\n"


@pytest.mark.parametrize("command", commands("espalier predict"))
def test_predict_commands_answer(command: str, newcomer: Path, server: TritonServer) -> None:
    if "--url" not in command:
        command += f" --url {shlex.quote(server.grpc_url)}"
    assert "intent" in run(command, newcomer, server)


@pytest.mark.parametrize("command", commands("espalier load-test"))
def test_load_test_commands_measure(command: str, newcomer: Path, server: TritonServer) -> None:
    run(f"{command} --seconds 1 --warm-up 0.5 --url {server.grpc_url}", newcomer, server)
    assert (newcomer / "load_test" / "load_test.csv").read_text(encoding="utf-8").count("\n") == 1 + 2 * 3


@pytest.mark.parametrize("command", commands("curl"))
def test_curl_commands_answer(command: str, newcomer: Path, server: TritonServer) -> None:
    assert '\\"intent\\": {\\"label\\"' in run(command, newcomer, server)


def test_the_python_example_runs(newcomer: Path, server: TritonServer) -> None:
    (example,) = blocks("python")
    script = newcomer / "example.py"
    script.write_text(example.replace("localhost:8001", server.grpc_url), encoding="utf-8")
    assert "intent" in run(f"{shlex.quote(sys.executable)} example.py", newcomer, server)


def test_serve_and_make_are_shown_as_they_are() -> None:
    """They are run elsewhere: serve by the integration tests, `make test` by whoever runs this."""
    assert commands("espalier serve") == ["espalier serve --repository my_repository"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in commands("make"):
        assert f"\n{command.split()[1]}: " in makefile
