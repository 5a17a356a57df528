"""Starts worker processes that leave the caller's main module alone, and ends them with the caller.

A process that is killed cannot end its workers, so each worker looks for itself: once its parent is gone, the
system gives it another parent (POSIX), or the handle of its parent is signalled (Windows).
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

__all__ = ["end_with_parent", "without_main_module"]

_LOOK_S: Final = 0.2  # a worker outlives its parent by no more


@contextmanager
def without_main_module() -> Iterator[None]:
    """Processes that `multiprocessing` spawns inside the block do not run the main module.

    A spawned process runs the script that started it again, as far as its `if __name__ == "__main__"`; one
    without that line would call us again. Workers whose functions are in modules need nothing of it.
    """
    main: Any = sys.modules["__main__"]
    hidden = {name: main.__dict__.pop(name) for name in ("__file__", "__spec__") if name in main.__dict__}
    main.__spec__ = None
    try:
        yield
    finally:
        main.__dict__.update({"__spec__": None} | hidden)


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
