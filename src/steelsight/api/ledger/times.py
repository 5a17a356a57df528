"""Times that a call takes: text, dates and times, as microseconds since 1970."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from steelsight.errors import BadInput

__all__ = ["TimeLike", "microseconds"]

TimeLike = datetime | date | str


def microseconds(name: str, moment: TimeLike | None) -> int | None:
    """Microseconds since 1970-01-01 UTC of a date or time; without a zone it is UTC; None stays None.

    name    of the option, for the message
    raises  BadInput for text that is neither a date nor a time
    """
    from steelsight.ledger.chain.canonical import microseconds_of

    if moment is None:
        return None
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError as error:
            raise BadInput(
                f"{name}: expected a date or time such as 2026-11-01T06:00Z, got {moment!r:.60}"
            ) from error
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return microseconds_of(moment)
