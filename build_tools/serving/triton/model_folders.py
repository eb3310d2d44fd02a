"""The folders of a repository that Triton takes for models."""

from pathlib import Path

from build_tools.repository.names import embedded_config


def model_folders(repository: Path) -> list[Path]:
    """Returns those that have a config, in the order of their names."""
    return [
        folder
        for folder in sorted(repository.iterdir())
        if (folder / "config.pbtxt").is_file() or embedded_config(folder).is_file()
    ]
