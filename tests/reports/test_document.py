"""The report: self-contained, without scripts, every number also in JSON, all text escaped."""

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from steelsight.reports.cells import Cell, Chip, Column, cell_html, cell_text
from steelsight.reports.document import Document
from steelsight.reports.figures.style import figure_svg, new_figure, svg_figures
from steelsight.types import Interval

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>&amp;{{ 7 * 7 }}${x}.jpg"


class _Page(HTMLParser):
    """Collects what the tests ask about."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_data(self, data):
        self.text += data


def _figure() -> Figure:
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1])
    return figure


def _document(name: str = "a.jpg") -> Document:
    document = Document(f"Report on {name}", subtitle=name)
    document.chapter(name, status="done", lead=f"About {name}.\n\nSecond paragraph.")
    document.notice(name, title=name)
    document.facts({name: name, "sheets": 12568})
    document.table(
        [Column(name), Column("AUC", 2), Column("verdict")],
        [[name, Cell(Interval(0.94, 0.92, 0.96), strong=True, note=name), Chip("holds")]],
        caption=name,
        note=name,
    )
    document.figure(_figure(), alt=name, caption=name)
    document.footer({name: name, "data hash": "ab" * 32})
    return document


def test_file_names_with_markup_are_escaped_everywhere():
    page = _Page(_document(HOSTILE).render())
    assert "script" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    sources = [value for name, value in page.attributes if name == "src"]
    assert len(sources) == 1
    assert sources[0].startswith("data:image/png;base64,")
    assert page.text.count("<script>alert('x')</script>") >= 10  # shown as text at each place it was given
    assert "{{ 7 * 7 }}" in page.text
    assert dict(page.attributes)["alt"] == HOSTILE


def test_nothing_is_loaded_from_outside():
    html = _document().render()
    page = _Page(html)
    linked = [value for name, value in page.attributes if name in ("href", "src", "action", "data")]
    assert all(value.startswith(("#", "data:image/png")) for value in linked)
    assert "http" not in html.replace("http-equiv", "")
    assert "url(" not in html
    assert "@import" not in html
    policy = [value for name, value in page.attributes if value and "default-src" in value]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_every_link_has_its_target_and_ids_are_unique():
    document = _document()
    document.chapter("a.jpg")
    document.chapter("top")
    document.chapter("***")
    page = _Page(document.render())
    targets = [value[1:] for name, value in page.attributes if name == "href"]
    assert set(targets) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_json_contains_every_printed_number(tmp_path):
    path = _document().save(tmp_path / "deep" / "report.html", claims=[{"low": float("nan")}])
    companion = json.loads(path.with_suffix(".json").read_text())
    blocks = companion["chapters"][0]["blocks"]
    table = next(block for block in blocks if block["kind"] == "table")
    assert table["rows"][0]["AUC"] == {"estimate": 0.94, "low": 0.92, "high": 0.96, "level": 0.95}
    assert table["rows"][0]["verdict"] == "holds"
    assert next(block for block in blocks if block["kind"] == "facts")["facts"]["sheets"] == 12568
    assert companion["provenance"]["data hash"] == "ab" * 32
    assert companion["claims"] == [{"low": None}]
    assert "0.94 <span" in path.read_text()


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (Interval(0.94, 0.92, 0.9649), 2, "0.94 [0.92, 0.96]"),
        (Interval(0.5, float("nan"), float("nan")), 2, "0.50"),
        (Interval(float("nan"), 0.1, 0.2), 2, "–"),
        (float("nan"), 3, "–"),
        (None, 3, "–"),
        (12568, 3, "12,568"),
        (0.12345, 3, "0.123"),
        (True, 3, "yes"),
        ("a < b", 3, "a < b"),
        (Chip("later"), 3, "later"),
    ],
)
def test_values_have_the_same_text_everywhere(value, digits, text):
    assert cell_text(value, digits) == text
    assert _Page(str(cell_html(value, digits))).text == text


def test_numbers_are_aligned_right_and_words_left():
    document = Document("x")
    document.chapter("x")
    document.table(
        ["name", "count", "chip", Column("forced", align="center")],
        [["a", 1, Chip("holds"), 2.0], ["b", None, None, None]],
    )
    table = document.chapters[0].blocks[0]
    assert [table.align(i) for i in range(4)] == ["left", "right", "left", "center"]


def test_invalid_blocks_are_refused():
    document = Document("x")
    with pytest.raises(ValueError, match="expected an open chapter"):
        document.text("too early")
    document.chapter("x")
    with pytest.raises(ValueError, match="table 'T', row 2: expected 2 cells, got 1"):
        document.table(["a", "b"], [[1, 2], [3]], caption="T")
    with pytest.raises(ValueError, match="expected alternative text for readers who cannot see it, got none"):
        document.figure(_figure(), alt=" ")


def test_the_same_report_gives_the_same_bytes():
    assert _document().render() == _document().render()


def test_numpy_floats_are_formatted():
    assert cell_text(float(np.float64(0.5)), 2) == "0.50"


def test_svg_files_are_written_and_linked_only_where_they_are_wanted(tmp_path: Path) -> None:
    for wanted in (False, True):
        with svg_figures(wanted):
            page = Document("T")
            page.chapter("One")
            page.figure(new_figure()[0], alt="a", id="roc", file="figures/roc_of all")
            page.figure(new_figure()[0], alt="b", id="two")
        page.save(tmp_path / str(wanted) / "page.html", result_files=["numbers.json"])
        written = {path.name for path in (tmp_path / str(wanted) / "figures").iterdir()}
        svg = {"roc_of all.svg", "two.svg"} if wanted else set()
        assert written == {"roc_of all.png"} | svg
        text = (tmp_path / str(wanted) / "page.html").read_text()
        assert ('href="figures/roc_of%20all.svg"' in text, "figures/two.svg" in text) == (wanted, wanted)
        listed = json.loads((tmp_path / str(wanted) / "page.json").read_text())["result_files"]
        assert set(listed) == {
            "numbers.json",
            "page.html",
            "page.json",
            *(f"figures/{name}" for name in written),
        }
    assert figure_svg(new_figure()[0]) == figure_svg(new_figure()[0])


def test_no_zero_has_a_sign() -> None:
    assert cell_text(Interval(-0.0004, -0.0002, 0.0)) == "0.000 [0.000, 0.000]"
    assert cell_text(-0.25, 2) == "-0.25"


@pytest.mark.parametrize(
    ("columns", "intervals", "dense"), [(7, 2, False), (7, 3, True), (5, 3, False), (8, 0, True)]
)
def test_tables_too_wide_for_the_page_are_dense(columns: int, intervals: int, dense: bool) -> None:
    document = Document("t")
    document.chapter("c")
    row = [Interval(0.5, 0.4, 0.6)] * intervals + [0.5] * (columns - intervals)
    document.table([f"c{i}" for i in range(columns)], [row], id="wide")
    assert ('class="table dense"' in document.render()) is dense
