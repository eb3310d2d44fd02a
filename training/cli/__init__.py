"""The verbs of training.

Modules that need torch are imported inside the verbs, so that `espalier --help` and `espalier predict` answer at once,
also where torch is not installed.
"""

import typer

from training.cli import distill, evaluate, finetune, joint, report, sample_suite, search, select

app = typer.Typer()
for verbs in (sample_suite, finetune, distill, evaluate, search, joint, select, report):
    app.add_typer(verbs.app)
