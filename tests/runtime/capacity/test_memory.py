"""The peak memory of child processes, and not that of this one."""

import subprocess
import sys
from pathlib import Path

import pytest

from steelsight.runtime.capacity.memory import ChildMemory

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux tells it")
WAITS = "import sys; held = b'x' * ({mib} * 2**20); del held; print('ready', flush=True); sys.stdin.read()"


def child(mib: int) -> subprocess.Popen[str]:
    """A process that had so much memory once, and ends with its input."""
    command = [sys.executable, "-c", WAITS.format(mib=mib)]
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    started.stdout.readline()
    return started


def test_the_largest_peak_of_any_child_is_told_although_this_process_is_larger():
    held = b"x" * (400 * 2**20)
    with ChildMemory() as memory:
        children = [child(100), child(200)]
        memory._done.wait(0.5)
        for each in children:
            each.communicate("")
    assert len(held) == 400 * 2**20
    assert memory.mib is not None
    assert 200 < memory.mib < 300
