"""One report: chapters of text, tables and figures, written as one HTML file and one JSON file beside it.

The HTML is self-contained: style and pictures are embedded, there is no script, and a content security policy
forbids loading anything. All given text is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from steelsight.files import dump_json, replace_files
from steelsight.plain import plain
from steelsight.reports.blocks import Block, Chapter, Facts, FigureBlock, Notice, TableBlock, Text
from steelsight.reports.cells import Cell, Chip, Column, Value, cell_html
from steelsight.reports.figures.style import figure_png

__all__ = ["Cell", "Chip", "Column", "Document"]


class Document:
    """A report under construction; blocks are added to the chapter opened last.

    title     what the report is about
    subtitle  one line: the data, the model, the day
    """

    def __init__(self, title: str, *, subtitle: str = "") -> None:
        self.title = title
        self.subtitle = subtitle
        self.chapters: list[Chapter] = []
        self.provenance: dict[str, Value] = {}
        self._ids: set[str] = {"top", "provenance"}

    def chapter(self, title: str, *, status: str = "", lead: str = "", id: str = "") -> None:
        """Open a chapter; `status` (done, later, not possible) is shown as a chip beside the title."""
        self.chapters.append(Chapter(self._new_id(id or title), title, status))
        if lead:
            self.text(lead)

    def text(self, text: str) -> None:
        """Add paragraphs, separated by empty lines in the text."""
        for paragraph in re.split(r"\n\s*\n", text.strip()):
            self._add(Text(" ".join(paragraph.split())))

    def notice(self, text: str, *, title: str = "") -> None:
        """Add a highlighted paragraph: a limitation or a warning."""
        self._add(Notice(text, title))

    def facts(self, facts: Mapping[str, Value]) -> None:
        """Add names with values."""
        self._add(Facts(tuple(facts.items())))

    def table(
        self,
        columns: Sequence[str | Column],
        rows: Iterable[Sequence[Value | Cell]],
        *,
        caption: str = "",
        note: str = "",
        id: str = "",
    ) -> None:
        """Add a table; a cell is a value or a `Cell`.

        raises  ValueError when a row has another number of cells than there are columns
        """
        heads = tuple(column if isinstance(column, Column) else Column(column) for column in columns)
        body = tuple(tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in row) for row in rows)
        for number, row in enumerate(body, start=1):
            if len(row) != len(heads):
                raise ValueError(
                    f"table {caption or id!r}, row {number}: expected {len(heads)} cells, got {len(row)}"
                )
        self._add(TableBlock(self._new_id(id or caption or "table"), heads, body, caption, note))

    def figure(self, figure: Figure | bytes, *, alt: str, caption: str = "", id: str = "") -> None:
        """Add a figure or PNG bytes; `alt` describes it in words.

        raises  ValueError when `alt` is empty
        """
        if not alt.strip():
            raise ValueError(
                f"figure {caption or id!r}: expected alternative text for readers who cannot see it, got "
                "none; pass alt"
            )
        png = figure if isinstance(figure, bytes) else figure_png(figure)
        self._add(FigureBlock(self._new_id(id or caption or "figure"), png, alt, caption))

    def footer(self, facts: Mapping[str, Value]) -> None:
        """Add provenance: environment, seeds, data hash; later calls add to it."""
        self.provenance.update(facts)

    def render(self) -> str:
        """The whole report as one HTML page."""
        facts = [(name, cell_html(value)) for name, value in self.provenance.items()]
        return _templates().get_template("document.html").render(document=self, facts=facts)

    def as_dict(self) -> dict[str, Any]:
        """The report without pictures, with every number it shows."""
        return {
            "title": self.title,
            "subtitle": self.subtitle,
            "chapters": [chapter.as_dict() for chapter in self.chapters],
            "provenance": plain(self.provenance),
        }

    def save(self, path: Path, **extra: Any) -> Path:
        """Write `path` (HTML) and the same name with .json; `extra` is added to the JSON's top level.

        raises  BadOutput when a file cannot be written; both files are then as they were
        """
        numbers = dump_json({**self.as_dict(), **extra}, indent=1)
        replace_files({path: self.render(), path.with_suffix(".json"): numbers})
        return path

    def pictures(self) -> list[tuple[str, bytes]]:
        """Every figure by its id, as PNG, in reading order."""
        blocks = (block for chapter in self.chapters for block in chapter.blocks)
        return [(block.id, block.png) for block in blocks if isinstance(block, FigureBlock)]

    def _add(self, block: Block) -> None:
        if not self.chapters:
            raise ValueError("expected an open chapter, got a block before the first; call chapter() first")
        self.chapters[-1].blocks.append(block)

    def _new_id(self, text: str) -> str:
        """A short name for links, unique in this document."""
        stem = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "part"
        name, number = stem, 2
        while name in self._ids:
            name, number = f"{stem}-{number}", number + 1
        self._ids.add(name)
        return name


def _templates() -> jinja2.Environment:
    loader = jinja2.PackageLoader("steelsight.reports")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["cell"] = cell_html
    environment.globals["NARROW"] = 450  # px; narrower figures are placed two per line
    environment.globals["chip"] = lambda label: cell_html(Chip(label))
    environment.globals["tone"] = lambda label: Chip(label).colour
    environment.globals["style"] = Markup(loader.get_source(environment, "document.css")[0])  # our own file
    return environment
