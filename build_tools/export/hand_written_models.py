"""The hand-written models, tokenizer and routers. Each repository gets a copy."""

import shutil
from pathlib import Path

from build_tools.repository.names import ROUTERS, TOKENIZER, TOKENIZER_FILE

HAND_WRITTEN = Path(__file__).resolve().parents[2] / "model_repository"
HAND_WRITTEN_MODELS = (TOKENIZER, *ROUTERS)


def copy_hand_written(model: str, target: Path) -> None:
    """Copies the code and config of a hand-written model into a new folder."""
    shutil.copytree(HAND_WRITTEN / model, target, ignore=shutil.ignore_patterns("__pycache__", TOKENIZER_FILE))
