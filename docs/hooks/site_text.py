"""Markdown of the generated pages: escaped text, tables, headings with stable anchors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["anchor", "code", "escape", "first_sentence", "paragraphs", "table"]

NOTICE: Final = "*This page is generated from the source when the site is built.*\n"
_CODE: Final = re.compile(r"(`+[^`]+`+)")
_SPECIAL: Final = re.compile(r"([\\*_\[\]|#])")


def escape(text: str) -> str:
    """Text as Markdown that shows it unchanged; code between backticks stays code. Lines are joined."""
    parts = _CODE.split(" ".join(text.split()))
    return "".join(part if odd else _plain(part) for odd, part in _alternate(parts))


def code(text: str) -> str:
    """Text as a code span that may stand in a table, whatever it holds; "" for none."""
    text = " ".join(text.split())
    if not text:
        return ""
    shown = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "&#124;")
    for special in "\\`*_[]{}":
        shown = shown.replace(special, f"&#{ord(special)};")
    return f"<code>{shown}</code>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already; "" where there are no rows."""
    lines = [f"| {' | '.join(cell or ' ' for cell in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines]) + "\n"


def paragraphs(text: str) -> str:
    """A docstring as paragraphs; indented ones are shown as they are."""
    shown = []
    for block in text.strip("\n").split("\n\n"):
        if block.strip():
            shown.append(f"```text\n{block.rstrip()}\n```" if block.startswith("  ") else escape(block))
    return "\n\n".join(shown) + "\n"


def first_sentence(text: str) -> str:
    """The first sentence of a docstring, escaped."""
    block = " ".join(text.strip().split("\n\n")[0].split())
    return escape(re.split(r"(?<=[.!?])\s", block)[0])


def anchor(text: str) -> str:
    """An anchor of lower-case words joined by hyphens."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))


def _alternate(parts: Sequence[str]) -> Iterable[tuple[bool, str]]:
    return ((bool(number % 2), part) for number, part in enumerate(parts))


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text).replace("<", "&lt;").replace(">", "&gt;").replace("`", "&#96;")
