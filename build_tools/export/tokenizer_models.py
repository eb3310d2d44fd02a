"""The tokenizer models of a trunk: one for each number of tokens that its branches read at most."""

from pathlib import Path

from tokenizers import Tokenizer

from build_tools.export.hand_written_models import copy_hand_written
from build_tools.repository.names import FIRST_VERSION, TOKENIZER, TRUNK
from training.checkpoint import TOKENIZER as TOKENIZER_FILE
from training.encoder import tokenizer_json


def tokenizer_name(trunk: str, max_length: int) -> str:
    """The tokenizer model that truncates at max_length: `tokenizer_<n>`, after the first with the trunk's name too.

    `tokenizer` itself, whose code the routers use, is that of the greatest length that a repository is built with.
    """
    return f"{TOKENIZER}_{max_length}" if trunk == TRUNK else f"{TOKENIZER}_{trunk}_{max_length}"


def make_tokenizer(folder: Path, tokenizer: Tokenizer, max_length: int) -> None:
    """Makes the model's folder: the hand-written code, and tokenizer.json with truncation in the file's own terms."""
    copy_hand_written(TOKENIZER, folder)
    copy = Tokenizer.from_str(tokenizer_json(tokenizer))
    copy.enable_truncation(max_length, strategy="longest_first")
    (folder / FIRST_VERSION / TOKENIZER_FILE).write_text(copy.to_str(), encoding="utf-8")
