"""The verbs `espalier tend` and `espalier hand-in`. Imports of what publishes are inside the functions."""

import signal
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from filelock import FileLock, Timeout

from build_tools.errors import BuildError
from build_tools.fleet.requirement import ALL
from build_tools.fleet.terms import PATIENCE_SECONDS, FleetTerms, PatienceOption, RequireOption
from build_tools.publishing.commands import REPOSITORY, RepositoryFolder, parse_share
from build_tools.repository.locking import writing_to
from build_tools.repository.registry import CanaryTerms, read_registry
from build_tools.stop_signals import stop_signals
from build_tools.tending.case import Options, read_file
from build_tools.tending.compaction_process import CompactionProcess
from build_tools.tending.hand_in import hand_in as put_in
from build_tools.tending.hand_in import wait_for
from build_tools.tending.inbox import Inbox

TEND_LOCK = "tend.lock"
_FleetAddresses = Annotated[
    str,
    typer.Option(
        help="HTTP addresses of the servers (`espalier serve --replica`), or a name that resolves to all of them.",
        metavar="ADDRESS,...",
    ),
]


def tend(
    fleet: _FleetAddresses,
    repository: RepositoryFolder = REPOSITORY,
    inbox: Annotated[
        Path | None, typer.Option(help="Publish the artefacts that are put into this folder.", metavar="DIR")
    ] = None,
    compact_when: Annotated[
        str | None, typer.Option(help="Compact when more than this share of the tasks runs outside.", metavar="SHARE")
    ] = None,
    require: RequireOption = ALL,
    patience: PatienceOption = PATIENCE_SECONDS,
) -> None:
    """Keep a fleet's repository: publish what is handed in, judge canaries by all servers, mend, compact."""
    from build_tools.tending.tend import tend as keep

    terms = FleetTerms.of_options(fleet, require, patience)
    assert terms is not None  # there is a fleet
    compaction = None
    if compact_when is not None:
        same = {"--repository": repository, "--fleet": fleet, "--require": require, "--patience": patience}
        arguments = [str(one) for option in same.items() for one in option]
        compaction = CompactionProcess(parse_share("--compact-when", compact_when), arguments, _report)
    read_registry(repository)  # says what is wrong with the folder, before anything is written there
    ended = threading.Event()
    for number in (signal.SIGINT, *stop_signals()):
        signal.signal(number, lambda *_: ended.set())  # what has begun is completed
    lock = FileLock(repository / TEND_LOCK)
    try:
        with writing_to(repository):
            lock.acquire(timeout=0)
    except Timeout:
        raise BuildError(f"another espalier tend keeps {repository} already: one is enough.") from None
    try:
        keep(repository, terms, None if inbox is None else Inbox(inbox), compaction, ended, _report)
    finally:
        lock.release()
    typer.echo("Stopped.")


def hand_in(
    artefact: Annotated[Path, typer.Argument(help="A file of espalier package.")],
    inbox: Annotated[Path, typer.Option(help="The folder from which espalier tend publishes.", metavar="DIR")],
    canary: Annotated[
        str | None,
        typer.Option(help="Publish it as a canary that answers this share of the texts, such as 10%.", metavar="SHARE"),
    ] = None,
    options: Annotated[
        Path | None,
        typer.Option(help="More options of the publish, as JSON: see docs/fleet.md.", metavar="FILE"),
    ] = None,
    wait: Annotated[
        float, typer.Option(help="Wait so long for what comes of it; 0 does not wait.", metavar="SECONDS", min=0)
    ] = 0,
) -> None:
    """Hand an artefact to the espalier tend that keeps a fleet's repository."""
    given = Options() if options is None else read_file(options, Options)
    if canary is not None:
        if given.canary is not None or given.shadow:
            raise BuildError(f"--canary and {options} both say how to try it first: leave one out.")
        share = parse_share("--canary", canary)
        if not share:
            raise BuildError("--canary 0% would send it no text: give a larger share.")
        given = given.model_copy(update={"canary": CanaryTerms(share=share)})
    name = put_in(artefact, inbox, given)
    typer.echo(f"{artefact} waits in {inbox} as {name}")
    if wait:
        outcome = wait_for(inbox, name, wait)
        if outcome.version is None:
            raise BuildError(f"{artefact} is refused: {outcome.problem}")
        after = f", but {outcome.problem}" if outcome.problem else ""
        typer.echo(f"{outcome.task}: version {outcome.version} is published{after}")


def _report(event: str) -> None:
    """One line on standard error for each event, with the time."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    with suppress(OSError):  # who reads the events may have ended, or the disk is full: tend goes on
        print(f"{now} tend {event}", file=sys.stderr, flush=True)
