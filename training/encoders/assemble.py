"""A family's config and tensors -> a Network of ours."""

import re
from collections.abc import Iterable

import torch

from training.encoders.family import Config, Family, RefusedEncoderError, Tensors
from training.encoders.network import Network

_NAMED = 3  # a message names at most this many tensors
_OLD_KINDS = {"gamma": "weight", "beta": "bias"}  # of layer norms, in files that were made from TensorFlow's
_CONSTANTS = re.compile(r"embeddings\.(position_ids|token_type_ids)$")  # 0, 1, 2, ... and 0, 0, 0, ... in old files


def assemble(family: Family, config: Config, tensors: Tensors) -> Network:
    """Returns the network in float32 and evaluation mode, with tensors of its own.

    tensors: all that a file of weights holds. The pooler may be missing, and heads may be left over.
    Raises RefusedEncoderError if a parameter is not among them or has another
    shape than the config says, if one of them is not used, or if the config asks for what is not computed.
    """
    architecture = family.architecture(config)
    given = family.prepare({_plain(family, name): tensor for name, tensor in tensors.items()}, config)
    has_pooler = "pooler" in family.names and f"{family.names['pooler']}.weight" in given
    with torch.device("meta"):  # shapes only
        network = Network(architecture, config.num_hidden_layers, has_pooler)
    shapes = {name: parameter.shape for name, parameter in network.state_dict().items()}
    sources = {name: family.source(name) for name in shapes}
    _check(family, given, {sources[name]: shape for name, shape in shapes.items()})
    network.load_state_dict(
        {name: given[source].to(torch.float32, copy=True) for name, source in sources.items()}, assign=True
    )
    return network.eval()


def _plain(family: Family, name: str) -> str:
    module, _, kind = name.removeprefix(f"{family.prefix}.").rpartition(".")
    kind = _OLD_KINDS.get(kind, kind)
    return f"{module}.{kind}" if module else kind


def _check(family: Family, given: Tensors, expected: dict[str, torch.Size]) -> None:
    missing = sorted(expected.keys() - given.keys())
    if missing:
        raise RefusedEncoderError(
            f"has weights that lack {_some(missing)}: the file does not hold the {family.title} that its config.json "
            "describes"
        )
    mismatched = sorted(name for name, shape in expected.items() if given[name].shape != shape)
    if mismatched:
        raise RefusedEncoderError(f"has weights of other shapes than its config.json says: {_some(mismatched)}")
    unused = sorted(
        name
        for name in given.keys() - expected.keys()
        if not name.startswith(family.heads) and not _CONSTANTS.match(name)
    )
    if unused:
        raise RefusedEncoderError(
            f"has weights that hold {_some(unused)}, which the {family.title} that its config.json describes does not "
            "have"
        )


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
