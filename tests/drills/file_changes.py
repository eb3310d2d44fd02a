"""Which audit events (PEP 578) are changes of files; apart, because programs without torch want to know it too."""

import os
from pathlib import Path
from typing import Any

CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"}


def changes_files(event: str, arguments: tuple[Any, ...]) -> bool:
    """Whether an audit event is of something that changes files."""
    return event in CHANGES or (event == "open" and bool(arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)))


def replaces_registry(event: str, arguments: tuple[Any, ...]) -> bool:
    """Whether this is the change from which on another version is live."""
    return event == "os.rename" and Path(arguments[1]).name == "registry.json"
