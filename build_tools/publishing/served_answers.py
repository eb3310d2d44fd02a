"""Whether a version on a running server answers as its golden examples say, asked before anybody depends on it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from build_tools.errors import BuildError
from build_tools.golden.token_parity import check_tokens
from build_tools.publishing.running_server import Server, Tensors
from build_tools.publishing.served_graph import ServedGraph
from build_tools.repository.golden_examples import read_golden
from build_tools.repository.precision import Precision
from build_tools.repository.registry import Registry, VersionEntry
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
    version: VersionEntry,
    number: int,
    rows: int,
    seconds: float = _SECONDS,
) -> float | None:
    """Asks trunk and branch for the first `rows` golden examples. Returns the greatest difference of a logit.

    A version of an earlier release may have none: then it only has to answer, and None is returned. seconds: for each
    of the two calls.
    Raises BuildError if one does not answer in time, or if the answer is another one.
    """
    golden = read_golden(repository / version.model / str(number))
    trunk = _Trunk(server, version.trunk, NEWEST, seconds)
    branch = ServedGraph(server, version.runs_in or version.model, number, seconds)
    if golden is None:
        hidden = np.zeros((1, _TOKENS, registry.trunks[version.trunk].hidden_size), np.float32)
        logits = branch.run({"hidden": hidden, "attention_mask": np.ones((1, _TOKENS), np.int64)}, ["logits"])["logits"]
        if logits.shape[-1] != version.outputs:
            raise BuildError(f"it has {logits.shape[-1]} logits in place of {version.outputs}.")
        return None
    exact = (registry.trunks[version.trunk].precision, version.precision) == (Precision.FP32, Precision.FP32)
    return check_tokens(golden.first(rows), version.kind, version.tap, trunk, branch, exact)


def silent_versions(
    server: Server, repository: Path, registry: Registry, loaded: Mapping[str, list[int]], rows: int, seconds: float
) -> dict[str, dict[int, str]]:
    """Returns {task: {version: what is wrong}} for the loaded versions that do not answer as check_answers asks.

    loaded: {model: its loaded versions}. A trunk that does not answer is asked once, not for each of its versions.
    """
    silent: dict[str, dict[int, str]] = {}
    dead: dict[str, str] = {}
    for task, entry in registry.tasks.items():
        for number, version in ((int(number), version) for number, version in entry.versions.items()):
            if number not in loaded.get(version.runs_in or version.model, []):
                continue
            try:
                if version.trunk in dead:
                    raise BuildError(dead[version.trunk])
                check_answers(server, repository, registry, version, number, rows, seconds)
            except TrunkSilentError as error:
                dead[version.trunk] = str(error)
                silent.setdefault(task, {})[number] = str(error)
            except BuildError as error:
                silent.setdefault(task, {})[number] = str(error)
    return silent
