"""How a result shows itself in a notebook and as text, and becomes a table of pandas.

The HTML is a fragment without script and style sheet: tables and pictures that the notebook itself styles.
Whatever comes from files is escaped, in the text too. pandas and Matplotlib are imported when they are used.
"""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup, escape

from steelsight.names import on_one_line, shown_name
from steelsight.reports.cells import cell_html, cell_text
from steelsight.types import Interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["NotebookResult", "ResultTable", "data_frame"]

SHOWN: Final = 20  # rows of a table in a notebook and as text
LONGEST: Final = 60  # characters of a cell as text, beside others to its right
LONGEST_LAST: Final = 500  # of the last cell of a row
DPI: Final = 110  # of a figure in a notebook


@dataclass(frozen=True)
class ResultTable:
    """Columns by title, and one value of each column a row."""

    titles: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def columns(self) -> dict[str, list[Any]]:
        """The columns by title; an interval becomes three: its estimate, `TITLE low` and `TITLE high`."""
        columns: dict[str, list[Any]] = {}
        for index, title in enumerate(self.titles):
            values = [row[index] for row in self.rows]
            if not any(isinstance(value, Interval) for value in values):
                columns[title] = values
                continue
            for name, part in ((title, "estimate"), (f"{title} low", "low"), (f"{title} high", "high")):
                columns[name] = [getattr(value, part, float("nan")) for value in values]
        return columns

    def html(self) -> Markup:
        """The first rows as an HTML table, and how many more there are."""
        heads = Markup("").join(Markup("<th>{}</th>").format(title) for title in self.titles)
        rows = Markup("").join(_row(row) for row in self.rows[:SHOWN])
        table = Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(heads, rows)
        more = len(self.rows) - SHOWN
        return table + (Markup("<p>and {} more rows</p>").format(f"{more:,}") if more > 0 else "")

    def text(self) -> str:
        """The first rows as lines with aligned columns, and how many more there are."""
        rows = [_line(row) for row in (self.titles, *self.rows[:SHOWN])]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        more = len(self.rows) - SHOWN
        return "\n".join(lines + ([f"and {more:,} more rows"] if more > 0 else []))


class NotebookResult(ABC):
    """A result with a title, a table, and perhaps figures."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What it is, in a few words."""

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """Every number, in JSON's own types."""

    @abstractmethod
    def table(self) -> ResultTable:
        """The rows that `to_pandas` gives."""

    def summary(self) -> ResultTable:
        """The rows that a notebook shows."""
        return self.table()

    def figures(self) -> dict[str, Figure]:
        """Matplotlib figures by name, made without pyplot; none where nothing is drawn."""
        return {}

    def to_pandas(self) -> pd.DataFrame:
        """The table as a DataFrame; intervals have three columns, see `ResultTable.columns`.

        raises  ModuleNotFoundError where pandas is not installed, with the command that installs it
        """
        return data_frame(self.table().columns())

    def __str__(self) -> str:
        return f"{shown_name(on_one_line(self.title))}\n{self.summary().text()}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {shown_name(on_one_line(self.title))}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Print as text in IPython."""
        printer.text(repr(self) if cycle else str(self))

    def _repr_html_(self) -> str:
        parts = [Markup("<p><strong>{}</strong></p>").format(self.title), self.summary().html()]
        parts += [_picture(name, figure) for name, figure in self.figures().items()]
        return str(Markup("<div>{}</div>").format(Markup("").join(parts)))


def data_frame(columns: dict[str, list[Any]]) -> pd.DataFrame:
    """A DataFrame of columns of one length; raises ModuleNotFoundError where pandas is not installed."""
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "to_pandas: expected the package pandas, found none; pip install 'steelsight[pandas]', "
            "or use as_dict()",
            name=error.name,
        ) from error
    return pd.DataFrame(columns)


def _row(row: tuple[Any, ...]) -> Markup:
    cells = (Markup("<td>{}</td>").format(_cell(value)) for value in row)
    return Markup("<tr>{}</tr>").format(Markup("").join(cells))


def _cell(value: Any) -> Markup:
    return cell_html(value) if _is_known(value) else escape(str(value))


def _line(row: tuple[Any, ...]) -> list[str]:
    """The cells of a row as text on one line, cut where they are very long."""
    longest = [LONGEST] * (len(row) - 1) + [LONGEST_LAST]
    return [_cell_line(cell, most) for cell, most in zip(row, longest, strict=True)]


def _cell_line(value: Any, longest: int) -> str:
    text = shown_name(on_one_line(cell_text(value) if _is_known(value) else str(value)))
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _is_known(value: Any) -> bool:
    return value is None or isinstance(value, str | bool | int | float | Interval)


def _picture(name: str, figure: Figure) -> Markup:
    from steelsight.reports.figures.style import figure_png

    content = base64.b64encode(figure_png(figure, dpi=DPI)).decode("ascii")
    return Markup('<p><img alt="{}" src="data:image/png;base64,{}" style="max-width:100%"></p>').format(
        name, content
    )
