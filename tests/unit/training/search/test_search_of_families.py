"""A whole search, with both baselines, on an encoder of each family beside BERT."""

from pathlib import Path

import pytest
from tiny_families import save_family
from typer.testing import CliRunner

from training.checkpoint import load_checkpoint
from training.cli import app
from training.encoder import load_encoder
from training.kinds import Kind
from training.search.result import read_result
from training.trunk_fit import check_trunk


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        ("roberta", Kind.TAGGING),
        ("xlm-roberta", Kind.TAGGING),
        ("distilbert", Kind.PAIR_CLASSIFICATION),
        ("electra", Kind.TAGGING),
        ("mpnet", Kind.PAIR_CLASSIFICATION),
        ("modernbert", Kind.PAIR_CLASSIFICATION),
    ],
)
def test_teachers_students_and_baselines_are_trained_to_the_end(
    family: str, kind: Kind, task_folders: dict[Kind, Path], tmp_path: Path
) -> None:
    folder = save_family(family, tmp_path / "encoder")
    settings = "--teacher-layers 2 --student-layers 1 --epochs 1-1 --max-length 32 --baseline full --baseline vanilla"
    arguments = ["search", str(task_folders[kind]), "--encoder", str(folder), "--output", str(tmp_path / "found")]
    ended = CliRunner().invoke(app, [*arguments, *settings.split()])
    assert ended.exit_code == 0, ended.output
    result = read_result(tmp_path / "found")
    assert sorted(trial.role for trial in result.trials) == ["full", "student", "teacher", "vanilla"]
    encoder = load_encoder(str(folder))
    for trial in result.trials:
        if trial.checkpoint is not None and trial.role != "full":  # that one has no trunk
            check_trunk(load_checkpoint(tmp_path / "found" / trial.checkpoint), encoder)
