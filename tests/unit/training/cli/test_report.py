import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from training.baselines.joint_result import JointResult, write_joint_result
from training.cli import app
from training.errors import TrainingError
from training.kinds import Kind
from training.search.result import Cost, SearchResult, Trial, write_result


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["report", *(str(argument) for argument in arguments)])


def error_of(result: Result) -> str:
    """The one sentence that `espalier` prints."""
    assert result.exit_code == 1
    assert isinstance(result.exception, TrainingError), result.exception
    return str(result.exception)


@pytest.fixture
def searched(tmp_path: Path, task_folders: dict[Kind, Path]) -> Path:
    """A finished search without its checkpoints, beside a folder without a search."""
    trials = [
        Trial(
            role=role,
            layers=layers,
            learning_rate=5e-5,
            seed=0,
            state="finished",
            epochs={1: score},
            best_epoch=1,
            score=score,
            scores={"accuracy": score},
            seconds=1,
            checkpoint=f"checkpoints/{role}",
        )
        for role, layers, score in (("teacher", 2, 90.0), ("student", 1, 87.0))
    ]
    result = SearchResult(
        task="intent",
        kind=Kind.CLASSIFICATION,
        metric="accuracy",
        labels=["neg", "pos"],
        encoder="minilm",
        encoder_layers=6,
        data=str(task_folders[Kind.CLASSIFICATION]),
        data_sha256="0",
        train_rows=24,
        dev_rows=24,
        teacher=0,
        trials=trials,
        cost=Cost(hidden_states=1, teachers=1, teacher_logits=1, students=1),
    )
    root = tmp_path / "results"
    for name in ("intent", "not_yet"):
        (root / name).mkdir(parents=True)
    write_result(root / "intent", result)
    return root


def test_report_writes_a_page_and_says_where_and_what_is_left_out(searched: Path, tmp_path: Path) -> None:
    output = tmp_path / "report"
    result = invoke(searched, "--output", output, "--no-errors", "--threshold", 5, "--threshold", 1)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{output}/report.html\n"
    assert f"left out: {searched}/not_yet holds no search result" in result.stderr
    page = (output / "report.html").read_text(encoding="utf-8")
    assert '<th class="chosen">mixed (c = 5)</th>' in page
    assert "<th>mixed (c = 1)</th>" in page
    assert "not asked for (--no-errors)" in page


def test_without_thresholds_c_is_1_and_a_report_can_be_written_again(searched: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert invoke(searched / "intent", "--output", tmp_path / "report", "--no-errors").exit_code == 0
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert page.count("<th>mixed") + page.count('<th class="chosen">mixed (c = 1)</th>') == 1


def test_no_errors_loads_no_model(searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "training.report.predictions", None)  # its import would now fail
    assert invoke(searched, "--output", tmp_path / "report", "--no-errors").exit_code == 0


def test_without_the_option_a_lost_checkpoint_is_told_in_the_page(searched: Path, tmp_path: Path) -> None:
    result = invoke(searched, "--output", tmp_path / "report")
    assert result.exit_code == 0, result.output
    assert "intent: reading the errors of its branch" in result.stderr
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "checkpoints/teacher does not exist" in page


def test_help_needs_neither_torch_nor_matplotlib() -> None:
    program = "import sys, training.cli.report; print({'torch', 'matplotlib', 'jinja2'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_bad_input_is_refused_before_any_work_and_nothing_is_written(
    searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "report"
    assert "threshold must be 0 or more" in error_of(invoke(searched, "--output", output, "--threshold", -1))
    assert "holds no searched task" in error_of(invoke(tmp_path / "results" / "not_yet", "--output", output))
    other = JointResult(encoder="other", encoder_layers=6, full={}, leave_one_out={}, seconds=0)
    write_joint_result(searched, other)
    assert "different encoders" in error_of(invoke(searched, "--output", output))
    assert not output.exists()
    monkeypatch.chdir(tmp_path)
    assert "holds other things than an earlier report" in error_of(invoke("gone", "--output", "."))
