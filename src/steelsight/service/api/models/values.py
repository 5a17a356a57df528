"""Values of requests and answers: times, names, cursors, pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from steelsight.ledger.chain.canonical import microseconds_of, time_text
from steelsight.ledger.chain.entries import SAFE_INTEGER
from steelsight.ledger.reading.paging import LONGEST_PAGE

__all__ = [
    "AnswerModel",
    "Cursor",
    "Limit",
    "Moment",
    "PageQuery",
    "Parameters",
    "ShortName",
    "UtcText",
    "public",
    "read_moment",
]

_EXAMPLE: Final = "2026-03-01T06:00:00.000000Z"


def read_moment(value: Any) -> int:
    """Microseconds since 1970-01-01 UTC of an ISO 8601 text with a time zone.

    raises  ValueError for other text, for a time without a zone, and outside of what the ledger holds

    >>> read_moment("2023-11-14T23:13:20.000001+01:00")
    1700000000000001
    """
    text = value.strip() if isinstance(value, str) else ""
    advice = "expected an ISO 8601 time with a zone, such as 2026-03-01T06:00:00Z"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        plus = "; write the + of a zone as %2B in an address" if " " in text else ""
        raise ValueError(f"{advice}, got {value!r:.60}{plus}") from error
    if moment.tzinfo is None:
        raise ValueError(f"{advice}, got {text!r:.60} without; add Z for UTC, or an offset such as +01:00")
    microseconds = microseconds_of(moment)
    if abs(microseconds) > SAFE_INTEGER:
        raise ValueError(f"expected a time within 285 years of 1970, got {text!r:.60}")
    return microseconds


Moment = Annotated[
    int,
    BeforeValidator(read_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": [_EXAMPLE]}),
]
UtcText = Annotated[
    str, WithJsonSchema({"type": "string", "format": "date-time", "examples": [_EXAMPLE]})
]  # of answers
ShortName = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
]  # as entries of the ledger hold names
Cursor = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1000, pattern=r"^[A-Za-z0-9_-]+$"),
    Field(description="`next` of the page before."),
]
Limit = Annotated[int, Field(ge=1, le=LONGEST_PAGE, description="Rows of the page.")]


class Parameters(BaseModel):
    """Parameters of an address; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


class PageQuery(Parameters):
    """Parameters of a list."""

    limit: Limit = 100
    cursor: Cursor | None = None


class AnswerModel(BaseModel):
    """The body of an answer."""

    model_config = ConfigDict(frozen=True)


def public(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the ledger as the API shows it: `captured_us` becomes `captured`, a UTC text."""
    return {
        name.removesuffix("_us"): time_text(value) if name.endswith("_us") and value is not None else value
        for name, value in row.items()
    }
