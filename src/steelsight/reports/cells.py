"""Values in a report as text and HTML: numbers, intervals, status chips."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup, escape

from steelsight.types import Interval

__all__ = ["Cell", "Chip", "Column", "Tone", "Value", "cell_html", "cell_text", "probability_text"]

Tone = Literal["good", "bad", "open", "off"]
Align = Literal["left", "right", "center"]

_TONES: dict[str, Tone] = {
    "done": "good",
    "later": "open",
    "not possible": "off",
    "holds": "good",
    "does not hold": "bad",
    "undecided here": "open",
    "not tested here": "off",
}
NOTHING = "–"


@dataclass(frozen=True)
class Chip:
    """A status shown as a small coloured word; the meaning does not depend on the colour."""

    label: str
    tone: Tone | None = None  # None: the tone of a known status, "off" for others

    @property
    def colour(self) -> Tone:
        """The tone of this chip."""
        return self.tone or _TONES.get(self.label, "off")

    def plain(self) -> str:
        """The word, for JSON."""
        return self.label


Value = str | bool | int | float | Interval | Chip | None


@dataclass(frozen=True)
class Cell:
    """A value with emphasis or a note."""

    value: Value
    strong: bool = False  # the best of its column
    note: str = ""  # small print under the value

    def plain(self) -> Value:
        """The value, for JSON."""
        return self.value


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    title: str
    digits: int = 3  # decimal places of floats and intervals
    unit: str = ""
    align: Align | None = None  # None: right for numbers, left for words


def cell_text(value: Value, digits: int = 3) -> str:
    """A value as text.

    >>> cell_text(Interval(0.94, 0.92, 0.9649), digits=2)
    '0.94 [0.92, 0.96]'
    >>> cell_text(float("nan")), cell_text(12568), cell_text(0.5, 1)
    ('–', '12,568', '0.5')
    >>> cell_text(-0.0004)
    '0.000'
    """
    if isinstance(value, Interval):
        estimate = cell_text(value.estimate, digits)
        if estimate == NOTHING or math.isnan(value.low) or math.isnan(value.high):
            return estimate
        return f"{estimate} [{value.low:z.{digits}f}, {value.high:z.{digits}f}]"
    if isinstance(value, Chip):
        return value.label
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:z,.{digits}f}" if isinstance(value, float) else value


def probability_text(probability: float) -> str:
    """A probability with two digits, and with three where two would say that it is certain.

    >>> [probability_text(p) for p in (0.53, 0.998, 0.0004, 0.99996, 1.0)]
    ['0.53', '0.998', '<0.001', '>0.999', '1.00']
    """
    for digits in (2, 3):
        text = f"{probability:.{digits}f}"
        if probability in (0, 1) or 0 < float(text) < 1:
            return text
    return "<0.001" if probability < 0.5 else ">0.999"


def cell_html(value: Value, digits: int = 3) -> Markup:
    """A value as escaped HTML, with bounds of intervals in small print and statuses as chips."""
    text = cell_text(value, digits)
    if isinstance(value, Interval) and " " in text:
        estimate, bounds = text.split(" ", 1)
        return Markup('{} <span class="bounds">{}</span>').format(estimate, bounds)
    if isinstance(value, Chip):
        return Markup('<span class="chip {}">{}</span>').format(value.colour, text)
    return escape(text)
