"""The verbs of build_tools."""

import typer

from build_tools.build.command import build
from build_tools.publishing.commands import promote, publish, retire, rollback, status, upgrade, verify
from build_tools.serving.command import serve

app = typer.Typer()
for verb in (build, serve, publish, promote, rollback, retire, status, verify, upgrade):
    app.command()(verb)
