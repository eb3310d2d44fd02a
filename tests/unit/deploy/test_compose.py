"""docker-compose.yml, the Dockerfiles and their scripts say what the code says. No container engine runs here."""

import json
import os
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from build_tools.cli import app
from build_tools.repository.names import ROUTERS
from build_tools.serving.command import TRITON_KEY
from build_tools.serving.triton.distribution import find_distribution
from build_tools.serving.triton.environment import server_environment
from build_tools.serving.triton.triton_key import restriction

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "deploy" / "container"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("espalier", "gate", "gate-gpu", "triton", "triton-gpu")
PAGE = (ROOT / "docs" / "deployment.md").read_text()
OVERRIDES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
GATES = ("espalier", "gate", "gate-gpu")


def _valid(file: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout


def _serve() -> Any:
    return typer.main.get_command(app).commands["serve"]


def _options(arguments: list[str]) -> dict[str, Any]:
    """What `espalier serve` makes of the arguments. Raises click.UsageError for those that it does not know."""
    return _serve().make_context("serve", list(arguments)).params


def _script(name: str) -> str:
    return (FOLDER / name).read_text().replace("\\\n", " ")


def test_the_file_fits_the_compose_specification() -> None:
    _valid(ROOT / "docker-compose.yml")


def test_the_overrides_on_the_page_fit_it_too_and_name_services_and_options_that_there_are(tmp_path: Path) -> None:
    assert OVERRIDES
    for override in OVERRIDES:
        (tmp_path / "compose.override.yml").write_text(override)
        _valid(tmp_path / "compose.override.yml")
        for name, service in yaml.safe_load(override)["services"].items():
            assert name in SERVICES
            command = service.get("command", [])
            _options(command[1:] if command[:1] == ["serve"] else command)


def test_every_file_that_is_built_or_mounted_is_there() -> None:
    named = {
        Path(service["build"]["context"], service["build"]["dockerfile"])
        for service in SERVICES.values()
        if "build" in service
    }
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume["source"] if isinstance(volume, dict) else volume.partition(":")[0]
            if source.startswith("."):
                named.add(Path(source))
            elif not source.startswith("${"):
                assert source in COMPOSE["volumes"]
    assert len(named) > 4
    assert [str(path) for path in named if not (ROOT / path).exists()] == []


def test_what_the_images_copy_is_not_kept_out_of_them() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    for package in packages["packages"]["find"]["include"]:
        assert f"!{package.rstrip('*')}" in ignored
    assert "!espalier*.py" in ignored
    for dockerfile in FOLDER.glob("*Dockerfile"):
        for source in re.findall(r"^COPY (\S+)", dockerfile.read_text(), re.MULTILINE) + re.findall(
            r"install (deploy/\S+)", dockerfile.read_text()
        ):
            assert source == "." or f"!{Path(source).parent}" in ignored
            assert (ROOT / source).exists()


def test_ports_are_those_of_serve_and_open_to_this_machine_alone() -> None:
    defaults = {option.name: option.default for option in _serve().params}
    wanted = {defaults["http_port"], defaults["grpc_port"], defaults["metrics_port"]}
    for name in ("espalier", "triton", "triton-gpu"):
        assert {int(port.split(":")[-1]) for port in SERVICES[name]["ports"]} == wanted
    for service in SERVICES.values():
        for port in service.get("ports", ()):
            host, outside, inside = port.split(":")
            assert host == "127.0.0.1"
            assert outside == inside


def test_serve_knows_the_options_that_the_containers_give_it() -> None:
    assert SERVICES["espalier"]["command"][0] == "serve"
    alone = _options(SERVICES["espalier"]["command"][1:])
    given = re.search(r"exec espalier serve (.*) \"\$@\"", _script("start_gate.sh"))
    assert given is not None
    beside = _options([*given[1].split(), *SERVICES["gate"]["command"]])

    assert alone["repository"] == beside["repository"] == Path(_mount("espalier")["target"])
    assert (alone["host"], beside["host"]) == ("0.0.0.0", "0.0.0.0")
    assert f"--grpc-port={beside['triton'].split(':')[1]}" in _script("start_triton.sh").split()
    assert f"--metrics-port={beside['triton_metrics'].split(':')[1]}" in _script("start_triton.sh").split()
    assert f"export {TRITON_KEY}" in _script("start_gate.sh")


def test_tritonserver_knows_the_options_that_the_container_gives_it(tmp_path: Path) -> None:
    distribution = find_distribution()
    environment = server_environment(distribution, tmp_path)
    printed = subprocess.run(
        [str(distribution.tritonserver), "--help"], env=environment, capture_output=True, text=True
    )
    known = set(re.findall(r"^\s+(--[a-z-]+)", printed.stdout + printed.stderr, re.MULTILINE))

    given = re.findall(r"(--[a-z-]+)=", _script("start_triton.sh").partition("exec tritonserver")[2])

    assert len(given) > 10
    assert [option for option in given if option not in known] == []


def _fake(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_triton_and_gate_share_a_key_that_is_made_once_and_closes_every_call(tmp_path: Path) -> None:
    private, programs = tmp_path / "private", tmp_path / "bin"
    private.mkdir()
    programs.mkdir()
    _fake(programs, "tritonserver", 'printf "%s\\n" "$@"')
    _fake(programs, "espalier", f'echo "${TRITON_KEY}"')
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "ESPALIER_PRIVATE": str(private)}

    def run(name: str) -> list[str]:
        return subprocess.run(
            [str(FOLDER / name), "--more"], env=environment, capture_output=True, text=True, check=True
        ).stdout.splitlines()

    first, second, (key,) = run("start_triton.sh"), run("start_triton.sh"), run("start_gate.sh")

    assert first == second
    assert first[-1] == "--more"
    assert re.fullmatch("[0-9a-f]{64}", key)
    assert restriction(key) in first
    assert {"--allow-http=false", "--grpc-address=127.0.0.1", "--metrics-address=127.0.0.1"} <= set(first)
    assert stat.S_IMODE((private / "triton.key").stat().st_mode) == 0o600


def _mount(name: str) -> dict[str, Any]:
    return next(volume for volume in SERVICES[name]["volumes"] if isinstance(volume, dict))


@pytest.mark.parametrize("name", OURS)
def test_containers_may_do_no_more_than_they_need(name: str) -> None:
    service = SERVICES[name]

    assert service["user"] == "${ESPALIER_UID:-1000}:${ESPALIER_GID:-1000}"
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["restart"] == "unless-stopped"
    assert any(mount.startswith("/tmp:exec,") for mount in service["tmpfs"]), "model processes are started from there"
    assert _mount(name)["read_only"]
    assert not _mount(name)["bind"]["create_host_path"]
    assert "shm_size" in service or name.startswith("gate")


@pytest.mark.parametrize("name", GATES)
def test_health_is_what_the_gate_says(name: str) -> None:
    from build_tools.serving.gate import http_side  # FastAPI takes half a second

    program = SERVICES[name]["healthcheck"]["test"]
    path = re.search(r"http://127\.0\.0\.1:8000(/\S+?)\"", program[-1])
    assert path is not None
    assert f'"{path[1]}"' in Path(http_side.__file__).read_text()
    assert program[:3] == ["CMD", "python", "-c"]
    compile(program[-1], "healthcheck", "exec")


def test_a_gate_shares_network_and_processes_with_its_triton() -> None:
    for gate, triton in (("gate", "triton"), ("gate-gpu", "triton-gpu")):
        assert SERVICES[gate]["network_mode"] == SERVICES[gate]["pid"] == f"service:{triton}"
        assert SERVICES[gate]["depends_on"] == [triton]
        assert SERVICES[gate]["profiles"] == SERVICES[triton]["profiles"]
        folder = SERVICES[triton]["environment"]["PROMETHEUS_MULTIPROC_DIR"]
        assert SERVICES[gate]["environment"]["PROMETHEUS_MULTIPROC_DIR"] == folder
        assert f"metrics:{folder}" in SERVICES[gate]["volumes"]
        assert f"metrics:{folder}" in SERVICES[triton]["volumes"]


_TRACING = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http")


def test_the_images_hold_what_the_tests_ran_with() -> None:
    locked = dict(re.findall(r"^(\S+)==(\S+)$", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    triton, alone = ((FOLDER / name).read_text() for name in ("triton.Dockerfile", "Dockerfile"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    pinned = re.findall(r'"([a-z-]+)==([^"]+)"', triton)
    assert {name for name, _ in pinned} == {"tokenizers", "prometheus-client", *_TRACING}
    assert [(name, version) for name, version in pinned if locked[name] != version] == []
    extra = re.search(r"\.\[(\w+)\]", alone)
    assert extra is not None
    assert extra[1] in project["optional-dependencies"]
    python = re.search(r"FROM python:3\.(\d+)-slim", alone)
    assert python is not None
    assert 11 <= int(python[1]) < 13, "Triton's Python stubs end at 3.12"
    assert f"tritonserver:{_release(triton)}-py3-sdk" in SERVICES["perf-analyzer"]["image"]


def test_every_part_that_traces_is_told_of_the_collector() -> None:
    for name in ("espalier", "triton", "gate", "triton-gpu", "gate-gpu"):
        told = SERVICES[name]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"]
        assert told == "${OTEL_EXPORTER_OTLP_ENDPOINT:-}"  # empty: nothing is traced


def _release(dockerfile: str) -> str:
    found = re.search(r"tritonserver:([\d.]+)-py3", dockerfile)
    assert found is not None
    return found[1]


def test_perf_analyzer_asks_a_model_that_there_is_for_inputs_that_it_has() -> None:
    command = SERVICES["perf-analyzer"]["command"]
    model = command[command.index("-m") + 1]
    assert model in ROUTERS
    config = model_config_pb2.ModelConfig()
    text_format.Parse((ROOT / "model_repository" / model / "config.pbtxt").read_text(), config)
    inputs = {one.name: one.optional for one in config.input}
    for row in json.loads((FOLDER / "texts.json").read_text())["data"]:
        assert row.keys() <= inputs.keys()
        assert {name for name, optional in inputs.items() if not optional} <= row.keys()
    assert "espalier" in SERVICES["triton"]["networks"]["default"]["aliases"]
    assert command[command.index("-u") + 1] == "espalier:8001"


def test_prometheus_and_grafana_find_their_files_and_each_other() -> None:
    observability = ROOT / "deploy" / "observability"
    targets = yaml.safe_load((observability / "prometheus" / "targets.yml").read_text())
    assert targets[0]["targets"] == ["espalier:8002"]
    sources = yaml.safe_load((observability / "grafana/provisioning/datasources/prometheus.yml").read_text())
    assert sources["datasources"][0]["url"] == "http://prometheus:9090"
    assert "prometheus" in SERVICES
    boards = yaml.safe_load((observability / "grafana/provisioning/dashboards/espalier.yml").read_text())
    target = boards["providers"][0]["options"]["path"]
    assert f"./deploy/observability/grafana/dashboards:{target}:ro" in SERVICES["grafana"]["volumes"]


def test_every_service_is_explained() -> None:
    assert [name for name in SERVICES if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize("name", ["start_triton.sh", "start_gate.sh"])
def test_the_scripts_are_sound_and_may_be_run(name: str) -> None:
    subprocess.run(["sh", "-n", str(FOLDER / name)], check=True)
    assert os.access(FOLDER / name, os.X_OK)
