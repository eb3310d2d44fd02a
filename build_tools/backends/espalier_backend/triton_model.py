"""The model class of the Python-based backends: one ONNX file, with the config.pbtxt of a C++ backend."""

import json
import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from .chain import Chain
from .damage import damage
from .fused_graph import ASKED, FusedGraph
from .fused_layout import read_layout
from .load_chain import Compile, load_chain
from .low_priority import at_low_priority
from .mapped_weights import leave_in_file
from .parts import parts
from .released_memory import ReleasedMemory, give_back
from .request_check import RefusedRequestError, RequestCheck, check_finite
from .step_clock import StepClock

# A part of a request should be done in this time. The second is pessimistic: a core that three processes share.
_PART_SECONDS = 8.0
_FLOPS = 2e10
_CHECKED_OUTPUTS = "logits"  # of a branch, or logits_<task>; hidden states are a hundred times as many values


class OnnxModel:
    """A version of a model. Its folder holds the ONNX file that the config's `default_model_filename` names.

    A backend's `TritonPythonModel` is a subclass that sets `compile_segment`.
    """

    compile_segment: Compile

    def initialize(self, args: dict[str, str]) -> None:
        """Loads and compiles the model. Triton calls it once; an exception fails the load."""
        config = json.loads(args["model_config"])
        file = Path(args["model_repository"], args["model_version"], config["default_model_filename"] or "model.onnx")
        if not file.is_file():
            raise pb_utils.TritonModelException(f"model {args['model_name']}: no file {file}")
        files = (file, *sorted(file.parent.glob("*.data")))  # a fused graph's weights are beside it
        for one in files:
            if (reason := damage(one, Path(args["model_repository"]).parent)) is not None:
                raise pb_utils.TritonModelException(reason)
        self._name = args["model_name"]
        self._inputs = [tensor["name"] for tensor in config["input"]]
        # Two operations for each weight, of which a float32 has four bytes.
        self._seconds_of_token = sum(one.stat().st_size for one in files) / 2 / _FLOPS
        self._clock = StepClock()
        outputs = [tensor["name"] for tensor in config["output"]]
        parameters = {name: value["string_value"] for name, value in config["parameters"].items()}
        self._check = RequestCheck(config["input"], parameters, file.parent)
        parameters |= _thread_count(args["model_name"])
        try:
            self._graph = self._load(file, config["output"], parameters)
        except Exception as error:
            raise pb_utils.TritonModelException(f"cannot load {file}: {type(error).__name__}: {error}") from error
        give_back()  # what loading the graph took, about 6 MB
        leave_in_file([one.name for one in files[1:]])
        self._computing = threading.Lock()
        self._released_memory = ReleasedMemory(self._release)
        # Shows that requests run the trunk only as deep as they ask for. For a branch, Triton's own count of executions
        # is enough, and for a fused graph the routers': each count here is a call to another process.
        self._family = pb_utils.MetricFamily(
            name="espalier_outputs_computed_total",
            description="Number of requests for which a model computed this output",
            kind=pb_utils.MetricFamily.COUNTER,
        )
        labels = {"model": args["model_name"], "version": args["model_version"]}
        self._computed = {
            name: self._family.Metric(labels={**labels, "output": name})
            for name in outputs
            if len(outputs) > 1 and isinstance(self._graph, Chain)
        }

    def _load(self, file: Path, outputs: list[dict[str, Any]], parameters: dict[str, str]) -> Chain | FusedGraph:
        names = [tensor["name"] for tensor in outputs]
        if ASKED not in self._inputs:
            load = partial(load_chain, file, names, parameters, type(self).compile_segment)
            # With several threads, a runtime starts those that compute when it loads.
            return at_low_priority(load) if parameters.get("INFERENCE_NUM_THREADS") == "1" else load()
        layout = read_layout(names, parameters)
        return FusedGraph(type(self).compile_segment(file, names, parameters), layout, int(outputs[0]["dims"][-1]))

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers each request by itself, so that an error fails only that request."""
        try:
            return [self._answer(request) for request in requests]
        finally:
            self._clock.end()

    def _answer(self, request: Any) -> Any:
        self._clock.begin(_PART_SECONDS)
        try:
            asked = request.requested_output_names()
            tensors = self._read(request)
            self._check(tensors)
            if isinstance(self._graph, FusedGraph):
                self._graph.check(tensors, asked)
            computed = self._compute(tensors, asked)
            # Routers give `asked`, for many tasks at once, and look at the logits of each task themselves: one broken
            # branch must not cost the other tasks their answers.
            for name in computed if ASKED not in tensors else ():
                if name.startswith(_CHECKED_OUTPUTS):
                    check_finite(computed[name], tensors)
        except RefusedRequestError as refusal:
            error = pb_utils.TritonError(f"{self._name}: {refusal}", pb_utils.TritonError.INVALID_ARG)
            return pb_utils.InferenceResponse(error=error)
        except Exception as error:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(f"{type(error).__name__}: {error}"))
        for name in computed.keys() & self._computed.keys():
            self._computed[name].increment(1)
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, computed[name]) for name in asked])

    def _compute(self, tensors: dict[str, np.ndarray], asked: list[str]) -> dict[str, np.ndarray]:
        computed = []
        for part, tokens in parts(tensors):
            self._clock.begin(_PART_SECONDS + tokens * self._seconds_of_token)
            with self._computing:
                computed.append(self._graph.run(part, asked))
            self._released_memory.after(tokens)
        if len(computed) == 1:
            return computed[0]
        return {name: np.concatenate([one[name] for one in computed]) for name in computed[0]}

    def _release(self) -> None:
        with self._computing:
            self._graph.release()

    def _read(self, request: Any) -> dict[str, np.ndarray]:
        tensors = ((name, pb_utils.get_input_tensor_by_name(request, name)) for name in self._inputs)
        return {name: tensor.as_numpy() for name, tensor in tensors if tensor is not None}


def _thread_count(model: str) -> dict[str, str]:
    """The number of threads that `espalier serve` chose for this machine, as parameters of both runtimes."""
    is_trunk = model.split(".")[0] in ("trunk", "fused")  # or a second one, such as trunk.2
    threads = os.environ.get("ESPALIER_TRUNK_THREADS" if is_trunk else "ESPALIER_THREADS")
    return {} if threads is None else {"INFERENCE_NUM_THREADS": threads, "intra_op_thread_count": threads}
