"""The program `espalier` as a user runs it, against the running server."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from served_suite import Suite

from build_tools.serving.supervisor import Supervisor
from clients import Client

PROGRAM = [sys.executable, "-c", "import espalier; espalier.main()"]
ROOT = Path(__file__).resolve().parents[2]


def espalier(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_predict_prints_every_task_s_answer(suite: Suite, server: Supervisor) -> None:
    done = espalier("predict", "--url", server.grpc_url, "--pair", "make it eight", "wake me at seven")
    assert done.returncode == 0, done.stderr
    for task in suite.checkpoints:
        assert task in done.stdout


def test_predict_as_json_is_what_the_client_says(server: Supervisor, grpc_client: Client) -> None:
    done = espalier("predict", "--url", server.grpc_url, "--json", "--tasks", "intent,domain", "wake me at seven")
    printed = json.loads(done.stdout)
    expected = grpc_client.predict("wake me at seven", tasks=["intent", "domain"])
    assert {task: answer["label"] for task, answer in printed["tasks"].items()} == {
        task: answer.label for task, answer in expected.items()
    }


def test_an_unknown_task_is_one_sentence_and_no_traceback(server: Supervisor) -> None:
    done = espalier("predict", "--url", server.grpc_url, "--tasks", "intnt", "wake me at seven")
    assert done.returncode == 1
    assert done.stderr.startswith("espalier: there is no task 'intnt'; known tasks:")
    assert "Traceback" not in done.stderr


def test_serve_names_a_port_that_is_in_use(suite: Suite, server: Supervisor, tmp_path: Path) -> None:
    port = server.grpc_url.rpartition(":")[2]
    copy = shutil.copytree(suite.repository, tmp_path / "repository")
    done = espalier("serve", "--repository", str(copy), "--grpc-port", port)
    assert done.returncode == 1
    assert f"port {port} for grpc is in use" in done.stderr


@pytest.mark.usefixtures("server")
def test_serve_refuses_a_repository_that_a_server_has_open(suite: Suite) -> None:
    """A publish would have one of the two load the new version, and both would be asked for it."""
    done = espalier("serve", "--repository", str(suite.repository), "--grpc-port", "0")
    assert done.returncode == 1
    assert f"a server has {suite.repository} open already: stop it first" in done.stderr


def test_evaluate_prints_the_checkpoint_s_metrics(suite: Suite) -> None:
    data = suite.folders["coherence"] / "dev.jsonl"
    done = espalier("evaluate", str(suite.checkpoints["coherence"]), "--data", str(data), "--json")
    printed = json.loads(done.stdout)
    recorded = suite.checkpoint("coherence").record.scores
    assert printed["rows"] == 240
    assert printed["scores"].keys() == recorded.keys()
    for name, value in recorded.items():
        assert abs(printed["scores"][name] - value) < 0.5


def test_a_client_needs_no_torch() -> None:
    """A machine that only asks has none of the training and serving packages."""
    absent = (
        "torch",
        "transformers",
        "onnx",
        "onnxruntime",
        "openvino",
        "pytriton",
        "tokenizers",
        "datasets",
        "sklearn",
    )
    block = f"import sys\nfor name in {absent!r}: sys.modules[name] = None\n"
    script = (
        f"{block}import espalier\nsys.argv = ['espalier', 'predict', 'hello', '--url', '127.0.0.1:1']\nespalier.main()"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr
    script = f"{block}import espalier\nsys.argv = ['espalier', 'evaluate', 'x', '--data', 'y']\nespalier.main()"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "its extra `build`" in done.stderr
