"""Names from files reach a terminal as text; streams that are closed or full end in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.table import Table

from steelsight.cli.console import _Terminal
from steelsight.names import on_one_line

PROGRAM = f"{sys.executable} -c 'from steelsight.cli import main; main()'"
HOSTILE = [
    "a\x1b]0;title\x07",
    "\x1b[2J\x1b[31m",
    "\x9b31m",
    "[bold]:smile:[/bold]",
    "[/no]",
    "a\u202egnp.exe",
    ":x:",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_printed_as_text(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    console = _Terminal(highlight=False, markup=False, emoji=False, force_terminal=True, width=200)
    table = Table(name, box=None)
    table.add_row(name)
    for each in (name, table):
        console.print(each)
    out, _ = capsys.readouterr()
    plain = out.replace("\x1b[1m", "").replace("\x1b[0m", "")  # the heading of the table is bold
    assert on_one_line(plain.replace("\n", "")) == plain.replace("\n", "")
    if name.isprintable():
        assert out.count(name) == 3


def _run(words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        f"{PROGRAM} {words}", shell=True, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        ("recipes > /dev/full", 1, "No space left on device"),
        ("recipes --json > /dev/full", 1, "No space left on device"),
        ("recipes --json >&-", 2, "expected an open standard output, got a closed one"),
        ("recipes >&-", 0, ""),
        ("recipes none 2> /dev/full", 2, ""),
        ("recipes none <&- >&- 2>&-", 2, ""),
    ],
)
def test_a_stream_that_is_closed_or_full(words: str, code: int, line: str, tmp_path: Path) -> None:
    if "/dev/full" in words and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    done = _run(words, tmp_path)
    assert done.returncode == code, done.stderr
    assert line in done.stderr
    assert len(done.stderr.splitlines()) == bool(line)
    assert not list(tmp_path.iterdir())  # no report of an unexpected error


@pytest.mark.parametrize(
    "verb", ["train DATA --recipe pipe --out out", "shortcuts gate RUN DATA --policy pipe"]
)
def test_a_pipe_is_not_waited_for(verb: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "RUN").mkdir()
    (tmp_path / "DATA" / "good").mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(tmp_path / "DATA" / "good" / "0.png")
    done = _run(verb, tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "pipe" in done.stderr
