"""What an original answers on texts. It is asked once: its logits are kept in the user's cache, as it is slow."""

import hashlib
import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from inspect import signature
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from platformdirs import user_cache_path

from training.adoption.original import Original
from training.atomic_write import replace_file
from training.data import Example
from training.device import training_device
from training.errors import NotFiniteError, TrainingError, one_line
from training.progress import Progress

BATCH = 32
PART = 2048  # examples in a file: what an interrupted run has not to compute again
_KEPT_SECONDS = 90 * 24 * 3600  # older files are deleted


def logits_of_original(original: Original, examples: Sequence[Example]) -> list[np.ndarray]:
    """The logits of each example, in order: float32 [C], or [W, C] over its W words for a token classifier.

    A word's logits are those of its first sub-word, by the original's own tokenizer; NaN if the text was cut before it
    or no token belongs to it.
    Raises NotFiniteError if an output is NaN or infinite, TrainingError if the original cannot read the texts.
    """
    result: list[np.ndarray] = []
    with Progress(f"asking {original.name}", math.ceil(len(examples) / _batch_size(original))) as progress:
        for start in range(0, len(examples), PART):
            result += _part(original, examples[start : start + PART], progress)
    return result


def _part(original: Original, examples: Sequence[Example], progress: Progress) -> list[np.ndarray]:
    """The logits of the examples of one file."""
    counts = [len(example.words) if original.tags_words else 1 for example in examples]
    file = _cached_file(original, examples)
    with _alone_on(file):  # of several searches of one task, one asks and the others read
        logits = _read(file, (sum(counts), original.outputs))
        if logits is None:
            logits = np.concatenate(_compute(original, examples, progress))
            _keep(file, logits)
    ends = np.cumsum(counts)
    rows = [logits[end - count : end] for count, end in zip(counts, ends, strict=True)]
    return rows if original.tags_words else [row[0] for row in rows]


@torch.no_grad()
def _compute(original: Original, examples: Sequence[Example], progress: Progress) -> list[np.ndarray]:
    """float32 [words or 1, C] for each example."""
    device = training_device()
    model = original.model.to(device)
    reads = signature(model.forward).parameters  # a tokenizer may give more, such as token types
    size = _batch_size(original)
    order = sorted(range(len(examples)), key=lambda row: len(examples[row].text) + len(examples[row].text_pair or ""))
    result: list[np.ndarray] = [np.empty(0)] * len(examples)
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        chosen = [examples[row] for row in rows]
        try:
            inputs = _inputs(original, chosen, pads=size > 1)
            offsets = inputs.pop("offset_mapping").tolist() if original.tags_words else []
            is_special = inputs.pop("special_tokens_mask").tolist() if original.tags_words else []
            read = {name: tensor.to(device) for name, tensor in inputs.items() if name in reads}
            output = model(**read).logits
        except Exception as error:  # tokenizers and models of any kind
            raise TrainingError(
                f"the model {original.name} cannot read {chosen[0].text[:60]!r}: {one_line(error)}"
            ) from error
        logits = output.float().cpu().numpy()
        if logits.shape[-1] != original.outputs:
            raise TrainingError(
                f"the model {original.name} has {logits.shape[-1]} outputs, and `id2label` in its config.json names "
                f"{original.outputs}: correct it."
            )
        for place, (row, example) in enumerate(zip(rows, chosen, strict=True)):
            own = answered = logits[place : place + 1]
            if original.tags_words:
                tokens = _first_tokens(offsets[place], is_special[place], example.words)
                own = _at_words(logits[place], tokens)
                answered = own[[token is not None for token in tokens]]
            if not np.isfinite(answered).all():
                raise NotFiniteError(
                    f"the model {original.name} answers NaN or infinite values: it cannot be a teacher."
                )
            result[row] = own
        progress.step()
    return result


def _batch_size(original: Original) -> int:
    """How many texts it is asked about at once: one if it knows no padding."""
    can_pad = original.tokenizer.pad_token is not None and original.model.config.pad_token_id is not None
    return BATCH if can_pad else 1


def _inputs(original: Original, examples: Sequence[Example], pads: bool) -> dict[str, torch.Tensor]:
    pairs = [example.text_pair for example in examples]
    encoded = original.tokenizer(
        [example.text for example in examples],
        None if pairs[0] is None else pairs,
        truncation=True,
        max_length=original.max_length,
        padding=pads,
        return_tensors="pt",
        return_offsets_mapping=original.tags_words,
        return_special_tokens_mask=original.tags_words,
    )
    return dict(encoded)


def _first_tokens(
    offsets: Sequence[Sequence[int]], is_special: Sequence[int], words: Sequence[tuple[int, int]]
) -> list[int | None]:
    """The first token of each word, None for words without one. offsets: (start, end) of each token.

    As where transformers fine-tunes, and unlike in training.tokenization, the marks in front of a word count, and so
    does a token that is only the blank before it (byte-level and SentencePiece tokenizers have some).
    """
    found: list[int | None] = []
    index, end_before = 0, 0
    for start, end in words:
        while index < len(offsets) and (offsets[index][1] <= max(start, offsets[index][0]) or is_special[index]):
            index += 1
        first = index
        if (
            index
            and not is_special[index - 1]
            and end_before <= offsets[index - 1][0]
            and offsets[index - 1][1] <= start
        ):
            first = index - 1
        found.append(first if index < len(offsets) and offsets[index][0] < end else None)
        end_before = end
    return found


def _at_words(logits: np.ndarray, tokens: Sequence[int | None]) -> np.ndarray:
    result = np.full((len(tokens), logits.shape[-1]), np.nan, dtype=np.float32)
    for word, token in enumerate(tokens):
        if token is not None:
            result[word] = logits[token]
    return result


def _cached_file(original: Original, examples: Sequence[Example]) -> Path:
    texts = [[example.text, example.text_pair, example.words if original.tags_words else ()] for example in examples]
    asked = [original.sha256, original.max_length, version("transformers"), version("torch"), texts]
    key = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
    return user_cache_path("espalier", appauthor=False) / "original_logits" / f"{key}.npy"


@contextmanager
def _alone_on(file: Path) -> Iterator[None]:
    """Holds the file's lock, if there is room for one."""
    lock = FileLock(file.with_suffix(".lock"))
    with ExitStack() as held:
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(lock)
        yield


def _read(file: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """None if there is no such file, or a damaged one: it is computed again and replaced."""
    with suppress(OSError, ValueError, EOFError):
        logits: np.ndarray = np.load(file, allow_pickle=False)
        if logits.shape == shape and logits.dtype == np.float32:
            return logits
    return None


def _keep(file: Path, logits: np.ndarray) -> None:
    content = BytesIO()
    np.save(content, logits)
    with suppress(OSError):  # without a cache the next run only asks again
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, content.getvalue(), staged_in=file.parent)
        for other in file.parent.iterdir():
            if other.stat().st_mtime < time.time() - _KEPT_SECONDS:
                other.unlink()
