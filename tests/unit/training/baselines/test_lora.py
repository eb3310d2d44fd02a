from dataclasses import replace

import pytest
import torch

from training.baselines.lora import train_lora
from training.data import TaskData
from training.encoder import Encoder
from training.hyper_parameters import HyperParameters, TrainingPrecision
from training.kinds import Kind
from training.model import new_branch
from training.prepared_task import PreparedTask


@pytest.mark.parametrize("precision", [TrainingPrecision.FP32, TrainingPrecision.BF16])
@pytest.mark.parametrize("kind", list(Kind))
def test_adapters_change_queries_and_values_alone_and_are_merged_into_them(
    tasks: dict[Kind, TaskData], encoder: Encoder, brief: HyperParameters, kind: Kind, precision: TrainingPrecision
) -> None:
    task = PreparedTask(tasks[kind], "task", encoder, max_length=24)
    model, result = train_lora(task, replace(brief, precision=precision))
    assert list(result.epochs) == [1, 2]
    assert task.scores(model)[task.metric] == pytest.approx(result.scores[task.metric], abs=0.01)  # merged or beside
    pretrained = new_branch(encoder, 0, task.outputs, per_token=kind is Kind.TAGGING).layers.state_dict()
    after = model.branch.layers.state_dict()
    assert after.keys() == pretrained.keys()
    changed = {name for name in after if not torch.equal(after[name], pretrained[name])}
    adapted = {f"{layer}.attention.{part}.weight" for layer in range(4) for part in ("query", "value")}
    assert changed == adapted
    embeddings = encoder.network.embeddings.state_dict()
    assert all(torch.equal(one, embeddings[name]) for name, one in model.embeddings.state_dict().items())
