"""A task's whole model, as it is trained and evaluated: inputs -> logits."""

import copy
from collections.abc import Callable

import torch
from torch import nn

from training.batches import Inputs
from training.encoder import Encoder
from training.model import Branch, Trunk, additive_mask, new_branch

# inputs -> hidden states at one tap, float32 [B, T, H]; values at padding are arbitrary
HiddenStates = Callable[[Inputs], torch.Tensor]


class ComputedStates:
    """Runs the trunk up to its deepest tap, every time."""

    def __init__(self, trunk: Trunk) -> None:
        self.trunk = trunk

    @torch.no_grad()
    def __call__(self, inputs: Inputs) -> torch.Tensor:
        return self.trunk(inputs.input_ids, inputs.attention_mask, inputs.token_type_ids)[-1]


class ContinuedStates:
    """Goes on from hidden states at a lower tap."""

    def __init__(self, lower: HiddenStates, encoder: Encoder, tap: int, higher: int, device: torch.device) -> None:
        self.lower = lower
        self.layers = [layer.to(device) for layer in encoder.network.layers[tap:higher]]

    @torch.no_grad()
    def __call__(self, inputs: Inputs) -> torch.Tensor:
        hidden, mask = self.lower(inputs), additive_mask(inputs.attention_mask)
        for layer in self.layers:
            hidden = layer(hidden, mask)
        return hidden


class TaskModel(nn.Module):
    """A branch on the hidden states that it reads; the frozen layers are none of its parameters."""

    def __init__(self, states: HiddenStates, branch: Branch) -> None:
        super().__init__()
        self.states = states
        self.branch = branch
        self.train(branch.training)

    def forward(self, inputs: Inputs) -> torch.Tensor:
        """Logits float32 [B, C], or [B, T, C] per token."""
        return self.branch(self.states(inputs), inputs.attention_mask)


class FullModel(nn.Module):
    """The whole encoder with a task's head, every weight its own: what the paper calls full fine-tuning."""

    def __init__(self, encoder: Encoder, outputs: int, per_token: bool) -> None:
        super().__init__()
        self.embeddings = copy.deepcopy(encoder.network.embeddings).requires_grad_(requires_grad=True)
        self.branch = new_branch(encoder, 0, outputs, per_token)

    def forward(self, inputs: Inputs) -> torch.Tensor:
        """Logits float32 [B, C], or [B, T, C] per token."""
        hidden = self.embeddings(inputs.input_ids, inputs.token_type_ids)
        return self.branch(hidden, inputs.attention_mask)
