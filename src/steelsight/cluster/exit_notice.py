"""A line for the user where this process ends suddenly: Ray ends a driver at once when its node ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

__all__ = ["notice_of_sudden_exit"]

NOTICE: Final = (
    "stopped: the Ray node of this machine ended, or this process was killed; what is written is whole, "
    "and the same command goes on"
)
_WAIT_S: Final = 5.0
# Reads until the other end closes the pipe, which it does when it ends, however it ends.
_PROGRAM: Final = "import sys; sys.stdin.read() or sys.stderr.write(sys.argv[1] + chr(10))"


@contextmanager
def notice_of_sudden_exit() -> Iterator[None]:
    """While the block runs, another process waits for the end of this one; it writes NOTICE to stderr if that
    comes before the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _PROGRAM, NOTICE],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # Ctrl-C is for this process
    )
    try:
        yield
    finally:
        with suppress(subprocess.TimeoutExpired, OSError):  # without it nothing is lost but the line
            process.communicate("ended", timeout=_WAIT_S)
        process.kill()
        process.wait()
