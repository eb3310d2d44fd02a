"""Clears what killed servers have left: processes, shared memory, temporary folders."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from build_tools.repository.serving_lock import holders
from build_tools.serving.triton.run_mark import SHARED_MEMORY, Left, left_behind, remove_shared_memory
from build_tools.serving.triton.serving_folder import is_serving_folder, remove_folder

_ENDING_SECONDS = 5.0
_STUB = "triton_python_backend_stub"
_SERVER = "tritonserver"


def clear_leftovers(repository: Path, report: Callable[[str], None], shared_memory: Path = SHARED_MEMORY) -> None:
    """Ends the processes that killed servers of this user have left, and removes their files. Reports each.

    Found by their marks: a process names the server's temporary folder or shared memory in its command. Model processes
    without a mark are ended if they keep `repository` open and have no tritonserver. Running servers are left alone.
    """
    for left in left_behind(shared_memory):
        ended = _end([one for one in _own_processes() if _names(one, left)])
        remove_shared_memory(left.prefix, shared_memory)
        if is_serving_folder(left.folder):
            remove_folder(left.folder)
        left.file.unlink(missing_ok=True)
        report(f"cleared what a killed server had left: {ended or 'no'} processes, {left.folder}")
    held_by = set(holders(repository))
    if ended := _end([one for one in psutil.process_iter() if one.pid in held_by and _is_orphan(one)]):
        report(f"ended {ended} model processes of a killed server, which kept {repository} open")


def _own_processes() -> list[psutil.Process]:
    own = os.geteuid()
    return [one for one in psutil.process_iter(["uids"]) if one.info["uids"] and one.info["uids"].effective == own]


def _names(process: psutil.Process, left: Left) -> bool:
    marks = (left.prefix, f"{left.folder}/")
    return process.pid != os.getpid() and any(mark in part for part in _command(process) for mark in marks)


def _is_orphan(process: psutil.Process) -> bool:
    try:
        parent = process.parent()
        parent_name = parent.name() if parent else ""
    except psutil.Error:
        return False
    return bool(command := _command(process)) and command[0].endswith(_STUB) and parent_name != _SERVER


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _end(processes: list[psutil.Process]) -> int:
    """Returns how many were killed."""
    killed = []
    for process in processes:
        with suppress(psutil.Error):  # it has just ended, or belongs to another user
            process.kill()
            killed.append(process)
    psutil.wait_procs(killed, timeout=_ENDING_SECONDS)
    return len(killed)
