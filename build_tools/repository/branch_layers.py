"""How many layers a branch has, as the record beside its graph says."""

from pathlib import Path

from build_tools.errors import BuildError
from build_tools.repository.registry import VersionEntry
from espalier_json import NotJsonError, parse_json
from training.branch_record import RECORD


def branch_layers(repository: Path, version: VersionEntry, number: int) -> int:
    """Returns the number of a branch's own layers. Raises BuildError if its record is missing or damaged."""
    file = repository / version.model / str(number) / RECORD
    try:
        layers = parse_json(file.read_bytes()).get("layers")
    except (OSError, NotJsonError, AttributeError) as error:
        raise BuildError(f"{file} cannot be read ({error}): publish the version again.") from error
    if isinstance(layers, bool) or not isinstance(layers, int) or layers < 1:
        raise BuildError(f"{file} is damaged (layers is {layers!r:.60}): publish the version again.")
    return layers
