"""The verb `espalier build`. It imports torch only when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from build_tools.repository.device import Device
from build_tools.repository.precision import Precision
from build_tools.repository.runtime import Runtime


def build(
    checkpoints: Annotated[list[Path], typer.Argument(help="Task checkpoints, one per task, or suite files.")],
    repository: Annotated[Path, typer.Option(help="The model repository to create.")] = Path("model_repository"),
    encoder: Annotated[str | None, typer.Option(help="Name or folder. Default: as in the checkpoints.")] = None,
    runtime: Annotated[
        Runtime | None,
        typer.Option(help="The backend that runs trunk and branches. Default: openvino; for a GPU onnxruntime."),
    ] = None,
    precision: Annotated[
        Precision | None,
        typer.Option(
            help="Their number format. auto: the fastest that gives the golden answers. Default: fp32; for a GPU fp16."
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder with the tasks' data folders, to check their dev metrics too.")
    ] = None,
    router_instances: Annotated[
        int | None,
        typer.Option(help="Processes per router, each with one batch in flight. Default: one per two cores, 2 to 8."),
    ] = None,
    compact: Annotated[
        bool, typer.Option("--compact", help="Then make one graph of trunk and branches, as espalier compact does.")
    ] = False,
    device: Annotated[
        Device, typer.Option(help="What they run on. gpu: an NVIDIA GPU, in NVIDIA's container.")
    ] = Device.CPU,
) -> None:
    """Build a model repository for Triton from task checkpoints, or from what `espalier select` chose."""
    from build_tools.build.builder import build as build_repository
    from build_tools.build.suite_checkpoints import checkpoint_folders

    registry = build_repository(
        checkpoint_folders(checkpoints),
        repository,
        encoder,
        runtime or device.runtime,
        precision or device.precision,
        data,
        router_instances,
        compact,
        device=device,
        report=typer.echo,
    )
    typer.echo(f"{len(registry.tasks)} {'task' if len(registry.tasks) == 1 else 'tasks'} -> {repository}")
