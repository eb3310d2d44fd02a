"""Becomes the given program, which receives SIGTERM as soon as the parent process ends.

Run as a script with these arguments: the parent's process id, the program, the program's arguments. It is a script,
because running a function between fork and exec is unsafe in a process with threads. It imports nothing of the project,
so that it starts at once.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main(parent: int, command: list[str]) -> None:
    """Replaces this process by `command`, which receives SIGTERM when the thread that started it ends."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    # No signal comes if the parent ended before the call above.
    if os.getppid() != parent:
        sys.exit(f"process {parent} has ended: {command[0]} is not started")
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
