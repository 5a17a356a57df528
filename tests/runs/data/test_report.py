"""The page of a DATA folder: shares of classes are shares of sheets."""

from __future__ import annotations

import pytest

from steelsight.reports.figures.sheets.distribution import draw_distribution


def shares_of(counts: list[int], sheets: int | None) -> list[str]:
    figure = draw_distribution([f"class {i}" for i in range(len(counts))], counts, sheets=sheets)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    return [text.strip() for text in texts if "%" in text]


@pytest.mark.parametrize(
    ("counts", "sheets", "expected"),
    [
        ([23, 41, 45], 104, ["22.1%", "39.4%", "43.3%"]),  # 5 sheets of two types
        ([23, 41, 45], None, ["21.1%", "37.6%", "41.3%"]),
        ([3, 3], 3, ["100.0%", "100.0%"]),  # every sheet has both types
        ([0, 5], 5, ["0.0%", "100.0%"]),
        ([0], 0, []),
    ],
)
def test_shares_are_of_sheets(counts: list[int], sheets: int | None, expected: list[str]) -> None:
    assert shares_of(counts, sheets) == expected
