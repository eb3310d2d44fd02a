"""The tokenizer models of a trunk: one for each maximum length among its branches."""

from pathlib import Path

from tokenizers import Tokenizer

from build_tools.export.hand_written_models import copy_hand_written
from build_tools.repository.names import FIRST_VERSION, TOKENIZER, TOKENIZER_FILE, TRUNK
from training.tokenizer_form import tokenizer_json


def tokenizer_name(trunk: str, max_length: int) -> str:
    """Returns the name of a further tokenizer model: `tokenizer_<length>`, or `tokenizer_<trunk>_<length>`.

    The trunk's name is left out for the first trunk. `tokenizer` itself, whose code the routers use, has the greatest
    length that the repository was built with.
    """
    return f"{TOKENIZER}_{max_length}" if trunk == TRUNK else f"{TOKENIZER}_{trunk}_{max_length}"


def make_tokenizer(folder: Path, tokenizer: Tokenizer, max_length: int) -> None:
    """Makes the model's folder: the hand-written code, and a tokenizer.json that truncates at max_length."""
    copy_hand_written(TOKENIZER, folder)
    copy = Tokenizer.from_str(tokenizer_json(tokenizer))
    copy.enable_truncation(max_length, strategy="longest_first")
    (folder / FIRST_VERSION / TOKENIZER_FILE).write_text(copy.to_str(), encoding="utf-8")
