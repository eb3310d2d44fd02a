"""The models with which Triton starts."""

from pathlib import Path

from build_tools.errors import BuildError
from build_tools.repository.in_memory import idle_models
from build_tools.repository.registry import read_registry
from build_tools.serving.triton.model_folders import model_folders

_ALL = "*"


def models_to_load(repository: Path) -> list[str]:
    """Returns names for --load-model: all models, without those that a fused graph stands in for, which take memory.

    Without a registry that can be read it is all.
    """
    try:
        idle = idle_models(read_registry(repository))
    except BuildError:
        return [_ALL]
    if not any((repository / model).is_dir() for model in idle):
        return [_ALL]
    return [folder.name for folder in model_folders(repository) if folder.name not in idle]
