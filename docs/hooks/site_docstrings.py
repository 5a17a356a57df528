"""An extension of griffe: the aligned columns of our docstrings become lists that mkdocstrings can show.

    images  (n, h, w) uint8            - `images`: (n, h, w) uint8, more of it
            more of it                 - `raises`: BadInput
    raises  BadInput

Examples after >>> become blocks of code; indented blocks stay. The comment behind a typed field of a class is
the field's docstring; a field without a comment is shown too.
"""

from __future__ import annotations

import io
import re
import textwrap
import tokenize
from typing import Any, Final

import griffe

__all__ = ["Columns", "as_markdown", "field_comment"]

_ROW: Final = re.compile(r"^(?P<name>[\w.*`\[\]]+(?:,? [\w.*`-]+){0,3})\s{2,}(?P<text>\S.*)$")


def as_markdown(text: str) -> str:
    """A docstring as Markdown."""
    return "\n\n".join(_block(block) for block in text.split("\n\n"))


def _block(block: str) -> str:
    lines = block.splitlines()
    if lines and lines[0].startswith(">>>"):
        return "\n".join(["```pycon", *lines, "```"])
    if not lines or lines[0].startswith("    ") or not any(map(_ROW.match, lines)):
        return block
    shown: list[str] = []
    for line in lines:
        if found := _ROW.match(line):
            shown += [] if not shown or shown[-1].startswith("- ") else [""]
            shown.append(f"- `{found['name'].strip('`')}`: {found['text']}")
        elif line.startswith(" ") and shown:
            shown[-1] += f" {line.strip()}"
        else:
            shown += ["", line] if shown and shown[-1].startswith("- ") else [line]
    return "\n".join(shown)


def field_comment(source: str) -> str:
    """The comment in the source of a field; empty where it has none."""
    tokens = tokenize.generate_tokens(io.StringIO(textwrap.dedent(source)).readline)
    return " ".join(each.string.lstrip("# ") for each in tokens if each.type == tokenize.COMMENT)


class Columns(griffe.Extension):
    """Changes every docstring of the objects that are loaded."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of one object."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Take the comment behind a typed field of a class as its docstring."""
        is_field = attr.annotation is not None and attr.parent is not None and attr.parent.is_class
        if is_field and attr.docstring is None:
            attr.docstring = griffe.Docstring(field_comment("\n".join(attr.lines)), parent=attr)
