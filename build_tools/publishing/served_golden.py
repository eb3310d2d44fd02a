"""Golden examples asked of a version on the running server."""

from collections.abc import Iterable, Mapping

import numpy as np

from build_tools.errors import BuildError
from build_tools.golden_batch import GoldenBatch, Runnable
from build_tools.proof import prove_equal
from build_tools.publishing.server import Server, Tensors
from build_tools.same_answers import first_difference
from build_tools.triton_config import NEWEST
from training.checkpoint import Checkpoint


class ServedGraph:
    """A version of a model on a server, in the place of a loaded graph."""

    def __init__(self, server: Server, model: str, version: int) -> None:
        self._server, self._model, self._version = server, model, version

    def run(self, inputs: Mapping[str, np.ndarray], asked: Iterable[str]) -> Tensors:
        """The outputs asked for. Raises BuildError if the server refuses."""
        return self._server.infer(self._model, self._version, inputs, asked)


def check_served(checkpoint: Checkpoint, server: Server, trunk: str, model: str, version: int, exact: bool) -> None:
    """Runs the golden examples through trunk and branch as they are served now.

    exact: both compute in float32, and every logit is held to 1e-3; else the answers are compared. Raises BuildError,
    naming the example, where they do not agree.
    """
    check_golden(checkpoint, ServedGraph(server, trunk, NEWEST), ServedGraph(server, model, version), exact)


def check_golden(checkpoint: Checkpoint, trunk: Runnable, branch: Runnable, exact: bool) -> None:
    """The same for any trunk and branch."""
    if exact:
        prove_equal(checkpoint, trunk, branch)
        return
    batch = GoldenBatch(checkpoint)
    difference = first_difference(checkpoint.record, batch, batch.logits(batch.hidden(trunk), branch))
    if difference is not None:
        raise BuildError(difference)
