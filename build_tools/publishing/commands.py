"""The verbs that change a repository or report on it. Imports that need torch are inside the functions."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from build_tools.errors import BuildError
from build_tools.fleet.addresses import fleet_addresses
from build_tools.fleet.requirement import ALL
from build_tools.fleet.terms import PATIENCE_SECONDS, FleetOption, FleetTerms, PatienceOption, RequireOption
from build_tools.publishing.fleet_server import open_fleet
from build_tools.publishing.registry_transitions import KEPT
from build_tools.publishing.running_server import NoServer, RunningServer, Server, server_address
from build_tools.repository.control_key import read_control_key
from build_tools.repository.identity import ROUTER, identity_of
from build_tools.repository.precision import Precision
from build_tools.repository.registry import CanaryTerms, read_registry
from build_tools.repository.serving_lock import is_open, not_served
from build_tools.repository.triton_config import read_config
from training.validation import first_problem

RepositoryFolder = Annotated[Path, typer.Option(help="The model repository.", metavar="DIR")]
Url = Annotated[str | None, typer.Option(help="gRPC host:port of the server that serves it; leave out if none runs.")]
REPOSITORY = Path("model_repository")
_TERMS = CanaryTerms(share=1)  # only its defaults are used


def publish(
    source: Annotated[
        Path,
        typer.Argument(
            help="An artefact of espalier package (a file), or a task checkpoint (a folder), which is packaged first.",
            metavar="CHECKPOINT",
        ),
    ],
    repository: RepositoryFolder = REPOSITORY,
    url: Url = None,
    fleet: FleetOption = None,
    require: RequireOption = ALL,
    patience: PatienceOption = PATIENCE_SECONDS,
    canary: Annotated[
        str | None,
        typer.Option(help="Publish it as a canary that answers this share of the texts, such as 10%.", metavar="SHARE"),
    ] = None,
    max_error_rate: Annotated[
        str, typer.Option(help="Withdraw the canary if more of its answers than this are errors.", metavar="SHARE")
    ] = f"{_TERMS.max_error_rate:.0%}",
    max_latency: Annotated[
        float,
        typer.Option(
            help="Withdraw the canary if its calls take longer than this on average.", metavar="MS", min=0.001
        ),
    ] = _TERMS.max_milliseconds,
    judged_after: Annotated[
        int, typer.Option(help="Answers after which each router process judges the canary.", min=1)
    ] = _TERMS.minimum,
    max_label_shift: Annotated[
        str,
        typer.Option(
            help="Withdraw the canary if its labels are spread otherwise than the live version's by more than this.",
            metavar="SHARE",
        ),
    ] = f"{_TERMS.max_label_shift:.0%}",
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Compute it beside the live version, for comparison only.")
    ] = False,
    precision: Annotated[
        Precision | None,
        typer.Option(help="Of a checkpoint: precision of the branch; that of the live version if left out."),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Of a checkpoint: encoder for a new tap, a deeper trunk or a new trunk; the trunk's own if left out."
        ),
    ] = None,
    keep: Annotated[int, typer.Option(help="Versions of the task to keep on disk.", min=3)] = KEPT,
    redefine: Annotated[
        bool, typer.Option("--redefine", help="Its kind, labels or data may be others than the live version's.")
    ] = False,
) -> None:
    """Publish an artefact or a task checkpoint as a new version of its task, on a running server or the next one."""
    if canary is not None and shadow:
        raise BuildError("--canary and --shadow exclude each other: a shadow answers no texts.")
    # The imports create a million objects, none of them garbage: searching them again and again takes seconds.
    gc.set_threshold(100_000)
    from build_tools.publishing.publish import publish as publish_version

    terms = None
    if canary is not None:
        share = parse_share("--canary", canary)
        if not share:
            raise BuildError("--canary 0% would send it no text: give a larger share, or use --shadow.")
        error_rate = parse_share("--max-error-rate", max_error_rate)
        label_shift = parse_share("--max-label-shift", max_label_shift)
        try:
            terms = CanaryTerms(
                share=share,
                max_error_rate=error_rate,
                max_milliseconds=max_latency,
                minimum=judged_after,
                max_label_shift=label_shift,
            )
        except ValidationError as error:
            raise BuildError(
                f"no canary can be judged by these bounds ({first_problem(error)}): give another --max-latency or "
                "--judged-after."
            ) from None
    with changed_server(url, repository, FleetTerms.of_options(fleet, require, patience)) as server:
        task, version = publish_version(
            source, repository, server, terms, shadow, precision, encoder, keep, redefine, report=typer.echo
        )
    state = f"answers {100 * terms.share:.3g}% of the texts" if terms else "is a shadow" if shadow else "is live"
    typer.echo(f"{task}: version {version} {state}")


def promote(
    task: Annotated[str, typer.Argument(help="The task whose canary or shadow goes live.")],
    repository: RepositoryFolder = REPOSITORY,
    url: Url = None,
    fleet: FleetOption = None,
    require: RequireOption = ALL,
    patience: PatienceOption = PATIENCE_SECONDS,
) -> None:
    """Make a task's canary or shadow live."""
    from build_tools.publishing.promote import promote as promote_candidate

    with changed_server(url, repository, FleetTerms.of_options(fleet, require, patience)) as server:
        version = promote_candidate(task, repository, server, report=typer.echo)
    typer.echo(f"{task}: version {version} is live")


def rollback(
    task: Annotated[str, typer.Argument(help="The task to roll back.")],
    repository: RepositoryFolder = REPOSITORY,
    url: Url = None,
    fleet: FleetOption = None,
    require: RequireOption = ALL,
    patience: PatienceOption = PATIENCE_SECONDS,
    live: Annotated[
        bool, typer.Option("--live", help="Undo the live version even if the last change was a withdrawn canary.")
    ] = False,
) -> None:
    """End a task's canary or shadow; without one, make its previous version live again."""
    from build_tools.publishing.rollback import rollback as roll_back

    with changed_server(url, repository, FleetTerms.of_options(fleet, require, patience)) as server:
        dropped, now_live = roll_back(task, repository, server, live, report=typer.echo)
    typer.echo(f"{task}: version {dropped} is rolled back, version {now_live} is live")


def retire(
    task: Annotated[str, typer.Argument(help="The task to remove.")],
    repository: RepositoryFolder = REPOSITORY,
    url: Url = None,
    fleet: FleetOption = None,
    require: RequireOption = ALL,
    patience: PatienceOption = PATIENCE_SECONDS,
) -> None:
    """Remove a task from the router, from Triton's memory and from the disk. Publish its checkpoint to restore it."""
    from build_tools.publishing.retire import retire as retire_task

    with changed_server(url, repository, FleetTerms.of_options(fleet, require, patience)) as server:
        retire_task(task, repository, server, report=typer.echo)
    typer.echo(f"{task} is retired")


def status(
    repository: RepositoryFolder = REPOSITORY,
    url: Annotated[
        str | None, typer.Option(help="gRPC host:port of the server, to show loaded versions and counts.")
    ] = None,
    fleet: FleetOption = None,
    metrics_port: Annotated[int, typer.Option(help="The server's metrics port.", min=1, max=65535)] = 8002,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it live on one screen; needs --url or --fleet. Ctrl-C ends.")
    ] = False,
    every: Annotated[float, typer.Option(help="With --watch: seconds between two looks.", min=0.5)] = 2.0,
) -> None:
    """Show each task's versions, their origin, and how they perform; with --fleet each server's state too."""
    if watch and json:
        raise BuildError("--watch and --json exclude each other: a program asks again with --json.")
    if fleet is not None:
        if url is not None:
            raise BuildError("--url and --fleet exclude each other: --url shows one server, --fleet all of them.")
        from build_tools.publishing.status_of_fleet import show_fleet

        show_fleet(repository, fleet_addresses(fleet), as_json=json, every=every if watch else None)
        return
    from pydantic import TypeAdapter
    from rich.console import Console

    from build_tools.publishing.metrics_page import read_metrics
    from build_tools.publishing.status import TaskStatus, read_status
    from build_tools.publishing.status_table import print_status, status_console

    metrics_url = None if url is None else replace(server_address(url), port=metrics_port).target
    if watch:
        if url is None or metrics_url is None:
            raise BuildError("--watch shows a running server: give its address as --url, or those of a --fleet.")
        from build_tools.publishing.status_watch import watch_status

        watch_status(repository, url, metrics_url, every, Console())
        return
    found = read_status(repository, read_registry(repository), url, read_metrics(metrics_url) if metrics_url else None)
    if json:
        typer.echo(TypeAdapter(list[TaskStatus]).dump_json(found, indent=2).decode())
    else:
        print_status(found, status_console())


def verify(
    repository: Annotated[Path, typer.Argument(help="The model repository.", metavar="DIR")] = REPOSITORY,
    url: Annotated[
        str | None, typer.Option(help="gRPC host:port of the server, to ask each loaded version its golden examples.")
    ] = None,
) -> None:
    """Check every file of a repository against its manifest, and with --url what its server answers."""
    from build_tools.publishing.verify import verify as find_problems
    from build_tools.publishing.verify import wrong_answers

    problems = find_problems(repository)
    if url is not None:
        with RunningServer(url, read_control_key(repository)) as server:
            problems += wrong_answers(repository, server)
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo(f"{repository}: every file is as it was built or published")
    if url is not None:
        typer.echo(f"{url}: every loaded version answers as its golden examples say")


def upgrade(
    repository: Annotated[Path, typer.Argument(help="The model repository.", metavar="DIR")] = REPOSITORY,
    url: Url = None,
    checkpoints: Annotated[
        list[Path] | None,
        typer.Option(
            help="Task checkpoints, or folders of them: the versions made of them get golden examples.", metavar="DIR"
        ),
    ] = None,
) -> None:
    """Bring a repository of an earlier release to this one, also while it is served."""
    from build_tools.publishing.upgrade import upgrade as upgrade_repository

    with changed_server(url, repository, also_earlier=True) as server:
        changed = upgrade_repository(repository, server, checkpoints or [], report=typer.echo)
    typer.echo(f"{repository} is {'now' if changed else 'already'} as this release makes it")


@contextmanager
def changed_server(
    url: str | None, repository: Path, fleet: FleetTerms | None = None, also_earlier: bool = False
) -> Iterator[Server]:
    """Yields the server of a repository that is about to be changed; without url and fleet a NoServer.

    also_earlier: the repository may be of the earlier format. Raises BuildError if the server, or one of the fleet's,
    serves another one; or if no server is named and one has it open.
    """
    read_registry(repository, also_earlier)  # reports what is wrong with the folder, before anything is written there
    if fleet is not None:
        if url is not None:
            raise BuildError(
                "--url and --fleet exclude each other: a fleet's servers load what is published themselves."
            )
        with open_fleet(repository, fleet, typer.echo) as servers:
            yield servers
    elif url is None:
        with not_served(repository, typer.echo):
            yield NoServer()
    else:
        with RunningServer(url, read_control_key(repository)) as server:
            if identity_of(server.config(ROUTER)) != identity_of(read_config(repository / ROUTER)):
                raise BuildError(f"the server at {url} does not serve {repository} but another repository.")
            if not is_open(repository):
                raise BuildError(
                    f"no server has {repository} open: the one at {url} serves a copy, which this command would not "
                    "change. Run it where the server's own folder is."
                )
            yield server


def parse_share(option: str, value: str) -> float:
    """Returns 0.1 for "10%" and "0.1". Raises BuildError for anything outside 0..1."""
    text = value.strip()
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise BuildError(f"{option} {value!r} is not a share: give a percentage such as 10%, or a number from 0 to 1.")
    return share
