"""No process is left behind: workers end with the verb that started them, whatever ended it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steelsight.runtime.bundle.default import default_bundle

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="it reads /proc")

PATIENCE_S = 60.0  # until workers run, and until they are gone; both take under a second
SIGNALS = [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP]


def _children(parent: int) -> dict[int, str]:
    """The processes that descend from another, each with its time of start: numbers are used again."""
    found: dict[int, str] = {}
    parents: dict[int, tuple[int, str]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            parents[int(folder.name)] = (int(fields[1]), fields[19])
    wanted = {parent}
    while more := {number for number, (above, _) in parents.items() if above in wanted} - set(found):
        found |= {number: parents[number][1] for number in more}
        wanted = more
    return found


def _is_running(number: int, started: str) -> bool:
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[19] == started and fields[0] != "Z"


def _wait_for(done: object, what: str) -> None:
    assert callable(done)
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def _command(verb: str, folder: Path) -> list[str]:
    # Under nohup this process ignores SIGHUP, and so would its children.
    code = (
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); from steelsight.cli import main; main()"
    )
    program = [sys.executable, "-c", code]
    if verb == "synth":
        return [*program, "synth", str(folder / "out"), "--count", "100000", "--workers", "2"]
    source = folder / "source"
    source.mkdir()
    image = Image.fromarray(np.zeros((64, 400), dtype=np.uint8))
    image.save(source / "0.png")
    for number in range(1, 5000):
        os.link(source / "0.png", source / f"{number}.png")
    bundle = str(default_bundle())
    return [*program, "scan", bundle, str(source), "--out", str(folder / "out"), "--workers", "2"]


@pytest.mark.parametrize("verb", ["synth", "scan"])
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_workers_end_with_their_verb(verb: str, number: signal.Signals, tmp_path: Path) -> None:
    process = subprocess.Popen(
        _command(verb, tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait_for(
            lambda: len(_children(process.pid)) >= 2 or process.poll() is not None, "no workers were started"
        )
        assert process.poll() is None, "it ended before it was sent a signal"
        workers = _children(process.pid)
        process.send_signal(number)
        process.wait(PATIENCE_S)
        _wait_for(
            lambda: not any(_is_running(*worker) for worker in workers.items()), "workers are left behind"
        )
    finally:
        process.kill()
        process.wait()
