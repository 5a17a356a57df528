"""CSV cells that a spreadsheet would run as formulas are written as text and come back as they were."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.csv_text import csv_text, read_cell, written_cell

FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"]
PACKAGE = Path(__file__).parents[1] / "src" / "steelsight"


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_is_written_as_text(formula: str) -> None:
    (row,) = csv.reader(io.StringIO(csv_text([[formula, 1]]), newline=""))
    assert row == [f"'{formula}", "1"]
    assert read_cell(row[0]) == formula


@given(st.text())
def test_every_text_comes_back(text: str) -> None:
    written = str(written_cell(text))
    assert read_cell(written) == text
    assert not re.match(r"[=+\-@\t\r\n]", written)


@given(st.lists(st.text(), min_size=1, max_size=3), st.lists(st.text(), min_size=1, max_size=3))
def test_every_row_comes_back(first: list[str], second: list[str]) -> None:
    rows = csv.reader(io.StringIO(csv_text([first, second]), newline=""))
    assert [[read_cell(cell) for cell in row] for row in rows] == [first, second]


@given(st.lists(st.text(), min_size=2, max_size=2, unique=True))
def test_two_texts_stay_two(texts: list[str]) -> None:
    assert written_cell(texts[0]) != written_cell(texts[1])


def test_numbers_stay_numbers() -> None:
    assert csv_text([(-1, -0.5, None, True)]) == "-1,-0.5,,True\n"


def test_there_is_one_writer() -> None:
    others = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"csv\.(writer|DictWriter)\(", path.read_text(encoding="utf-8"))
    ]
    assert others == ["csv_text.py"]
