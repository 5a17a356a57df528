"""How often people choose another action than the recommended one, by rule.

Reviews that were withdrawn do not count. A person need not choose: such reviews are counted apart and speak
neither for nor against a rule.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, select

from steelsight.evaluation.intervals.exact import clopper_pearson
from steelsight.ledger.database import schema
from steelsight.ledger.reading.review_marks import withdrawn
from steelsight.quality.ledger import Period

__all__ = ["RuleCount", "read_rule_counts", "together"]


@dataclass(frozen=True)
class RuleCount:
    """Reviews to which one rule recommended one action."""

    rule: str  # empty: all rules together
    action: str
    chosen: tuple[tuple[str, int], ...]  # reviews by the action that was chosen
    not_chosen: int  # reviews without a choice

    @property
    def asked(self) -> int:
        """Reviews with a choice."""
        return sum(number for _, number in self.chosen)

    @property
    def differing(self) -> int:
        """Reviews with another choice than the recommended action."""
        return sum(number for action, number in self.chosen if action != self.action)

    @property
    def bounds(self) -> tuple[float, float]:
        """Exact 95 % bounds of the share of choices that differ."""
        return clopper_pearson(self.differing, self.asked)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        low, high = self.bounds
        counts = {"chosen": dict(self.chosen), "not_chosen": self.not_chosen}
        found = {"differing": self.differing, "asked": self.asked, "low": low, "high": high}
        return {"rule": self.rule, "action": self.action, **counts, **found}


def read_rule_counts(connection: Connection, period: Period = Period()) -> tuple[RuleCount, ...]:
    """The counts of each rule over the reviewed sheets of a period, by name of the rule."""
    table, reviews, verdicts = schema.recommendations, schema.reviews, schema.verdicts
    columns = (table.c.rule, table.c.action, table.c.chosen)
    query = (
        select(*columns, func.count().label("reviews"))
        .select_from(table)
        .join(reviews, and_(reviews.c.writer == table.c.writer, reviews.c.seq == table.c.seq))
        .join(
            verdicts,
            and_(verdicts.c.writer == reviews.c.verdict_writer, verdicts.c.seq == reviews.c.verdict_seq),
        )
        .where(~withdrawn(reviews), *period.limits(verdicts))
        .group_by(*columns)
        .order_by(*columns)
    )
    found: dict[tuple[str, str], dict[str | None, int]] = defaultdict(dict)
    for row in connection.execute(query):
        found[row.rule, row.action][row.chosen] = int(row.reviews)
    return tuple(_count(rule, action, chosen) for (rule, action), chosen in sorted(found.items()))


def together(counts: Iterable[RuleCount]) -> tuple[RuleCount, ...]:
    """The same by recommended action alone, over all rules."""
    found: dict[str, dict[str | None, int]] = defaultdict(lambda: defaultdict(int))
    for each in counts:
        found[each.action][None] += each.not_chosen
        for action, number in each.chosen:
            found[each.action][action] += number
    return tuple(_count("", action, chosen) for action, chosen in sorted(found.items()))


def _count(rule: str, action: str, chosen: dict[str | None, int]) -> RuleCount:
    named = tuple(sorted((name, number) for name, number in chosen.items() if name is not None))
    return RuleCount(rule, action, named, chosen.get(None, 0))
