"""Joint training on encoders that differ from BERT in more than their weights."""

from pathlib import Path

import pytest
from tiny_families import save_family

from training.baselines.joint_head import train_head
from training.baselines.joint_training import train_jointly
from training.data import TaskData
from training.encoder import load_encoder
from training.hyper_parameters import HyperParameters
from training.kinds import Kind
from training.prepared_task import PreparedTask


@pytest.mark.parametrize("family", ["roberta", "electra", "mpnet", "modernbert"])
def test_all_weights_are_trained_and_a_task_left_out_gets_a_head_on_them(
    family: str, tasks: dict[Kind, TaskData], brief: HyperParameters, tmp_path: Path
) -> None:
    encoder = load_encoder(str(save_family(family, tmp_path / "encoder")))
    before = {name: tensor.clone() for name, tensor in encoder.network.state_dict().items()}
    prepared = [PreparedTask(tasks[kind], kind.value, encoder, max_length=24) for kind in list(Kind)[:3]]

    trained, scores = train_jointly(prepared[:2], brief, "joint")

    assert scores.keys() == {task.name for task in prepared[:2]}
    after = trained.network.state_dict()
    kept = {name for name, tensor in after.items() if tensor.equal(before[name])}
    # The heads have poolers and final norms of their own. A second token type occurs in pairs alone.
    assert not {name for name in kept if not name.startswith(("pooler.", "norm."))}
    fit = train_head(prepared[2], trained, brief)
    assert fit.scores.keys() >= {prepared[2].metric}
    assert all(tensor.equal(trained.network.state_dict()[name]) for name, tensor in after.items())
