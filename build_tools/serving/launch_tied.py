"""Become the given program, asked to end as soon as the parent process is gone.

Run as a script with: the parent's process id, the program, its arguments. A script of its own and not a
function run between fork and exec, which is unsafe in a process with threads. It imports nothing of the
project, so that it starts at once.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main(parent: int, command: list[str]) -> None:
    """Replace this process by `command`; SIGTERM follows when the thread that started it ends."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    # A parent that died before the call above sends no signal.
    if os.getppid() != parent:
        sys.exit(f"process {parent} is gone: {command[0]} is not started")
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
