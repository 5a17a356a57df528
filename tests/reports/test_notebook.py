"""Results in a notebook: what comes from files is escaped, long tables end, intervals become columns."""

from __future__ import annotations

import builtins
import math
from dataclasses import dataclass
from html.parser import HTMLParser

import pytest

from steelsight.reports.figures.style import new_figure
from steelsight.reports.notebook import NotebookResult, ResultTable
from steelsight.types import Interval

HOSTILE = "<script>alert(1)</script>&\"'"


@dataclass(frozen=True)
class Example(NotebookResult):
    rows: tuple
    drawn: bool = False

    @property
    def title(self):
        return HOSTILE

    def as_dict(self):
        return {}

    def table(self):
        return ResultTable((HOSTILE, "value"), self.rows)

    def figures(self):
        return {HOSTILE: new_figure()[0]} if self.drawn else {}


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def test_what_comes_from_files_is_escaped():
    reader = Tags()
    reader.feed(Example(((HOSTILE, 1.0), ([HOSTILE], None)), drawn=True)._repr_html_())
    assert {tag for tag, _ in reader.seen} <= {*("div", "p", "strong", "table", "thead", "tbody")} | {
        *("tr", "th", "td", "img")
    }
    assert reader.text.count(HOSTILE) == 3  # title, head, cell
    (image,) = (attributes for tag, attributes in reader.seen if tag == "img")
    assert image["alt"] == HOSTILE
    assert image["src"].startswith("data:image/png;base64,")


def test_a_long_table_says_how_many_rows_are_left_out():
    shown = Example(tuple((str(row), row) for row in range(25)))._repr_html_()
    assert shown.count("<tr>") == 1 + 20
    assert "and 5 more rows" in shown
    assert "more rows" not in Example((("a", 1),) * 20)._repr_html_()


def test_an_interval_becomes_three_columns():
    frame = Example((("a", Interval(0.5, 0.4, 0.6)), ("b", None))).to_pandas()
    assert frame.columns.tolist() == [HOSTILE, "value", "value low", "value high"]
    assert frame.iloc[0, 1:].tolist() == [0.5, 0.4, 0.6]
    assert all(math.isnan(value) for value in frame.iloc[1, 1:])


def test_an_empty_table_has_its_columns():
    assert Example(()).to_pandas().columns.tolist() == [HOSTILE, "value"]


def test_without_pandas_the_message_says_how_to_install_it(monkeypatch):
    known = builtins.__import__

    def missing(name, *others, **more):
        if name == "pandas":
            raise ModuleNotFoundError("No module named 'pandas'", name="pandas")
        return known(name, *others, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'steelsight\[pandas\]'") as raised:
        Example(()).to_pandas()
    assert raised.value.name == "pandas"
