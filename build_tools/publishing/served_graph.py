"""A version on a running server, as a graph that the parity checks can run."""

from collections.abc import Iterable, Mapping

import numpy as np

from build_tools.publishing.running_server import INFER_SECONDS, Server, Tensors


class ServedGraph:
    """A version of a model on a server, in place of a graph that is loaded in this process."""

    def __init__(self, server: Server, model: str, version: int, seconds: float = INFER_SECONDS) -> None:
        """seconds: in which it has to answer."""
        self._server, self._model, self._version, self._seconds = server, model, version, seconds

    def run(self, inputs: Mapping[str, np.ndarray], asked: Iterable[str]) -> Tensors:
        """Returns the outputs in `asked` by name. Raises BuildError if the server refuses."""
        return self._server.infer(self._model, self._version, inputs, asked, self._seconds)
