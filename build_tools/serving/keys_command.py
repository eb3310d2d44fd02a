"""The verbs `espalier keys add`, `list` and `remove`."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from filelock import FileLock
from rich.console import Console
from rich.table import Table

from build_tools.errors import BuildError
from build_tools.serving.gate.key_file import (
    ClientKey,
    KeyFile,
    check_name,
    new_key,
    read_key_file,
    sha256_of,
    write_key_file,
)
from clients.cli_tasks import read_tasks

keys = typer.Typer(help="Client keys of a server: who may ask it, and what.", no_args_is_help=True)

_File = Annotated[Path, typer.Option("--keys", help="The file of keys, as `serve --keys` takes it.", metavar="FILE")]
_DEFAULT = Path("keys.json")


@keys.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the client, for logs and metrics.")],
    file: _File = _DEFAULT,
    tasks: Annotated[str | None, typer.Option(help="Tasks it may ask, joined by commas; all if left out.")] = None,
    max_in_flight: Annotated[
        int | None, typer.Option(help="Its requests inside the server at once; no bound of its own if left out.", min=1)
    ] = None,
) -> None:
    """Make a key for a client and print it. It is shown this once; the file keeps only its SHA-256."""
    check_name(name)
    names = read_tasks(tasks)
    for task in names or ():
        check_name(task)
    with _changing(file):
        found = read_key_file(file) if file.exists() else KeyFile()
        if any(key.name == name for key in found.keys):
            raise BuildError(f"{file} has a key named {name} already: remove it first, or take another name")
        key = new_key()
        allowed = None if names is None else tuple(sorted(set(names)))
        client = ClientKey(name=name, sha256=sha256_of(key), tasks=allowed, max_in_flight=max_in_flight)
        write_key_file(file, KeyFile(keys=(*found.keys, client)))
    typer.echo(f"{name} -> {file}. This is its key, shown only now:", err=True)
    typer.echo(key)


@keys.command("list")
def list_keys(
    file: _File = _DEFAULT, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """List the clients that have a key, what they may ask, and their bounds."""
    found = read_key_file(file).keys
    if as_json:
        typer.echo(json.dumps([key.model_dump(exclude={"sha256"}) for key in found], indent=2))
        return
    table = Table("name", "tasks", "in flight", box=None)
    for key in found:
        bound = "no bound" if key.max_in_flight is None else str(key.max_in_flight)
        table.add_row(key.name, "all" if key.tasks is None else ", ".join(key.tasks), bound)
    Console(width=None if sys.stdout.isatty() else 200).print(table)


@keys.command()
def remove(
    name: Annotated[str, typer.Argument(help="Name of the client.")],
    file: _File = _DEFAULT,
) -> None:
    """Remove a client's key. A server that runs refuses it within a second."""
    with _changing(file):
        found = read_key_file(file)
        kept = tuple(key for key in found.keys if key.name != name)
        if len(kept) == len(found.keys):
            names = ", ".join(key.name for key in found.keys) or "none"
            raise BuildError(f"{file} has no key named {name!r}: it has {names}")
        write_key_file(file, KeyFile(keys=kept))
    typer.echo(f"{name} is removed from {file}.")


@contextmanager
def _changing(file: Path) -> Iterator[None]:
    """Lets one command at a time change the file. Raises BuildError if its folder does not exist."""
    if not file.absolute().parent.is_dir():
        raise BuildError(f"there is no folder {file.absolute().parent}: make it first, or give another --keys")
    with FileLock(file.with_name(f".{file.name}.lock"), mode=0o600):
        yield
