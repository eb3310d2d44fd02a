"""A task checkpoint -> an artefact's folder: exported, quantized and checked on a trunk."""

import hashlib
from pathlib import Path

from tokenizers import Tokenizer

from build_tools.artefact.artefact import BRANCH, FILES, Artefact, read_artefact
from build_tools.artefact.manifest import MANIFEST, Checked, Manifest, write_manifest
from build_tools.errors import BuildError
from build_tools.export.onnx_export import export_branch
from build_tools.golden.golden_batch import GoldenBatch
from build_tools.golden.logit_parity import check_logits
from build_tools.packaging.reference_trunk import ReferenceTrunk
from build_tools.packaging.tool_versions import tool_versions
from build_tools.precision.choose_for_branch import choose_branch_precision
from build_tools.precision.graph import Graph
from build_tools.progress import Progress
from build_tools.repository.golden_examples import write_golden
from build_tools.repository.manifest import hashes_of
from build_tools.repository.names import TOKENIZER_FILE
from build_tools.repository.precision import Precision
from build_tools.repository.triton_config import GRAPH_FILE
from training.branch_record import RECORD
from training.checkpoint import Checkpoint
from training.tokenizer_form import tokenizer_json


def package(
    checkpoint: Checkpoint, trunk: ReferenceTrunk, precision: Precision, folder: Path, progress: Progress
) -> Artefact:
    """Exports the branch into `folder`, where a trunk that goes with it already is. Returns the artefact.

    precision: of the branch; auto takes the fastest on this machine that gives the golden answers on `trunk`.
    Raises BuildError if the graph fails its parity check, or if the tokenizer is not that of the trunk.
    """
    golden, record = GoldenBatch(checkpoint), checkpoint.record
    progress.at("export of the branch")
    place = folder / BRANCH
    place.mkdir(parents=True)
    branch = Graph(place / GRAPH_FILE, ["logits"], trunk.runtime, record.encoder.config["hidden_size"])
    export_branch(checkpoint.branch, branch.file, trunk.runtime)
    (place / RECORD).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")

    progress.at("golden examples before it is published")
    _check_tokenizer(checkpoint, trunk)
    if trunk.precision is Precision.FP32:
        check_logits(golden, trunk.graph, branch.load())
    chosen = choose_branch_precision(precision, golden, branch, trunk.graph, trunk.precision, progress.report)
    branch.keep_only(chosen)
    write_golden(place, golden.for_serving())
    _describe(folder, trunk, chosen, checkpoint.tokenizer)
    return read_artefact(folder)


def _describe(folder: Path, trunk: ReferenceTrunk, precision: Precision, tokenizer: Tokenizer) -> None:
    files = [folder / name for name in FILES if name != MANIFEST and (folder / name).is_file()]
    manifest = Manifest(
        runtime=trunk.runtime,
        precision=precision,
        tokenizer_sha256=hashlib.sha256(tokenizer_json(tokenizer).encode()).hexdigest(),
        checked=Checked(trunk=trunk.sha256, precision=trunk.precision),
        tools=tool_versions(),
        trunk=trunk.carried,
        files=hashes_of(files, folder),
    )
    write_manifest(folder, manifest)


def _check_tokenizer(checkpoint: Checkpoint, trunk: ReferenceTrunk) -> None:
    """Checks that a server with this trunk tokenizes texts as the training of the branch did."""
    if tokenizer_json(trunk.tokenizer) != tokenizer_json(checkpoint.tokenizer):
        raise BuildError(
            f"the checkpoint's {TOKENIZER_FILE} is not the tokenizer of {trunk.name}: train the branch on that encoder."
        )
