"""The folder that a build writes to: checked before the work, filled when all of it is done."""

from pathlib import Path

from build_tools.errors import BuildError
from build_tools.export.hand_written_models import HAND_WRITTEN, HAND_WRITTEN_MODELS
from build_tools.repository.manifest import write_manifest
from build_tools.repository.names import FIRST_VERSION, TOKENIZER, TOKENIZER_FILE
from build_tools.repository.registry import REGISTRY
from build_tools.repository.serving_lock import SERVING_LOCK
from training.atomic_write import rename_folder


def is_home(repository: Path) -> bool:
    """Whether this is the source folder of the hand-written models, whose files a build must not change."""
    return repository == HAND_WRITTEN


def check_destination(repository: Path) -> None:
    """Raises BuildError unless the folder is absent, empty, or holds only the hand-written models."""
    if repository.exists() and not repository.is_dir():
        raise BuildError(f"{repository} is a file: choose another --repository.")
    if (repository / REGISTRY).exists():
        raise BuildError(
            f"{repository} already holds a built repository and is not overwritten: choose another --repository or "
            f"remove it first."
        )
    own = {*HAND_WRITTEN_MODELS, "__pycache__"} if is_home(repository) else set()
    others = sorted({path.name for path in repository.iterdir()} - own) if repository.is_dir() else []
    if others:
        raise BuildError(f"{repository} is not empty (it holds {', '.join(others[:3])}): choose another --repository.")


def move_in(staged: Path, repository: Path) -> None:
    """Moves a staged repository in: with one rename if nothing is there yet, else folder by folder.

    registry.json comes last, because it says that the rest is there: also on disk, in case the machine crashes.
    """
    if not repository.exists():
        write_manifest(staged)
        rename_folder(staged, repository)
        return
    kept = HAND_WRITTEN_MODELS if is_home(repository) else ()
    models = [path for path in sorted(staged.iterdir()) if path.is_dir() and path.name not in kept]
    if is_home(repository):
        tokenizer = Path(TOKENIZER, FIRST_VERSION, TOKENIZER_FILE)  # the only generated file in a hand-written model
        (staged / tokenizer).replace(repository / tokenizer)
    for path in models:
        rename_folder(path, repository / path.name)
    write_manifest(repository)
    for name in (SERVING_LOCK, REGISTRY):
        (staged / name).replace(repository / name)
