"""Loads a model without taking the cores from those that answer requests."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

_NICE = 10


def at_low_priority(work: Callable[[], Result]) -> Result:
    """Returns what `work` returns, or raises what it raises.

    It runs in a thread of its own, which ends: on Linux each thread has its own nice value, and not every user may
    take back a higher one (setpriority(2)). Threads that `work` starts keep the low priority, so it should start none
    that answer requests later.
    """
    with ThreadPoolExecutor(1, initializer=_step_back) as thread:
        return thread.submit(work).result()


def _step_back() -> None:
    here = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, here, max(_NICE, os.getpriority(os.PRIO_PROCESS, here)))
