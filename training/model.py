"""The two parts of the network: the frozen trunk and a task's branch (paper, figure 1)."""

from collections.abc import Sequence

import torch
from torch import nn

from training.encoder import Encoder
from training.encoders.architecture import Architecture
from training.encoders.attention import new_norm
from training.encoders.dropout import Dropout
from training.encoders.layer import Layer


def additive_mask(attention_mask: torch.Tensor) -> torch.Tensor:
    """int64 [B, T] of ones and zeros -> float32 [B, 1, 1, T], to add to attention scores: 0 and the lowest float."""
    return (1.0 - attention_mask[:, None, None, :].to(torch.float32)) * torch.finfo(torch.float32).min


class Trunk(nn.Module):
    """Embeddings and the encoder's bottom layers, up to the deepest of `taps`."""

    def __init__(self, encoder: Encoder, taps: Sequence[int]) -> None:
        super().__init__()
        self.taps = tuple(sorted(set(taps)))
        self.embeddings = encoder.network.embeddings
        self.layers = encoder.network.layers[: self.taps[-1]]
        self.requires_grad_(requires_grad=False).eval()

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """All inputs int64 [B, T] -> for each tap, ascending, the hidden states after it, float32 [B, T, H]."""
        hidden = self.embeddings(input_ids, token_type_ids)
        mask = additive_mask(attention_mask)
        outputs = []
        for number, layer in enumerate(self.layers, start=1):
            hidden = layer(hidden, mask)
            if number in self.taps:
                outputs.append(hidden)
        return tuple(outputs)


class Branch(nn.Module):
    """A task's own layers and its head: a pooler as BERT's and a linear layer, or a linear layer per token (tagging).

    A regression head has one output; every other head has one output per label.
    norm: between the layers and the head where layers normalize what they read, else None.
    """

    def __init__(self, architecture: Architecture, tap: int, layers: int, outputs: int, per_token: bool) -> None:
        super().__init__()
        width = architecture.hidden_size
        self.architecture, self.tap = architecture, tap
        self.layers = nn.ModuleList(Layer(architecture, tap + number) for number in range(layers))
        self.norm = new_norm(architecture) if architecture.norm_first else None
        self.pooler = None if per_token else nn.Linear(width, width)
        self.dropout = Dropout(architecture.hidden_dropout_prob)
        self.classifier = nn.Linear(width, outputs)
        _draw(self.classifier, architecture)

    def forward(self, hidden: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """hidden float32 [B, T, H], attention_mask int64 [B, T] -> logits float32 [B, C], or [B, T, C] per token."""
        mask = additive_mask(attention_mask)
        for layer in self.layers:
            hidden = layer(hidden, mask)
        if self.pooler is not None:
            hidden = hidden[:, 0]
        if self.norm is not None:
            hidden = self.norm(hidden)
        if self.pooler is not None:
            hidden = torch.tanh(self.pooler(hidden))
        return self.classifier(self.dropout(hidden))


def new_branch(encoder: Encoder, tap: int, outputs: int, per_token: bool) -> Branch:
    """A branch of all the encoder's layers above `tap`, with their pretrained weights and a new head."""
    network = encoder.network
    branch = Branch(encoder.architecture, tap, encoder.layers - tap, outputs, per_token)
    for own, pretrained in zip(branch.layers, network.layers[tap:], strict=True):
        own.load_state_dict(pretrained.state_dict())
    if branch.norm is not None and network.norm is not None:
        branch.norm.load_state_dict(network.norm.state_dict())
    if branch.pooler is not None:
        if network.pooler is None:
            _draw(branch.pooler, encoder.architecture)
        else:
            branch.pooler.load_state_dict(network.pooler.state_dict())
    return branch


def student_of(teacher: Branch, encoder: Encoder, layers: int) -> Branch:
    """A branch of the teacher's `layers` lowest layers and its head (paper, section 3.2)."""
    outputs = teacher.classifier.out_features
    student = Branch(encoder.architecture, teacher.tap, layers, outputs, per_token=teacher.pooler is None)
    wanted = student.state_dict().keys()
    student.load_state_dict({name: tensor for name, tensor in teacher.state_dict().items() if name in wanted})
    return student


def bottom_of(encoder: Encoder, tap: int, layers: int, teacher: Branch) -> Branch:
    """A student like that of student_of, but started from the pretrained encoder (paper, figure 2)."""
    student = new_branch(encoder, tap, teacher.classifier.out_features, per_token=teacher.pooler is None)
    student.layers = student.layers[:layers]
    return student


def _draw(linear: nn.Linear, architecture: Architecture) -> None:
    """New weights, as pretrained ones were drawn."""
    nn.init.normal_(linear.weight, std=architecture.initializer_range)
    nn.init.zeros_(linear.bias)
