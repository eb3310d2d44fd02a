"""What can be published: an artefact, or a task checkpoint, which is packaged first. Only the latter needs torch."""

from collections.abc import Callable
from pathlib import Path
from shlex import quote

from build_tools.artefact.artefact import Artefact
from build_tools.artefact.unseal import unseal
from build_tools.errors import BuildError
from build_tools.precision.hardware import available_precisions
from build_tools.progress import Progress
from build_tools.repository.precision import Precision
from build_tools.repository.registry import Registry
from training.branch_record import BranchRecord

# (the registry as it is now, a new folder) -> an artefact for it
Prepare = Callable[[Registry, Path], Artefact]


def open_artefact(
    file: Path, staging: Path, precision: Precision | None, encoder: str | None
) -> tuple[BranchRecord, Prepare]:
    """Takes an artefact's content out of its file, into `staging`, and checks it.

    precision, encoder: those that were asked for; an artefact brings its own.
    Raises BuildError if it is not an artefact, or was made for something else than is asked for.
    """
    artefact = unseal(file, staging / "artefact")
    own = artefact.manifest.precision
    if precision not in (None, own):
        raise BuildError(f"the artefact computes in {own}: package the checkpoint again with --precision {precision}.")
    if encoder is not None:
        raise BuildError(
            "an artefact brings the trunk that it needs: give --encoder to espalier package, or leave it out."
        )
    available_precisions(own, artefact.manifest.runtime)  # the server need not have the processor on which it was made
    return artefact.record, lambda _registry, _folder: artefact


def open_checkpoint(
    folder: Path, repository: Path, precision: Precision | None, encoder: str | None, progress: Progress
) -> tuple[BranchRecord, Prepare]:
    """Reads a task checkpoint. It is packaged for the repository as it is when it is asked for.

    Raises BuildError where there is no torch, and TrainingError if the checkpoint is damaged.
    """
    try:
        from build_tools.packaging.package import package
        from build_tools.packaging.package_file import branch_precision
        from build_tools.packaging.reference_trunk import trunk_of_repository
        from training.checkpoint import load_checkpoint
    except ModuleNotFoundError as error:
        raise BuildError(
            f"a checkpoint is exported before it is published, which needs the package {error.name!r}: run espalier "
            f"package {quote(str(folder))} where it was trained, and publish the file; or install Espalier with its "
            "extra `build`."
        ) from error
    checkpoint = load_checkpoint(folder)

    def prepare(registry: Registry, place: Path) -> Artefact:
        progress.at("trunk")
        wanted = branch_precision(registry, checkpoint.record.task, precision)
        trunk = trunk_of_repository(checkpoint.record, repository, registry, encoder, place, progress)
        return package(checkpoint, trunk, wanted, place, progress)

    return checkpoint.record, prepare
