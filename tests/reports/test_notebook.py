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


@dataclass(frozen=True, repr=False)
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


def test_as_text_a_result_is_its_title_and_a_table_of_aligned_columns():
    shown = str(Example((("a", Interval(0.5, 0.4, 0.6)), ("long one", 1200), (None, float("nan")))))
    assert shown.splitlines() == [
        HOSTILE,
        f"{HOSTILE}  value",
        f"{'a':<{len(HOSTILE)}}  0.500 [0.400, 0.600]",
        f"{'long one':<{len(HOSTILE)}}  1,200",
        f"{'–':<{len(HOSTILE)}}  –",
    ]
    assert str(Example(())).splitlines() == [HOSTILE, f"{HOSTILE}  value"]
    assert str(Example((("a", 1),) * 25)).splitlines()[-1] == "and 5 more rows"
    cut = str(Example((("x" * 5000, "y" * 5000),))).splitlines()[-1]
    assert cut == f"{'x' * 59}…  {'y' * 499}…"


def test_text_has_no_control_characters_of_files():
    shown = str(Example((("a\x1b[2J\nb", ["\x1b"]), ("gr\udcfcn", 1))))
    assert len(shown.splitlines()) == 4
    assert "\x1b" not in shown
    shown.encode("utf-8")


def test_a_result_in_a_list_is_short_whatever_it_holds():
    assert repr([Example(())]) == f"[<Example: {HOSTILE}>]"


def test_ipython_prints_the_text():
    pretty = pytest.importorskip("IPython.lib.pretty", reason="IPython is not installed").pretty
    example = Example((("a", 1),))
    assert pretty(example) == str(example)
