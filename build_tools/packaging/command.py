"""The verb `espalier package`. It imports torch only when it runs."""

import gc
from pathlib import Path
from typing import Annotated

import typer

from build_tools.errors import BuildError
from build_tools.repository.precision import Precision
from build_tools.repository.runtime import Runtime


def package(
    checkpoint: Annotated[Path, typer.Argument(help="A task checkpoint.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The artefact, a new file.", metavar="FILE")],
    repository: Annotated[
        Path | None,
        typer.Option(
            "--for",
            help="The repository that it is for, or a copy, which is only read: the branch is checked on its trunk, "
            "and a trunk comes along if that lacks the branch's tap.",
            metavar="DIR",
        ),
    ] = None,
    runtime: Annotated[
        Runtime | None, typer.Option(help="Without --for: the backend of the servers; openvino if left out.")
    ] = None,
    precision: Annotated[
        Precision | None,
        typer.Option(
            help="Precision of the branch; with --for that of the live version if left out, else fp32. auto: the "
            "fastest on this machine that gives the golden answers."
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(help="Where the encoder is, if not where the checkpoint says; with --for also for a new trunk."),
    ] = None,
) -> None:
    """Export and check a task checkpoint here, into one file that `espalier publish` takes where it is served."""
    if repository is not None and runtime is not None:
        raise BuildError("--for and --runtime exclude each other: the repository says what it runs.")
    gc.set_threshold(100_000)  # as for publish: torch's imports create a million objects, none of them garbage
    from build_tools.packaging.package_file import package_file

    artefact = package_file(
        checkpoint, output, repository, runtime or Runtime.OPENVINO, precision, encoder, report=typer.echo
    )
    record, manifest = artefact.record, artefact.manifest
    with_trunk = f", with a trunk with taps {', '.join(map(str, manifest.trunk.taps))}" if manifest.trunk else ""
    typer.echo(
        f"{record.task}: tap {record.tap}, {manifest.precision} for {manifest.runtime}{with_trunk} -> {output} "
        f"({manifest.sha256[:12]})"
    )
