"""The original: a fine-tuned sequence or token classifier that transformers loads, of whatever architecture."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from training.branch_record import RECORD
from training.errors import TrainingError, one_line
from training.pretrained_place import check_place, offline_without_hub

MOST_TOKENS = 512  # of a text, of originals that could read more
_UNKNOWN_LENGTH = 10**6  # tokenizers without a maximum say 1e30
# What in a config does not decide the logits: names, and where the model lies.
_NOT_COMPUTING = (
    "_name_or_path",
    "transformers_version",
    "id2label",
    "label2id",
    "architectures",
    "torch_dtype",
    "dtype",
)


@dataclass(frozen=True)
class Original:
    """A fine-tuned classifier in float32, with its tokenizer.

    name: the absolute path of a folder, or a hub id.
    tags_words: True of a token classifier, which answers every token; others answer a text or a pair.
    """

    name: str
    model: Any
    tokenizer: Any
    tags_words: bool

    @property
    def outputs(self) -> int:
        """C, the number of its outputs."""
        return len(self.model.config.id2label)

    @property
    def layers(self) -> int | None:
        """The number of its layers; None if its config does not say it."""
        layers = getattr(self.model.config, "num_hidden_layers", None)
        return layers if isinstance(layers, int) else None

    @property
    def max_length(self) -> int:
        """How many tokens of a text it reads, at most 512. Its positions may begin behind the padding's number."""
        config, own = self.model.config, self.tokenizer.model_max_length
        positions = getattr(config, "max_position_embeddings", None)
        if not isinstance(positions, int) or positions < 1:
            positions = MOST_TOKENS
        elif own > _UNKNOWN_LENGTH and 0 < (getattr(config, "pad_token_id", None) or 0) < positions // 4:
            positions -= config.pad_token_id + 1
        return int(min(own, positions, MOST_TOKENS))

    @cached_property
    def sha256(self) -> str:
        """Of all that decides its logits: weights, config and tokenizer."""
        digest = hashlib.sha256()
        config = {name: value for name, value in self.model.config.to_dict().items() if name not in _NOT_COMPUTING}
        digest.update(json.dumps(config, sort_keys=True, default=str).encode())
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if backend is None:
            digest.update(json.dumps(self.tokenizer.get_vocab(), sort_keys=True).encode())
        else:
            rules = json.loads(backend.to_str())
            rules["padding"] = rules["truncation"] = None  # left behind by the last call
            digest.update(json.dumps(rules, sort_keys=True).encode())
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(f"{name} {tuple(tensor.shape)} ".encode())
            digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
        return digest.hexdigest()

    def record(self) -> dict[str, Any]:
        """What a branch's record says about it."""
        return {
            "model": self.name,
            "architecture": type(self.model).__name__,
            "layers": self.layers,
            "hidden_size": getattr(self.model.config, "hidden_size", None),
            "parameters": sum(one.numel() for one in self.model.parameters()),
            "sha256": self.sha256,
        }


def load_original(name: str) -> Original:
    """Loads a folder or hub id, in evaluation mode. No code of the model's own is run.

    Raises TrainingError if it is not a sequence or token classifier, lacks weights or a tokenizer, or cannot be loaded.
    """
    folder = Path(name)
    check_place("model", name)
    if (folder / RECORD).is_file():
        raise TrainingError(
            f"{name} is a task checkpoint, not a model of transformers: give it without --teacher or --model."
        )
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise TrainingError(
            f"{name} is an adapter: merge it into its model first (PEFT's merge_and_unload), and save that."
        )
    try:
        with _silent(), offline_without_hub(name):
            config = AutoConfig.from_pretrained(name, trust_remote_code=False)
            tags_words = _tags_words(name, config)
            loader: Any = AutoModelForTokenClassification if tags_words else AutoModelForSequenceClassification
            model, loading = loader.from_pretrained(
                name, config=config, dtype=torch.float32, trust_remote_code=False, output_loading_info=True
            )
            tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except TrainingError:
        raise
    except Exception as error:  # the libraries raise many types: missing, not reachable, damaged, code of its own
        raise TrainingError(
            f"the model {name!r} could not be loaded ({one_line(error)}): give a folder that holds all its files, or "
            "a hub id that can be reached."
        ) from error
    missing = sorted(loading["missing_keys"])
    if missing:
        raise TrainingError(
            f"the weights of the model {name!r} lack {missing[0]} ({len(missing)} in all), so its answers would be "
            "random: give a model that was fine-tuned and saved whole."
        )
    _check_tokenizer(name, tokenizer, config, tags_words)
    return Original(str(folder.resolve()) if folder.is_dir() else name, model.eval(), tokenizer, tags_words)


def _tags_words(name: str, config: Any) -> bool:
    architectures = list(config.architectures or [])
    if any(one.endswith("ForTokenClassification") for one in architectures):
        return True
    if any(one.endswith("ForSequenceClassification") for one in architectures):
        return False
    found = f"its architecture is {architectures[0]}" if architectures else "its config.json names no architecture"
    raise TrainingError(
        f"the model {name!r} has no classification head ({found}): give one that was fine-tuned as "
        "...ForSequenceClassification or ...ForTokenClassification."
    )


def _check_tokenizer(name: str, tokenizer: Any, config: Any, tags_words: bool) -> None:
    special = set(tokenizer.all_special_tokens)
    vocabulary = {token: number for token, number in tokenizer.get_vocab().items() if token not in special}
    # Without any file, AutoTokenizer makes a tokenizer that knows only special tokens.
    if not vocabulary:
        raise TrainingError(f"the model {name!r} has no tokenizer: save its tokenizer beside its weights.")
    known = getattr(config, "vocab_size", None)
    # Special tokens may lie behind the weights: AutoTokenizer adds what a class expects, <mask> or <pad>, and no text
    # holds it.
    if isinstance(known, int) and max(vocabulary.values()) >= known:
        raise TrainingError(
            f"the tokenizer of the model {name!r} knows {max(vocabulary.values()) + 1} tokens, its weights "
            f"only {known}: they come from different models."
        )
    if tags_words and not tokenizer.is_fast:
        raise TrainingError(
            f"the tokenizer of the model {name!r} has no fast form ({type(tokenizer).__name__}), so its tokens cannot "
            "be laid on words: save a tokenizer.json beside its weights."
        )


@contextmanager
def _silent() -> Iterator[None]:
    """Without transformers' tables of missing weights: what matters is said in one sentence."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
