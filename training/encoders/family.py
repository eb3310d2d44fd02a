"""What a family must say, so that its models become a Network. docs/encoders.md shows how to add one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from training.encoders.architecture import Architecture


class RefusedEncoderError(ValueError):
    """An encoder that Espalier does not compute, or whose files contradict each other.

    The message is the end of a sentence that begins with the encoder.
    """


Tensors = dict[str, torch.Tensor]
Config = Any  # a config of transformers


def unchanged(tensors: Tensors, config: Config) -> Tensors:  # noqa: ARG001
    """The `prepare` of a family whose tensors are ours already."""
    return tensors


@dataclass(frozen=True)
class Family:
    """A family of encoders.

    model_type: as in config.json. title: for messages.
    prefix: what a file with a task's head puts before the names of the encoder's tensors.
    heads: how the names of tensors begin that belong to heads, and may be left over.
    architecture: a config -> what decides the outputs. Raises RefusedEncoderError if the config asks for what is not
        computed, and pydantic's ValidationError if a value is out of bounds.
    names: {a module of ours: the module in the file}. `#` stands for the number of a layer.
    prepare: turns tensors without a counterpart of ours into those that `names` says. It is given the config, and all
        tensors that the file holds; some may be missing.
    """

    model_type: str
    title: str
    prefix: str
    heads: tuple[str, ...]
    architecture: Callable[[Config], Architecture]
    names: Mapping[str, str]
    prepare: Callable[[Tensors, Config], Tensors] = unchanged

    def source(self, name: str) -> str:
        """Where a parameter of a Network, such as "layers.3.attention.query.weight", stands in the file."""
        module, _, kind = name.rpartition(".")
        number = ""
        if module.startswith("layers."):
            _, number, rest = module.split(".", 2)
            module = f"layers.#.{rest}"
        return f"{self.names[module]}.{kind}".replace("#", number)
