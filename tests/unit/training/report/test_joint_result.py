from pathlib import Path

import pytest

from training.baselines.joint_result import JointResult, read_joint_result, write_joint_result
from training.errors import TrainingError

RESULT = JointResult(encoder="minilm", encoder_layers=6, full={"rte": 70.5}, leave_one_out={"rte": 50.25}, seconds=12.5)


def test_a_result_is_read_as_it_was_written_and_replaces_the_one_before(tmp_path: Path) -> None:
    write_joint_result(tmp_path, RESULT)
    later = RESULT.model_copy(update={"seconds": 20.0})
    write_joint_result(tmp_path, later)
    assert read_joint_result(tmp_path) == later
    assert [path.name for path in tmp_path.iterdir()] == ["joint.json"]


def test_where_no_joint_model_was_trained_there_is_none(tmp_path: Path) -> None:
    assert read_joint_result(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"format_version": 1', "joint.json is damaged"),
        ('{"format_version": 1, "encoder": "minilm"}', "joint.json: encoder_layers: Field required"),
        ("[]", "joint.json: "),
    ],
)
def test_a_damaged_file_is_named_with_the_field(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "joint.json").write_text(content)
    with pytest.raises(TrainingError, match=message):
        read_joint_result(tmp_path)
