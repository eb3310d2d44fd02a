"""The verbs of training.

Modules that need torch are imported inside the verbs, so that `espalier --help` and `espalier predict` answer at once,
also where torch is not installed.
"""

import typer

from training.cli import joint, report, search, select, train

app = typer.Typer()
for verbs in (train, search, joint, select, report):
    app.add_typer(verbs.app)
