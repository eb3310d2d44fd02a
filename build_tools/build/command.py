"""The verb `espalier build`. What needs torch is imported inside it."""

from pathlib import Path
from typing import Annotated

import typer

from build_tools.repository.precision import Precision
from build_tools.repository.runtime import Runtime


def build(
    checkpoints: Annotated[list[Path], typer.Argument(help="Task checkpoints, one per task, or suite files.")],
    repository: Annotated[Path, typer.Option(help="Where the model repository goes.")] = Path("model_repository"),
    encoder: Annotated[str | None, typer.Option(help="The checkpoints' own, if not given.")] = None,
    runtime: Annotated[Runtime, typer.Option(help="What runs trunk and branches.")] = Runtime.OPENVINO,
    precision: Annotated[
        Precision, typer.Option(help="What they compute in; auto: the fastest that gives the golden answers.")
    ] = Precision.FP32,
    data: Annotated[
        Path | None, typer.Option(help="Holds the tasks' data folders, to check their dev metric as well.")
    ] = None,
    router_instances: Annotated[
        int | None,
        typer.Option(help="Processes of each router, one batch in flight each; as the cores allow if not given."),
    ] = None,
) -> None:
    """Build a model repository for Triton from task checkpoints, or from what `espalier select` chose."""
    from build_tools.build.builder import build as build_repository
    from build_tools.build.suite_checkpoints import checkpoint_folders

    registry = build_repository(
        checkpoint_folders(checkpoints),
        repository,
        encoder,
        runtime,
        precision,
        data,
        router_instances,
        report=typer.echo,
    )
    typer.echo(f"{len(registry.tasks)} tasks -> {repository}")
