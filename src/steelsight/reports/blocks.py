"""Blocks of a chapter (texts, facts, tables, figures), each with its JSON form."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from steelsight.plain import plain
from steelsight.reports.cells import Cell, Column, Value, cell_html
from steelsight.types import Interval

CSS_PER_PIXEL = 110 / 160  # figures have 160 dots per inch; eight inches fill the text column of 880 px
MANY_COLUMNS, MANY_INTERVALS, MANY_TOGETHER = 7, 3, 9  # wider tables are set in narrow type

__all__ = ["Block", "Chapter", "Facts", "FigureBlock", "Notice", "TableBlock", "Text"]


@dataclass(frozen=True)
class Text:
    """One paragraph."""

    kind: ClassVar[str] = "text"
    text: str

    def as_dict(self) -> dict[str, Any]:
        """The paragraph for the JSON companion."""
        return {"kind": self.kind, "text": self.text}


@dataclass(frozen=True)
class Notice:
    """A highlighted paragraph: a limitation or a warning about the numbers around it."""

    kind: ClassVar[str] = "notice"
    text: str
    title: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The notice for the JSON companion."""
        return {"kind": self.kind, "title": self.title, "text": self.text}


@dataclass(frozen=True)
class Facts:
    """A list of names with values."""

    kind: ClassVar[str] = "facts"
    facts: tuple[tuple[str, Value], ...]

    def as_dict(self) -> dict[str, Any]:
        """The facts for the JSON companion."""
        return {"kind": self.kind, "facts": {name: plain(value) for name, value in self.facts}}

    def entries(self) -> list[tuple[str, str]]:
        """Names with the HTML of their values."""
        return [(name, cell_html(value)) for name, value in self.facts]


@dataclass(frozen=True)
class TableBlock:
    """A table; every row has one cell per column."""

    kind: ClassVar[str] = "table"
    id: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Rows as objects keyed by column title."""
        titles = [column.title for column in self.columns]
        rows = [dict(zip(titles, (plain(cell) for cell in row), strict=True)) for row in self.rows]
        return {"kind": self.kind, "id": self.id, "caption": self.caption, "columns": titles, "rows": rows}

    @property
    def dense(self) -> bool:
        """Whether the table needs narrow type, with bounds below the estimates, to fit the page."""
        bounded = sum(
            any(isinstance(row[i].value, Interval) for row in self.rows) for i in range(len(self.columns))
        )
        columns = len(self.columns)
        return columns > MANY_COLUMNS or bounded > MANY_INTERVALS or columns + bounded > MANY_TOGETHER

    def align(self, index: int) -> str:
        """Alignment of a column: its own, or right for numbers and left for words."""
        chosen = self.columns[index].align
        if chosen:
            return chosen
        values = [row[index].value for row in self.rows if row[index].value is not None]
        words = any(isinstance(value, str) or hasattr(value, "label") for value in values)
        return "left" if words or not values else "right"


@dataclass(frozen=True)
class FigureBlock:
    """A picture with alternative text."""

    kind: ClassVar[str] = "figure"
    id: str
    png: bytes = field(repr=False)
    alt: str
    caption: str = ""
    file: str = ""  # name of its files beside the page, without suffix
    png_file: bool = False  # whether the picture is a file of its own too
    svg: bytes | None = field(default=None, repr=False)  # None = none was asked for

    @property
    def files(self) -> dict[str, bytes]:
        """The files of this figure by their names, relative to the page."""
        files = {f"{self.file}.png": self.png} if self.png_file else {}
        return files if self.svg is None else files | {f"{self.file}.svg": self.svg}

    @property
    def width_px(self) -> int:
        """Width in the page at which type has the same size in all figures."""
        pixels = int.from_bytes(self.png[16:20], "big")  # PNG's first chunk begins with the width
        return round(pixels * CSS_PER_PIXEL)

    @property
    def uri(self) -> str:
        """The picture as a data URI, so that the report is one file."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")

    def as_dict(self) -> dict[str, Any]:
        """Everything but the pixels."""
        return {"kind": self.kind, "id": self.id, "alt": self.alt, "caption": self.caption}


Block = Text | Notice | Facts | TableBlock | FigureBlock


@dataclass
class Chapter:
    """A heading with its blocks, in reading order."""

    id: str
    title: str
    status: str = ""
    blocks: list[Block] = field(default_factory=list)

    def as_dict(self) -> Mapping[str, Any]:
        """The chapter for the JSON companion."""
        blocks = [block.as_dict() for block in self.blocks]
        return {"id": self.id, "title": self.title, "status": self.status or None, "blocks": blocks}
