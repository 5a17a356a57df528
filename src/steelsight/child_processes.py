"""Ends a worker process with the process that started it, whatever ended that one.

A process that is killed cannot end its workers, so each worker looks for itself: once its parent is gone, the
system gives it another parent (POSIX), or the handle of its parent is signalled (Windows).
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from typing import Final

__all__ = ["end_with_parent"]

_LOOK_S: Final = 0.2  # a worker outlives its parent by no more


def end_with_parent(parent: int) -> None:
    """Start a thread that ends this process when the process `parent` is no longer its parent.

    parent  the parent's process id, as that process knows it; a worker cannot ask: it may be orphaned already
    """
    threading.Thread(target=_watch, args=(parent,), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    if os.name == "nt":
        started_by = multiprocessing.parent_process()
        if started_by is None:  # a worker that is a command of its own ends with its standard input
            return
        started_by.join()
    else:
        while os.getppid() == parent:
            time.sleep(_LOOK_S)
    os._exit(1)  # without cleaning up: nobody waits for what this process would still write
