"""The verbs of build_tools."""

import typer

from build_tools.build.command import build
from build_tools.compaction.command import compact
from build_tools.packaging.command import package
from build_tools.publishing.commands import promote, publish, retire, rollback, status, upgrade, verify
from build_tools.serving.command import serve
from build_tools.serving.keys_command import keys
from build_tools.tending.command import hand_in, tend

app = typer.Typer()
for verb in (
    build,
    package,
    serve,
    publish,
    promote,
    rollback,
    retire,
    compact,
    tend,
    hand_in,
    status,
    verify,
    upgrade,
):
    app.command()(verb)
app.add_typer(keys, name="keys")
