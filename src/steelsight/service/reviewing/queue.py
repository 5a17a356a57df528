"""Which sheets wait for a reviewer, and in which order.

A queue holds sheets with a live verdict and no review. Sheets drawn for audit are never among them: a draw is
handed out by itself, to reviewers who have not seen its verdict. Known cases are not either.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, select
from sqlalchemy.orm import aliased

from steelsight.ledger.database import schema
from steelsight.ledger.database.reviewing import claims
from steelsight.ledger.reading.disagreements import other_shadow_label
from steelsight.ledger.reading.known_cases import was_known
from steelsight.ledger.reading.review_marks import reviewed_blind, withdrawn
from steelsight.service.bundles import Bundles
from steelsight.service.reviewing.claims import is_taken, not_ended
from steelsight.service.reviewing.seen import was_seen
from steelsight.types import State

__all__ = [
    "BETWEEN_DRAWS",
    "CONSIDERED",
    "Costs",
    "Only",
    "Order",
    "audit_due",
    "count_waiting",
    "waiting_draws",
    "waiting_sheets",
]

CONSIDERED: Final = 2000  # newest waiting sheets that are put in order
BETWEEN_DRAWS: Final = 3  # reviews of other sheets between two draws, where others wait


class Order(StrEnum):
    """What comes first."""

    DOUBT = "doubt"  # least probable labels
    NEWEST = "newest"
    COST = "cost"  # highest expected cost of the verdict being wrong


class Only(StrEnum):
    """Which sheets."""

    ALL = "all"
    UNDECIDED = "undecided"
    DEFECTS = "defects"
    DISAGREED = "disagreed"  # a second bundle, which is not shown, gave another label


@dataclass(frozen=True)
class Costs:
    """What a wrong verdict costs, in any unit."""

    escape: float = 10.0  # a defect that passes
    overkill: float = 1.0  # a good sheet that is refused


def _waiting(connection: Connection, skip: Collection[str]) -> Select[Any]:
    """Last live verdicts of sheets that nobody has claimed, newest capture first."""
    verdicts, later = schema.verdicts, aliased(schema.verdicts)
    newer = exists().where(
        later.c.sheet == verdicts.c.sheet,
        later.c.mode == "live",
        (later.c.entered_us > verdicts.c.entered_us)
        | and_(later.c.entered_us == verdicts.c.entered_us, later.c.seq > verdicts.c.seq),
    )
    query = (
        select(verdicts)
        .where(
            verdicts.c.mode == "live",
            verdicts.c.state != State.BAD_IMAGE.value,
            ~is_taken(connection, verdicts.c.sheet),
            ~newer,
        )
        .order_by(verdicts.c.captured_us.desc(), verdicts.c.writer.desc(), verdicts.c.seq.desc())
    )
    return query.where(verdicts.c.sheet.not_in(list(skip))) if skip else query


def _reviewed(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    reviews = schema.reviews
    return exists().where(reviews.c.sheet == schema.verdicts.c.sheet, ~withdrawn(reviews), *conditions)


def _drawn() -> ColumnElement[bool]:
    return exists().where(schema.draws.c.sheet == schema.verdicts.c.sheet)


def _ordinary(connection: Connection, only: Only, skip: Collection[str], bundles: Bundles) -> Select[Any]:
    verdicts = schema.verdicts
    query = _waiting(connection, skip).where(~_drawn(), ~was_known(verdicts.c.sheet), ~_reviewed())
    if only is Only.UNDECIDED:
        return query.where(verdicts.c.state != State.DECIDED.value)
    if only is Only.DISAGREED:
        return query.where(other_shadow_label(verdicts))
    if only is Only.DEFECTS:
        return query.where(verdicts.c.label.not_in([each.bundle.card.no_defect for _, each in bundles]))
    return query


def waiting_sheets(
    connection: Connection,
    bundles: Bundles,
    order: Order,
    only: Only,
    *,
    skip: Collection[str] = (),
    costs: Costs = Costs(),
) -> list[str]:
    """The newest sheets that wait, at most CONSIDERED, in an order.

    skip  sheets that the reviewer has put off
    """
    rows = connection.execute(_ordinary(connection, only, skip, bundles).limit(CONSIDERED)).all()
    if order is Order.DOUBT:
        rows = sorted(rows, key=lambda row: 0.0 if row.probability is None else row.probability)
    elif order is Order.COST:
        rows = sorted(rows, key=lambda row: -expected_cost(row, bundles, costs))
    return [row.sheet for row in rows]


def expected_cost(row: Any, bundles: Bundles, costs: Costs) -> float:
    """What the verdict of a row costs on average, by its probabilities.

    A label of a defect costs `overkill` where there is none; that of a defect-free sheet costs `escape`
    where there is one.
    """
    inspector = bundles.find(row.bundle)
    clean = None if inspector is None else inspector.bundle.card.no_defect
    probabilities: dict[str, float] = json.loads(row.probabilities)
    multilabel = inspector is not None and inspector.bundle.card.task == "multilabel"
    if multilabel or clean not in probabilities:
        none = 1.0 - max(probabilities.values(), default=1.0)
    else:
        none = probabilities[str(clean)]
    return costs.escape * (1.0 - none) if row.label == clean else costs.overkill * none


def waiting_draws(connection: Connection, person: str, *, skip: Collection[str] = ()) -> list[str]:
    """Sheets drawn for audit that a person may decide blind, the oldest first."""
    verdicts = schema.verdicts
    blind = reviewed_blind(verdicts.c.sheet)
    own = _reviewed(schema.reviews.c.person == person)
    query = _waiting(connection, skip).where(_drawn(), ~blind, ~own, ~was_seen(person, verdicts))
    query = query.order_by(None).order_by(verdicts.c.captured_us, verdicts.c.writer, verdicts.c.seq)
    return [row.sheet for row in connection.execute(query.limit(50))]


def audit_due(connection: Connection, person: str, *, skip: Sequence[str] = ()) -> bool:
    """Whether a person's last reviews were all of ordinary sheets, so that the next one may be a draw.

    skip  sheets that the person has put off or has on the page, the last ones last
    """
    sheets = schema.sheets
    drawn = exists().where(schema.draws.c.sheet == sheets.c.sheet)
    held = select(claims.c.sheet).where(claims.c.person == person, not_ended(connection))
    recent = select(sheets.c.sheet).where(
        sheets.c.sheet.in_(held) | sheets.c.sheet.in_(list(skip[-BETWEEN_DRAWS:])),
        drawn | was_known(sheets.c.sheet),
    )
    if connection.execute(recent.limit(1)).one_or_none() is not None:
        return False
    reviews, marks = schema.reviews, schema.review_marks
    blind = exists().where(marks.c.writer == reviews.c.writer, marks.c.seq == reviews.c.seq, marks.c.blind)
    query = select(blind).where(reviews.c.person == person).order_by(reviews.c.entered_us.desc())
    last: Sequence[bool] = connection.execute(query.limit(BETWEEN_DRAWS)).scalars().all()
    return not any(last)


def count_waiting(connection: Connection, bundles: Bundles, person: str, only: Only) -> int:
    """Ordinary sheets and draws that wait together, the ordinary ones counted up to CONSIDERED.

    The number of draws alone is told to nobody who reviews: known cases would be told from draws by it.
    """
    ordinary = _ordinary(connection, only, (), bundles).limit(CONSIDERED).subquery()
    number = connection.execute(select(func.count()).select_from(ordinary)).scalar_one()
    return int(number) + len(waiting_draws(connection, person))
