"""Whether a version on a running server answers as its golden examples say, asked before anybody depends on it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from build_tools.errors import BuildError
from build_tools.golden.token_parity import check_tokens, compare_logits
from build_tools.publishing.running_server import Server, Tensors
from build_tools.publishing.served_graph import ServedGraph
from build_tools.repository.golden_examples import read_golden
from build_tools.repository.in_memory import hidden_source
from build_tools.repository.names import logits_name
from build_tools.repository.precision import Precision
from build_tools.repository.registry import Registry
from build_tools.repository.triton_config import NEWEST

_SECONDS = 10.0
ALL_ROWS = 32
_TOKENS = 8


class TrunkSilentError(BuildError):
    """The trunk does not answer, so no branch on it can be asked."""


class _Trunk(ServedGraph):
    def run(self, inputs: Mapping[str, np.ndarray], asked: Iterable[str]) -> Tensors:
        try:
            return super().run(inputs, asked)
        except BuildError as error:
            raise TrunkSilentError(str(error)) from error


def check_answers(
    server: Server,
    repository: Path,
    registry: Registry,
    task: str,
    number: int,
    rows: int,
    seconds: float = _SECONDS,
) -> float | None:
    """Asks for the first `rows` golden examples of a version where it runs. Returns the greatest difference of a logit.

    A version of an earlier release may have none: then it only has to answer, and None is returned. seconds: for each
    call, of which there is one to a fused graph, and else two, to trunk and branch.
    Raises BuildError if one does not answer in time, or if the answer is another one.
    """
    version = registry.tasks[task].versions[str(number)]
    golden = read_golden(repository / version.model / str(number))
    exact = (registry.trunks[version.trunk].precision, version.precision) == (Precision.FP32, Precision.FP32)
    fused = registry.fused_with(task, number)
    if fused is not None and golden is not None:
        examples, name = golden.first(rows), logits_name(task)
        logits = _Trunk(server, fused.model, fused.version, seconds).run(examples.inputs, [name])[name]
        return compare_logits(examples, version.kind, logits, exact)
    trunk = _Trunk(server, hidden_source(registry, version.trunk, version.tap), NEWEST, seconds)
    branch = ServedGraph(server, version.model, number, seconds)
    if golden is None:
        hidden = np.zeros((1, _TOKENS, registry.trunks[version.trunk].hidden_size), np.float32)
        logits = branch.run({"hidden": hidden, "attention_mask": np.ones((1, _TOKENS), np.int64)}, ["logits"])["logits"]
        if logits.shape[-1] != version.outputs:
            raise BuildError(f"it has {logits.shape[-1]} logits in place of {version.outputs}.")
        return None
    return check_tokens(golden.first(rows), version.kind, version.tap, trunk, branch, exact)


def silent_versions(
    server: Server, repository: Path, registry: Registry, loaded: Mapping[str, list[int]], rows: int, seconds: float
) -> dict[str, dict[int, str]]:
    """Returns {task: {version: what is wrong}} for the loaded versions that do not answer as check_answers asks.

    loaded: {model: its loaded versions}. A trunk, or a fused graph, that does not answer is asked once, not for each of
    its versions.
    """
    silent: dict[str, dict[int, str]] = {}
    dead: dict[str, str] = {}
    for task, entry in registry.tasks.items():
        for number, version in ((int(number), version) for number, version in entry.versions.items()):
            fused = registry.fused_with(task, number)
            model, loaded_as = (version.model, number) if fused is None else (fused.model, fused.version)
            if loaded_as not in loaded.get(model, []):
                continue
            shared = hidden_source(registry, version.trunk, version.tap) if fused is None else model
            try:
                if shared in dead:
                    raise BuildError(dead[shared])
                check_answers(server, repository, registry, task, number, rows, seconds)
            except TrunkSilentError as error:
                dead[shared] = str(error)
                silent.setdefault(task, {})[number] = str(error)
            except BuildError as error:
                silent.setdefault(task, {})[number] = str(error)
    return silent
