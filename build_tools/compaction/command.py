"""The verb `espalier compact`."""

import os
from typing import Annotated

import typer

from build_tools.errors import BuildError
from build_tools.fleet.requirement import ALL
from build_tools.fleet.terms import PATIENCE_SECONDS, FleetOption, FleetTerms, PatienceOption, RequireOption
from build_tools.publishing.commands import REPOSITORY, RepositoryFolder, Url, changed_server, parse_share
from build_tools.repository.registry import KEEP_LOADED_SECONDS

_NICE = 10  # serving goes first


def compact(
    repository: RepositoryFolder = REPOSITORY,
    url: Url = None,
    fleet: FleetOption = None,
    require: RequireOption = ALL,
    patience: PatienceOption = PATIENCE_SECONDS,
    tasks: Annotated[
        str | None,
        typer.Option(help="Hold only these tasks, separated by commas; all if left out.", metavar="TASK,..."),
    ] = None,
    keep_loaded: Annotated[
        int,
        typer.Option(
            help="Keep the previous versions' branch models loaded for so long, for quick rollbacks.",
            metavar="SECONDS",
            min=0,
        ),
    ] = KEEP_LOADED_SECONDS,
    when_needed: Annotated[
        str, typer.Option(help="Do nothing unless more than this share of the tasks runs outside.", metavar="SHARE")
    ] = "0%",
) -> None:
    """Fold the live branches and their trunk into one graph: fewer processes, less memory, the same answers."""
    from build_tools.compaction.compact import compact as compact_repository

    needed = parse_share("--when-needed", when_needed)
    chosen = None if tasks is None else [task.strip() for task in tasks.split(",") if task.strip()]
    if chosen == []:
        raise BuildError("--tasks names no task: give some, separated by commas, or leave it out for all.")
    with changed_server(url, repository, FleetTerms.of_options(fleet, require, patience)) as server:
        os.nice(_NICE)
        done = compact_repository(repository, server, chosen, keep_loaded, needed, report=typer.echo)
    for model in sorted(set(done.values())):
        inside = sorted(task for task, one in done.items() if one == model)
        typer.echo(f"{model}: {len(inside)} {'task' if len(inside) == 1 else 'tasks'} ({', '.join(inside)})")
