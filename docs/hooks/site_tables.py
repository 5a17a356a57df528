"""Tables of the reference: a cell knows its column's title, so that a narrow screen shows a row as a list."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["titled_cells"]

_TABLE: Final = re.compile(r"<table>.*?</table>", re.DOTALL)
_HEAD: Final = re.compile(r"<th\b[^>]*>(.*?)</th>", re.DOTALL)
_ROW: Final = re.compile(r"<tr>.*?</tr>", re.DOTALL)
_TAG: Final = re.compile(r"<[^>]+>")


def titled_cells(html: str) -> str:
    """A page's HTML with `data-title` at each cell of its tables: the text of the column's head.

    html  of Markdown tables, which hold no table in a cell
    """
    return _TABLE.sub(lambda found: _titled(found[0]), html)


def _titled(table: str) -> str:
    titles = [" ".join(_TAG.sub("", head).split()).replace('"', "&quot;") for head in _HEAD.findall(table)]

    def row(found: re.Match[str]) -> str:
        before, *cells = re.split(r"<td\b", found[0])
        named = zip(titles, cells, strict=bool(cells))
        return before + "".join(f'<td data-title="{title}"{cell}' for title, cell in named)

    return _ROW.sub(row, table)
