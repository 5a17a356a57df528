"""What every result of the API gives: JSON numbers, a table, figures, and HTML for a notebook."""

from __future__ import annotations

import json

from matplotlib.figure import Figure

from steelsight.reports.notebook import NotebookResult


def check_result(result: NotebookResult) -> None:
    """A result shows itself, and its numbers are JSON."""
    assert json.loads(json.dumps(result.as_dict(), allow_nan=False)) == result.as_dict()
    table = result.table()
    assert all(len(row) == len(table.titles) for row in table.rows)
    assert len(result.to_pandas()) == len(table.rows)
    assert all(isinstance(figure, Figure) for figure in result.figures().values())
    shown = result._repr_html_()
    assert shown.startswith("<div><p><strong>")
    assert shown.count("<img ") == len(result.figures())
    assert "<script" not in shown
    assert str(result).count("\n") >= len(result.summary().rows[:20]) + 1
    printing = next(
        each for each in type(result).__mro__ if {"_repr_pretty_", "__repr__"} & vars(each).keys()
    )
    assert "_repr_pretty_" in vars(printing)  # IPython asks the first class that has one of them
    assert len(repr(result)) < 1000  # a title or a few fields, however large the result is
