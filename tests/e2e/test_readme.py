"""Every example of the README runs, in the README's order and words."""

import os
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme
from child_process import child_process

from build_tools.serving.replica.replica import opened_replica
from build_tools.serving.supervisor import Settings, Supervisor
from clients import Client, RequestRejected

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Cut short: the tests show that the commands work, not how well the branch answers.
QUICK = {
    "finetune": "--epochs 1 --train-rows 64",
    "distill": "--epochs 1 --train-rows 64",
    "search": "--epochs 1-1 --train-rows 64 --dev-rows 64 --teacher-layers 2-3 --student-layers 1-1",
    "joint": "--epochs 1-1 --train-rows 64 --dev-rows 64",
    "report": "--no-errors",
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands(start: str) -> list[str]:
    lines = [line.partition("  #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith(start)]


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample data that the README writes."""
    folder = tmp_path_factory.mktemp("newcomer")
    for command in commands("espalier sample-suite "):
        run(command, folder)
    return folder


def at(server: Supervisor, text: str) -> str:
    """The text with the server's own addresses in place of the README's."""
    return text.replace("localhost:8001", server.grpc_url).replace("localhost:8000", server.http_url)


def run(command: str, folder: Path) -> str:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_train_and_build_commands_run_one_after_the_other(newcomer: Path) -> None:
    for verb in ("finetune", "distill", "evaluate", "search", "joint", "select", "report", "build"):
        shown = commands(f"espalier {verb} ")
        assert shown, verb
        for command in shown:
            run(f"{command} {QUICK.get(verb, '')}", newcomer)
    assert "intent" in (newcomer / "suite.json").read_text(encoding="utf-8")
    assert "intent" in (newcomer / "report" / "report.html").read_text(encoding="utf-8")
    assert (newcomer / "my_repository" / "registry.json").is_file()


def test_publish_commands_change_the_repository_that_was_built(newcomer: Path) -> None:
    verbs = ["publish", "status", "promote", "rollback", "retire", "verify", "upgrade"]
    of_one_server = [command for command in commands("espalier ") if "--fleet" not in command]
    shown = {command.split()[1]: command for command in of_one_server if command.split()[1] in verbs}
    assert list(shown) == verbs
    with Supervisor(Settings(newcomer / "my_repository"), print) as own:
        for verb in ("publish", "status", "promote", "rollback"):
            port = f" --metrics-port {own.metrics_url.rpartition(':')[2]}" if verb == "status" else ""
            output = run(at(own, shown[verb]) + port, newcomer)
            assert "intent" in output
        assert output == "intent: version 2 is rolled back, version 1 is live\n"
        assert run(at(own, shown["retire"]), newcomer).endswith("domain is retired\n")
    run(shown["verify"], newcomer)
    assert "as this release makes it" in run(shown["upgrade"], newcomer)


def test_fleet_commands_publish_to_two_replicas(newcomer: Path) -> None:
    shown = {command.split()[1]: command for command in commands("espalier ") if "/models/repository" in command}
    assert list(shown) == ["serve", "publish", "status"]
    assert "--replica" in shown["serve"]
    repository = newcomer / "my_repository"
    with ExitStack() as stack:
        for name in ("http://a:8000", "http://b:8000"):
            replica = stack.enter_context(opened_replica(repository, 30, print))
            server = stack.enter_context(Supervisor(Settings(replica.view.folder, replica=replica), print))
            shown = {verb: command.replace(name, f"http://{server.http_url}") for verb, command in shown.items()}
        output = {
            verb: run(shown[verb].replace("/models/repository", str(repository)), newcomer) for verb in list(shown)[1:]
        }
    assert output["publish"].endswith("version 3 is live\n")
    assert "2 ready" in output["status"]


@pytest.mark.parametrize("command", commands("espalier predict"))
def test_predict_commands_answer(command: str, newcomer: Path, server: Supervisor) -> None:
    if "--url" not in command:
        command += " --url localhost:8001"
    assert "intent" in run(at(server, command), newcomer)


@pytest.mark.parametrize("command", commands("espalier load-test"))
def test_load_test_commands_measure(command: str, newcomer: Path, server: Supervisor) -> None:
    run(f"{command} --seconds 1 --warm-up 0.5 --url {server.grpc_url}", newcomer)
    assert (newcomer / "load_test" / "load_test.csv").read_text(encoding="utf-8").count("\n") == 1 + 2 * 3


@pytest.mark.parametrize("command", commands("curl"))
def test_curl_commands_answer(command: str, newcomer: Path, server: Supervisor) -> None:
    assert '\\"intent\\": {\\"label\\"' in run(at(server, command), newcomer)


@pytest.mark.parametrize("example", blocks("python"), ids=("first", "second"))
def test_the_python_examples_run(example: str, newcomer: Path, server: Supervisor) -> None:
    (newcomer / "example.py").write_text(at(server, example), encoding="utf-8")
    assert "intent" in run(f"{shlex.quote(sys.executable)} example.py", newcomer)


def test_a_server_with_tls_and_keys_lets_in_who_has_a_key(newcomer: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(newcomer / "ca.crt")
    certificate.private_key_pem.write_to_path(newcomer / "tls.key")
    for number, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(newcomer / "tls.crt", append=number > 0)
    key = re.search(r"espalier-\S+|\S{40,}", run(commands("espalier keys add")[0], newcomer))
    assert key
    shown = commands("espalier serve")[1]
    command = shown.replace("0.0.0.0", "127.0.0.1") + " --grpc-port 0 --http-port 0 --metrics-port 0"
    program = [Path(sys.executable).with_name("espalier"), *command.split()[1:]]
    with child_process(program, cwd=newcomer, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = ""
        for line in server.stdout:
            address = line.split()[-1] if "gRPC" in line else address
            if "Ctrl-C stops" in line:
                break
        with Client(f"grpcs://{address}", key=key[0], ca=newcomer / "ca.crt") as client:
            assert client.predict("wake me at seven", tasks=["intent"])["intent"].label
            with pytest.raises(RequestRejected, match="there is no task 'emotion'"):
                client.predict("wake me at seven", tasks=["emotion"])
        with (
            Client(f"grpcs://{address}", ca=newcomer / "ca.crt") as stranger,
            pytest.raises(RequestRejected, match="does not know this client"),
        ):
            stranger.predict("wake me at seven")
        server.terminate()
        server.wait(60)


def test_serve_and_make_are_shown_as_they_are() -> None:
    """Other tests run `espalier serve`; `make` runs these tests."""
    assert commands("espalier serve")[0] == "espalier serve --repository my_repository"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in commands("make"):
        assert f"\n{command.split()[1]}: " in makefile
