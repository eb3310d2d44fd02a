"""MT-DNN's network: one encoder that all tasks train, and a head for each task (Liu et al. 2019, section 3)."""

import copy
from collections.abc import Sequence

import torch
from torch import nn

from training.batches import Inputs
from training.encoder import Encoder
from training.kinds import Kind
from training.model import Trunk, new_branch
from training.prepared_task import PreparedTask
from training.task_model import TaskModel


class SharedEncoder(nn.Module):
    """The embeddings and all layers of an encoder, trained in place."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.trunk = Trunk(encoder, [encoder.layers]).requires_grad_(requires_grad=True)

    def forward(self, inputs: Inputs) -> torch.Tensor:
        """Returns the hidden states after the last layer, float32 [B, T, H]."""
        return self.trunk(inputs.input_ids, inputs.attention_mask, inputs.token_type_ids)[-1]


class JointModel(nn.Module):
    """The model of all tasks. Each head is a branch without layers.

    encoder: a copy of the encoder given, whose weights are trained except for its pooler; the heads have poolers of
    their own. task_models: one per task, in the order given; it maps inputs to logits.
    """

    def __init__(self, encoder: Encoder, tasks: Sequence[PreparedTask]) -> None:
        super().__init__()
        self.encoder = Encoder(encoder.name, copy.deepcopy(encoder.network), encoder.tokenizer)
        self.shared = SharedEncoder(self.encoder)
        heads = [new_branch(encoder, encoder.layers, task.outputs, task.kind is Kind.TAGGING) for task in tasks]
        self.heads = nn.ModuleList(heads)
        # A plain list: submodules would put the shared weights into the state once per task.
        self.task_models = [TaskModel(self.shared, head) for head in heads]
