"""Puts an artefact into the inbox of an `espalier tend`, and waits for what comes of it."""

import os
import shutil
import time
import uuid
from pathlib import Path

from build_tools.errors import BuildError
from build_tools.tending.case import DONE, OPTIONS, REFUSED, RESULT, Options, Outcome, read_file
from build_tools.tending.inbox import GOOD_NAME, SUFFIX, WORKING, is_good_name
from training.atomic_write import replace_file

_POLL_SECONDS = 0.5


def hand_in(artefact: Path, inbox: Path, options: Options) -> str:
    """Copies an artefact into an inbox, under a name of its own, and returns that name.

    Raises BuildError if there is no inbox or no such file, and OSError if it cannot be copied.
    """
    if not artefact.is_file():
        raise BuildError(f"{artefact} is no file: give an artefact of espalier package.")
    if not (inbox / WORKING).is_dir():
        raise BuildError(f"{inbox} is not the inbox of an espalier tend: start that first, or give another folder.")
    name = f"{artefact.name.removesuffix(SUFFIX)}.{uuid.uuid4().hex[:8]}{SUFFIX}"
    if not is_good_name(name):
        raise BuildError(
            f"{artefact.name!r:.80} cannot be handed in: rename it. With the nine characters that are added here a "
            f"name may have {GOOD_NAME}."
        )
    copy, beside = inbox / f".{name}", inbox / f"{name}{OPTIONS}"
    try:
        with copy.open("xb") as out, artefact.open("rb") as source:
            shutil.copyfileobj(source, out, 2**20)
            out.flush()
            os.fsync(out.fileno())
        replace_file(beside, options.model_dump_json(indent=1, exclude_defaults=True) + "\n", staged_in=inbox)
        copy.rename(inbox / name)
    except BaseException:
        copy.unlink(missing_ok=True)
        beside.unlink(missing_ok=True)
        raise
    return name


def wait_for(inbox: Path, name: str, seconds: float) -> Outcome:
    """Waits until an artefact that was handed in is published or refused.

    Raises BuildError if that takes longer than `seconds`; then it is published later all the same.
    """
    ends = time.monotonic() + seconds
    while True:
        for state in (DONE, REFUSED):
            for folder in (inbox / state).iterdir():
                if folder.name.partition(".")[2] == name:
                    return read_file(folder / RESULT, Outcome)
        if time.monotonic() > ends:
            raise BuildError(
                f"{name} still waits in {inbox} after {seconds:g} s: espalier tend says why. It is published when its "
                "turn comes."
            )
        time.sleep(_POLL_SECONDS)
