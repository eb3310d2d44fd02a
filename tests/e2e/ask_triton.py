"""Asking Triton itself: statistics, metrics, and plain KServe v2 inference."""

import re
import time
import urllib.request

import numpy as np
from text_tensors import text_tensors
from tritonclient import grpc, http

from build_tools.repository.control_key import CONTROL_HEADER, read_control_key
from build_tools.serving.supervisor import Supervisor


def control(server: Supervisor) -> dict[str, str]:
    """The headers with which the gate lets publishing through."""
    key = read_control_key(server.settings.repository)
    assert key is not None
    return {CONTROL_HEADER: key}


def executions(server: Supervisor) -> dict[str, int]:
    """How often each model has been executed, over all its versions."""
    with grpc.InferenceServerClient(server.grpc_url) as client:
        statistics = client.get_inference_statistics(headers=control(server), as_json=True)
    counts: dict[str, int] = {}
    for model in statistics["model_stats"]:
        counts[model["name"]] = counts.get(model["name"], 0) + int(model.get("execution_count", 0))
    return counts


def settled_executions(server: Supervisor) -> dict[str, int]:
    """`executions` once they stay as they are: Triton counts a moment after the answer."""
    before = None
    while (now := executions(server)) != before:
        before = now
        time.sleep(0.5)
    return now


def branch_executions(server: Supervisor) -> int:
    """How often branches have been executed."""
    return sum(count for model, count in executions(server).items() if model.startswith("branch_"))


def outputs_computed(server: Supervisor) -> dict[tuple[str, str], int]:
    """(model, output) -> for how many requests it was computed, from Triton's metrics endpoint."""
    with urllib.request.urlopen(f"http://{server.metrics_url}/metrics") as answer:
        text = answer.read().decode()
    pattern = r'espalier_outputs_computed_total\{model="(\w+)",output="(\w+)",version="\d+"\} (\d+)'
    return {(model, output): int(count) for model, output, count in re.findall(pattern, text)}


def counter(server: Supervisor, name: str) -> float:
    """The sum of a counter over all its labels."""
    time.sleep(0.5)  # routers hand over what they count a few times a second
    with urllib.request.urlopen(f"http://{server.metrics_url}/metrics") as answer:
        text = answer.read().decode()
    return sum(float(count) for count in re.findall(rf"^{name}\{{[^}}]*\}} (\S+)$", text, re.MULTILINE))


def ensemble_over_grpc(
    server: Supervisor, task: str, texts: list[str], pairs: list[str] | None = None
) -> dict[str, np.ndarray]:
    """All outputs of the ensemble <task>."""
    inputs = text_tensors({"text": texts, "pair": pairs})
    with grpc.InferenceServerClient(server.grpc_url) as client:
        result = client.infer(task, inputs)
        return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}


def ensemble_over_http(server: Supervisor, task: str, texts: list[str]) -> dict[str, np.ndarray]:
    """All outputs of the ensemble <task> of a single-text task."""
    inputs = text_tensors({"text": texts}, protocol=http)
    with http.InferenceServerClient(server.http_url) as client:
        result = client.infer(task, inputs)
        return {output["name"]: result.as_numpy(output["name"]) for output in result.get_response()["outputs"]}
