"""Whether a version on a running server answers as its golden examples say, asked before anybody depends on it."""

from pathlib import Path

import numpy as np

from build_tools.errors import BuildError
from build_tools.golden.token_parity import check_tokens
from build_tools.publishing.running_server import Server
from build_tools.publishing.served_graph import ServedGraph
from build_tools.repository.golden_examples import read_golden
from build_tools.repository.precision import Precision
from build_tools.repository.registry import Registry, VersionEntry
from build_tools.repository.triton_config import NEWEST

_SECONDS = 10.0
_TOKENS = 8


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
    trunk = ServedGraph(server, version.trunk, NEWEST, seconds)
    branch = ServedGraph(server, version.runs_in or version.model, number, seconds)
    if golden is None:
        hidden = np.zeros((1, _TOKENS, registry.trunks[version.trunk].hidden_size), np.float32)
        logits = branch.run({"hidden": hidden, "attention_mask": np.ones((1, _TOKENS), np.int64)}, ["logits"])["logits"]
        if logits.shape[-1] != version.outputs:
            raise BuildError(f"it has {logits.shape[-1]} logits in place of {version.outputs}.")
        return None
    exact = (registry.trunks[version.trunk].precision, version.precision) == (Precision.FP32, Precision.FP32)
    return check_tokens(golden.first(rows), version.kind, version.tap, trunk, branch, exact)
