"""golden.npz for the versions of an earlier release, made of their checkpoints."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from build_tools.repository.golden_examples import GOLDEN_EXAMPLES, write_golden
from build_tools.repository.registry import Registry
from espalier_json import parse_json

_RECORD = "branch.json"


def stage_golden(
    repository: Path, registry: Registry, checkpoints: Iterable[Path], staging: Path, report: Callable[[str], None]
) -> dict[Path, Path]:
    """Returns {version's folder: its new golden.npz, in `staging`} for each version that has none.

    Reports the versions whose checkpoint is not among `checkpoints`.
    """
    known = {sha256: folder for path in checkpoints for folder, sha256 in _checkpoints(path)}
    staged: dict[Path, Path] = {}
    without = []
    for task, entry in registry.tasks.items():
        for number, version in entry.versions.items():
            place = repository / version.model / number
            if (place / GOLDEN_EXAMPLES).is_file():
                continue
            if version.origin.checkpoint not in known:
                without.append(f"{task} {number}")
                continue
            folder = staging / version.model / number
            folder.mkdir(parents=True)
            _write(known[version.origin.checkpoint], folder)
            staged[place] = folder / GOLDEN_EXAMPLES
    if without:
        report(
            f"no golden examples for {', '.join(without)}: give the folder of their checkpoints as --checkpoints to "
            "add them; without them only whether they answer can be checked"
        )
    return staged


def _write(checkpoint: Path, folder: Path) -> None:
    # Imported here: they import torch, which a machine that only serves does not have.
    from build_tools.golden.golden_batch import GoldenBatch
    from training.checkpoint import load_checkpoint

    write_golden(folder, GoldenBatch(load_checkpoint(checkpoint)).for_serving())


def _checkpoints(path: Path) -> Iterator[tuple[Path, str]]:
    """Yields each checkpoint at or below the path, with the SHA-256 that names it."""
    for record in sorted(path.rglob(_RECORD)):
        with suppress(OSError, ValueError, KeyError, TypeError):  # something else of that name
            yield record.parent, str(parse_json(record.read_bytes())["sha256"])
