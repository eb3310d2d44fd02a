import json
import zipfile

import pytest
from typer.testing import CliRunner

from build_tools.build import builder
from build_tools.build.suite_checkpoints import checkpoint_folders
from build_tools.cli import app
from build_tools.errors import BuildError
from training.checkpoint import Checkpoint, save_checkpoint
from training.errors import TrainingError
from training.model import Branch


@pytest.fixture
def save(tmp_path, encoder, make_record):
    """save("x", task=...) saves a teacher's untrained checkpoint of 1 layer in results/x."""

    def save(name, **given):
        folder = tmp_path / "results" / name
        branch = Branch(encoder.architecture, 2, 1, 2, per_token=False)
        record = make_record(**given)
        save_checkpoint(folder, Checkpoint(record=record, branch=branch, tokenizer=encoder.tokenizer, golden=[]))
        return folder

    return save


@pytest.fixture
def write(tmp_path):
    """write({task: checkpoint}) writes a suite of teachers of 1 layer; what is given replaces an entry's fields."""

    def write(checkpoints, **given):
        path = tmp_path / "suites" / "suite.json"
        path.parent.mkdir()
        entry = {"role": "teacher", "layers": 1, "score": 50.0, **given}
        tasks = {task: {"checkpoint": checkpoint, **entry} for task, checkpoint in checkpoints.items()}
        path.write_text(json.dumps({"format_version": 2, "threshold": 1, "tasks": tasks}))
        return path

    return write


def test_suites_and_folders_are_taken_in_the_order_given(save, write, tmp_path):
    intent, domain, extra = save("a", task="intent"), save("b", task="domain"), tmp_path / "extra"
    suite = write({"intent": "../results/a", "domain": str(domain)})

    assert checkpoint_folders([extra, suite]) == [extra, intent, domain]


def test_a_link_to_a_suite_reads_as_the_suite_does(save, write, tmp_path):
    intent = save("a", task="intent")
    (tmp_path / "link.json").symlink_to(write({"intent": "../results/a"}))

    assert checkpoint_folders([tmp_path / "link.json"]) == [intent]


def test_a_missing_checkpoint_names_suite_task_and_folder(write, tmp_path):
    suite = write({"intent": "../results/a"})

    with pytest.raises(BuildError, match=rf"suite\.json: the checkpoint of intent is missing \({tmp_path}/results/a "):
        checkpoint_folders([suite])


@pytest.mark.parametrize(
    ("task", "given"), [("intent", {"layers": 2}), ("intent", {"role": "student"}), ("domain", {})]
)
def test_a_checkpoint_that_is_not_the_one_chosen_is_refused(save, write, task, given):
    save("a", task="intent")
    suite = write({task: "../results/a"}, **given)

    with pytest.raises(BuildError, match=rf"entry of {task} is a .* holds a teacher of intent \(layers: 1\)"):
        checkpoint_folders([suite])


def test_a_damaged_suite_or_checkpoint_is_named(save, write, tmp_path):
    (save("a", task="intent") / "golden.jsonl").write_text("changed")
    with pytest.raises(TrainingError, match=r"golden\.jsonl is damaged"):
        checkpoint_folders([write({"intent": "../results/a"})])

    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(TrainingError, match=r"notes\.txt is not a suite file"):
        checkpoint_folders([tmp_path / "notes.txt"])


def test_build_is_given_the_suites_checkpoints(save, write, tmp_path, monkeypatch):
    intent = save("a", task="intent")
    asked = []

    def build(folders, *_, **__):
        asked.extend(folders)
        raise BuildError("far enough")

    monkeypatch.setattr(builder, "build", build)
    result = CliRunner().invoke(app, ["build", str(write({"intent": "../results/a"})), str(tmp_path / "extra")])

    assert str(result.exception) == "far enough"
    assert asked == [intent, tmp_path / "extra"]


def test_an_artefact_is_sent_to_publish(tmp_path):
    with zipfile.ZipFile(tmp_path / "intent.espalier", "w") as archive:
        archive.writestr("artefact.json", "{}")

    with pytest.raises(BuildError, match="is an artefact: build takes task checkpoints"):
        checkpoint_folders([tmp_path / "intent.espalier"])
