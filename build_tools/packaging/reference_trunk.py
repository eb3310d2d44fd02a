"""The trunk on which a branch is checked before it is published."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from build_tools.artefact.artefact import TRUNK
from build_tools.artefact.manifest import CarriedTrunk
from build_tools.errors import BuildError
from build_tools.export.onnx_export import export_trunk
from build_tools.golden.runnable import Runnable
from build_tools.packaging.needed_trunk import NeededTrunk, needed_trunk
from build_tools.precision.graph import Graph
from build_tools.precision.load_graph import load_graph
from build_tools.progress import Progress
from build_tools.repository.manifest import hashes_of
from build_tools.repository.names import FIRST_VERSION, TOKENIZER_FILE, hidden_name
from build_tools.repository.precision import Precision
from build_tools.repository.registry import Registry
from build_tools.repository.runtime import Runtime
from build_tools.repository.triton_config import GRAPH_FILE
from training.branch_record import BranchRecord
from training.encoder import load_encoder
from training.fingerprint import trunk_fingerprints
from training.model import Trunk
from training.tokenizer_form import tokenizer_json
from training.trunk_fit import check_fingerprint


@dataclass(frozen=True)
class ReferenceTrunk:
    """A trunk with the branch's fingerprint at its tap.

    name: for messages. sha256: of its graph; None for PyTorch's own layers. carried: what the artefact says of it, if
    it goes with the branch.
    """

    name: str
    graph: Runnable
    runtime: Runtime
    precision: Precision
    tokenizer: Tokenizer
    sha256: str | None
    carried: CarriedTrunk | None = None


def trunk_of_repository(
    record: BranchRecord,
    repository: Path,
    registry: Registry,
    encoder_name: str | None,
    folder: Path,
    progress: Progress,
) -> ReferenceTrunk:
    """Returns the trunk that the branch will read in this repository: the served one if it has the branch's tap.

    Else a new version of it, or a new trunk, is exported into the artefact's `folder`. encoder_name: where its weights
    come from; None takes the trunk's own encoder and allows no new trunk.
    Raises BuildError or TrainingError if the branch fits no trunk and was not trained on the given encoder.
    """
    needed = needed_trunk(record, registry, encoder_name)
    if isinstance(needed, NeededTrunk):
        return _exported(needed, registry.runtime, folder, progress)
    trunk = registry.trunks[needed]
    file = repository / needed / str(trunk.version) / GRAPH_FILE
    graph = load_graph(file, [hidden_name(tap) for tap in trunk.taps], registry.runtime, trunk.precision)
    tokenizer = repository / next(iter(trunk.tokenizers)) / FIRST_VERSION / TOKENIZER_FILE
    sha256 = hashes_of([file], file.parent)[GRAPH_FILE]
    return ReferenceTrunk(needed, graph, registry.runtime, trunk.precision, Tokenizer.from_file(str(tokenizer)), sha256)


def trunk_of_encoder(record: BranchRecord, encoder_name: str | None, runtime: Runtime) -> ReferenceTrunk:
    """Returns the encoder's own layers below the branch, for an artefact for servers that are out of reach.

    encoder_name: None takes that of the checkpoint. Raises TrainingError if the branch was not trained on it.
    """
    encoder = load_encoder(encoder_name or record.encoder.name)
    check_fingerprint(record, encoder.name, trunk_fingerprints(encoder, min(record.tap, encoder.layers)))
    layers = _Layers(Trunk(encoder, [record.tap]), record.tap)
    return ReferenceTrunk(f"the encoder {encoder.name!r}", layers, runtime, Precision.FP32, encoder.tokenizer, None)


class _Layers:
    """PyTorch's layers, as a graph that the parity checks can run."""

    def __init__(self, trunk: Trunk, tap: int) -> None:
        self._trunk, self._name = trunk.eval(), hidden_name(tap)

    def run(self, inputs: Mapping[str, np.ndarray], asked: Iterable[str]) -> dict[str, np.ndarray]:
        """See Runnable. Raises BuildError for another tap."""
        if list(asked) != [self._name]:
            raise BuildError(f"only {self._name} can be computed.")
        with torch.inference_mode():
            (hidden,) = self._trunk(**{name: torch.from_numpy(array) for name, array in inputs.items()})
        return {self._name: hidden.numpy()}


def _exported(needed: NeededTrunk, runtime: Runtime, folder: Path, progress: Progress) -> ReferenceTrunk:
    encoder = needed.encoder
    progress.at(f"export of a trunk with taps {', '.join(map(str, needed.taps))}")
    place = folder / TRUNK
    place.mkdir(parents=True)
    outputs = [hidden_name(tap) for tap in needed.taps]
    graph = Graph(place / GRAPH_FILE, outputs, runtime, encoder.config["hidden_size"])
    export_trunk(encoder, needed.taps, graph.file, runtime)
    graph.keep_only(needed.precision)
    (place / TOKENIZER_FILE).write_text(tokenizer_json(encoder.tokenizer), encoding="utf-8")
    carried = CarriedTrunk(
        encoder=encoder.name,
        config=encoder.config,
        taps=needed.taps,
        fingerprints=needed.fingerprints,
        precision=needed.precision,
    )
    return ReferenceTrunk(
        f"the encoder {encoder.name!r}",
        load_graph(graph.file, outputs, runtime, needed.precision),
        runtime,
        needed.precision,
        encoder.tokenizer,
        hashes_of([graph.file], place)[GRAPH_FILE],
        carried,
    )
