"""Code blocks of pages, and how they are run: in order, in one folder, as a reader would.

```sh                       each line is a command of steelsight, run in this process
```python                   run; names live on in later blocks of the page
```toml title="FILE"        written as FILE (any language with a title)
```text                     directly below one of these: what it prints; … stands for anything
<!-- exit 2 -->             on the line above a block of commands: they end with this exit code
<!-- long -->               anywhere on the page: its blocks take more than some seconds
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from steelsight.cli import app

LONG = "<!-- long -->"
FENCE = re.compile(r"^```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\s*$")
EXIT = re.compile(r"<!-- exit (\d+) -->")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    title: str  # file it is written to; "" = none
    text: str
    line: int  # of the page
    exit_code: int  # expected of its commands
    below: bool  # directly below the block before it


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page's text, in their order."""
    opened: list[str] | None = None
    language, title, start, code, above = "", "", 0, 0, ""
    ended = -2  # line of the last closed fence
    for number, line in enumerate(page.splitlines(), 1):
        found = FENCE.match(line)
        if opened is None and found:
            opened, language, title, start = [], found["language"], found["title"] or "", number
            code = int(match[1]) if (match := EXIT.match(above)) else 0
        elif opened is not None and line.startswith("```"):
            below = ended == start - 1
            yield Block(language, title, "\n".join(opened), start, code, below)
            opened, ended = None, number
        elif opened is not None:
            opened.append(line)
        above = line if line.strip() else above


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command line, without comments; a line that ends with \\ goes on."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words


def run_page(page: str, where: str) -> None:
    """Run the blocks of a page in the working folder; AssertionError names the line of the page."""
    names: dict[str, Any] = {}
    printed = ""
    for block in blocks(page):
        place = f"{where}:{block.line}"
        if block.title:
            Path(block.title).parent.mkdir(parents=True, exist_ok=True)
            Path(block.title).write_text(f"{block.text}\n", encoding="utf-8")
        elif block.language == "sh":
            printed = _run_commands(block, place)
        elif block.language == "python":
            printed = _run_python(block, names, place)
        elif block.language == "text" and block.below:
            _compare(block.text, printed, place)
        else:
            raise AssertionError(f"{place}: a block that is not run: give it a language or a title")


def _run_commands(block: Block, place: str) -> str:
    printed = []
    for words in commands(block.text):
        assert words[0] == "steelsight", f"{place}: only commands of steelsight are run, got {words[0]}"
        done = CliRunner().invoke(app, words[1:])
        assert done.exit_code == block.exit_code, (
            f"{place}: {shlex.join(words)}\n{done.output}\n{done.exception!r}"
        )
        printed.append(done.output)
    return "\n".join(printed)


def _run_python(block: Block, names: dict[str, Any], place: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(block.text, place, "exec"), names)
    return printed.getvalue()


def _compare(wanted: str, printed: str, place: str) -> None:
    """Every line that the page shows was printed; where lines are broken does not count."""
    plain = " ".join(printed.split())
    for line in wanted.splitlines():
        pattern = r".*?".join(re.escape(" ".join(part.split())) for part in line.split("…"))
        assert re.search(pattern, plain), f"{place}: the page shows {line!r}, printed was\n{printed}"
