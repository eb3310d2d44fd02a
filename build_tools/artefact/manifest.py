"""artefact.json: what an artefact holds, for which servers, and how it was checked."""

import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from build_tools.errors import BuildError
from build_tools.repository.precision import Precision
from build_tools.repository.registry import TrunkEntry
from build_tools.repository.runtime import Runtime
from espalier_json import NotJsonError, parse_json
from training.branch_record import MOST_LAYERS, record_sha256
from training.label_form import check_plain
from training.validation import first_problem

FORMAT_VERSION: Final = 1
MANIFEST = "artefact.json"
MOST_BYTES = 2**22  # of artefact.json
_MOST_ENTRIES = 1000


def _plain(text: str) -> str:
    return check_plain("the text", text)


def _one_form(precision: Precision) -> Precision:
    if precision is Precision.AUTO:
        raise ValueError("a graph has one precision, and auto is none")
    return precision


_Short = Annotated[str, Field(max_length=200), AfterValidator(_plain)]
_Place = Annotated[str, Field(max_length=4096), AfterValidator(_plain)]
_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_OneForm = Annotated[Precision, AfterValidator(_one_form)]
_Tap = Annotated[int, Field(ge=1, le=MOST_LAYERS)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CarriedTrunk(_Part):
    """A trunk that comes with the branch, because the repository's own has not the branch's tap.

    encoder: its name. config: the part of its config that decides what its layers compute. taps: in order.
    fingerprints: f(0) .. f(deepest tap).
    """

    encoder: _Place
    config: dict[_Short, Any] = Field(max_length=_MOST_ENTRIES)
    taps: list[_Tap] = Field(min_length=1, max_length=MOST_LAYERS)
    fingerprints: list[_Sha256] = Field(max_length=MOST_LAYERS + 1)
    precision: _OneForm

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.taps != sorted(set(self.taps)):
            raise ValueError("its taps are not in order")
        if len(self.fingerprints) != self.taps[-1] + 1:
            raise ValueError("it does not have a fingerprint for each layer")
        return self

    def continues(self, trunk: TrunkEntry) -> bool:
        """Whether it has all layers of a trunk in a repository, with the same weights."""
        return self.config == trunk.config and self.fingerprints[: len(trunk.fingerprints)] == trunk.fingerprints


class Checked(_Part):
    """What the golden examples went through when the artefact was made.

    trunk: the SHA-256 of the trunk's graph; None for PyTorch's own layers. precision: of that trunk.
    """

    trunk: _Sha256 | None
    precision: _OneForm


class Manifest(_Part):
    """The content of artefact.json. Task, kind, labels, tap, maximum length and fingerprint are in branch.json.

    runtime, precision: what the graph was written for. tokenizer_sha256: of the tokenizer's canonical form (see
    training/tokenizer_form.py). tools: {package: the version with which it was made}. files: {path: SHA-256}.
    sha256: of all other fields; it names the artefact.
    """

    format_version: Literal[1] = FORMAT_VERSION
    runtime: Runtime
    precision: _OneForm
    tokenizer_sha256: _Sha256
    checked: Checked
    tools: dict[_Short, _Short] = Field(max_length=_MOST_ENTRIES)
    trunk: CarriedTrunk | None = None
    files: dict[_Short, _Sha256] = Field(max_length=_MOST_ENTRIES)
    sha256: str = ""


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Writes artefact.json into a new artefact's folder. Returns it with its own SHA-256."""
    content = manifest.model_dump(mode="json")
    content["sha256"] = record_sha256(content)
    text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return manifest.model_copy(update={"sha256": content["sha256"]})


def parse_manifest(content: bytes) -> Manifest:
    """Reads artefact.json. Raises BuildError if it is damaged or of another format."""
    try:
        parsed = parse_json(content)
        if not isinstance(parsed, dict):
            raise NotJsonError("it is not an object")
        _check_format(parsed.get("format_version"))
        manifest = Manifest.model_validate_json(content)
    except NotJsonError as error:
        raise BuildError(f"{MANIFEST} is damaged ({error}): copy the artefact again.") from error
    except ValidationError as error:
        raise BuildError(f"{MANIFEST} is damaged ({first_problem(error)}): package the checkpoint again.") from error
    if manifest.sha256 != record_sha256(parsed):
        raise BuildError(f"{MANIFEST} is damaged (its SHA-256 is wrong): copy the artefact again.")
    return manifest


def _check_format(version: Any) -> None:
    if version != FORMAT_VERSION:
        raise BuildError(
            f"the artefact has format {version!r:.40}, and this release reads format {FORMAT_VERSION}: package the "
            "checkpoint with the release that the server has."
        )
