"""An artefact as a folder: its files are the ones that a served version has, and they are checked here."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from build_tools.artefact.golden_form import check_golden_form
from build_tools.artefact.graph_form import check_branch_graph, check_trunk_graph
from build_tools.artefact.manifest import MANIFEST, MOST_BYTES, Manifest, parse_manifest
from build_tools.errors import BuildError
from build_tools.repository.golden_examples import GOLDEN_EXAMPLES, GoldenExamples, read_golden
from build_tools.repository.names import TOKENIZER_FILE
from build_tools.repository.triton_config import GRAPH_FILE
from espalier_json import NotJsonError, parse_json
from training.branch_record import RECORD, RECORD_BYTES, BranchRecord
from training.validation import first_problem

BRANCH, TRUNK = "branch", "trunk"  # its folders
_GRAPH_BYTES = 2**31  # ONNX's own bound for one file
# The files of an artefact, in the order in which they lie in it, and the largest of each that is read.
FILES = {
    MANIFEST: MOST_BYTES,
    f"{BRANCH}/{RECORD}": RECORD_BYTES,
    f"{BRANCH}/{GOLDEN_EXAMPLES}": 2**29,
    f"{BRANCH}/{GRAPH_FILE}": _GRAPH_BYTES,
    f"{TRUNK}/{TOKENIZER_FILE}": 2**26,
    f"{TRUNK}/{GRAPH_FILE}": _GRAPH_BYTES,
}
_OF_TRUNK = {name for name in FILES if name.startswith(f"{TRUNK}/")}


@dataclass(frozen=True)
class Artefact:
    """An artefact whose files lie in `folder`: in `branch/` those of a served version, in `trunk/` perhaps a trunk.

    record: its branch.json. golden: its golden examples.
    """

    folder: Path
    manifest: Manifest
    record: BranchRecord
    golden: GoldenExamples

    @property
    def branch(self) -> Path:
        """The folder with the branch's graph, record and golden examples."""
        return self.folder / BRANCH

    @property
    def trunk(self) -> Path:
        """The folder with the graph and the tokenizer of the trunk that it carries, if it does."""
        return self.folder / TRUNK


def read_artefact(folder: Path) -> Artefact:
    """Reads an artefact's folder and checks that its parts belong together. It trusts none of them.

    Raises BuildError, with one sentence, if something is missing, damaged, out of bounds, or does not fit the rest.
    """
    manifest = parse_manifest((folder / MANIFEST).read_bytes())
    check_names(manifest)
    record = _record(folder / BRANCH / RECORD)
    width = record.encoder.config.get("hidden_size")
    if not isinstance(width, int) or width < 1:
        raise BuildError(f"its {RECORD} has a hidden_size of {width!r:.40}: train the branch again.")
    golden = read_golden(folder / BRANCH)
    if golden is None:
        raise BuildError(f"it holds no {GOLDEN_EXAMPLES}: package the checkpoint again.")
    check_golden_form(golden, record)
    check_branch_graph(folder / BRANCH / GRAPH_FILE, record, width)
    if manifest.trunk is not None:
        carried = manifest.trunk
        if carried.config != record.encoder.config or record.tap not in carried.taps:
            raise BuildError("the trunk that it carries is not the one of its branch: package the checkpoint again.")
        if carried.fingerprints[record.tap] != record.trunk_fingerprint:
            raise BuildError("the trunk that it carries has another fingerprint: package the checkpoint again.")
        check_trunk_graph(folder / TRUNK / GRAPH_FILE, carried.taps, width)
    return Artefact(folder, manifest, record, golden)


def check_names(manifest: Manifest) -> None:
    """Raises BuildError unless the manifest names all files that an artefact has, and no others."""
    wanted = FILES.keys() - {MANIFEST} - (set() if manifest.trunk else _OF_TRUNK)
    if manifest.files.keys() != wanted:
        odd = min(manifest.files.keys() ^ wanted)
        raise BuildError(f"its {MANIFEST} is damaged (the entry of {odd!r:.80}): package the checkpoint again.")


def _record(file: Path) -> BranchRecord:
    try:
        return BranchRecord.model_validate(parse_json(file.read_bytes()))
    except NotJsonError as error:
        raise BuildError(f"its {RECORD} is damaged ({error}): package the checkpoint again.") from error
    except ValidationError as error:
        raise BuildError(f"its {RECORD} is out of bounds ({first_problem(error):.300}).") from error
