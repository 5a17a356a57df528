"""Results of asking a ledger: pages of verdicts, and a check of every entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable

if TYPE_CHECKING:
    from steelsight.ledger.proof.anchors import Head
    from steelsight.ledger.proof.verify import Finding, Verification

__all__ = ["VerdictRows", "VerificationResult"]


@dataclass(frozen=True, repr=False)
class VerdictRows(NotebookResult):
    """A page of a ledger's verdicts, the newest capture first."""

    rows: tuple[dict[str, Any], ...]
    cursor: str | None  # of the next page; None = this is the last

    @property
    def title(self) -> str:
        """How many, and whether there are more."""
        count = len(self.rows)
        return f"{count} verdict{'s' * (count != 1)}" + (", and more" if self.cursor is not None else "")

    def as_dict(self) -> dict[str, Any]:
        """Rows and cursor."""
        values: dict[str, Any] = plain({"rows": self.rows, "cursor": self.cursor})
        return values

    def table(self) -> ResultTable:
        """One row a verdict, with the columns of the ledger's table `verdicts`."""
        titles = tuple(self.rows[0]) if self.rows else ("sheet",)
        return ResultTable(titles, tuple(tuple(row[title] for title in titles) for row in self.rows))

    def summary(self) -> ResultTable:
        """One row a verdict: the sheet, when and where it was captured, and what was decided."""
        titles = ("sheet", "captured", "station", "coil", "m", "label", "probability", "state", "reason")
        return ResultTable(titles, tuple(map(_shown, self.rows)))


@dataclass(frozen=True, eq=False, repr=False)
class VerificationResult(NotebookResult):
    """What a check of every entry, chain and read model found."""

    address: str  # of the ledger, without a password
    verification: Verification  # all of it; its fields are not part of the API's promise

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return self.verification.clean

    @property
    def entries(self) -> int:
        """Number of entries that were read."""
        return self.verification.entries

    @property
    def heads(self) -> Mapping[str, Head]:
        """The last entry of each writer: its number and its hash."""
        return self.verification.heads

    @property
    def findings(self) -> Sequence[Finding]:
        """What is wrong: kind, writer, number of the entry and a message."""
        return self.verification.findings

    @property
    def title(self) -> str:
        """The ledger, and whether it verifies."""
        found = f"{self.entries:,} entries of {len(self.heads)} writers verify"
        if not self.clean:
            found = f"{len(self.findings):,} findings in {self.entries:,} entries"
        return f"{self.address}: {found}"

    def as_dict(self) -> dict[str, Any]:
        """Whether it is clean, the number of entries, heads and findings."""
        values: dict[str, Any] = plain(self.verification.as_dict())
        return values

    def table(self) -> ResultTable:
        """One row a finding; none where nothing is wrong."""
        rows = ((each.kind, each.writer, each.seq, each.message) for each in self.findings)
        return ResultTable(("finding", "writer", "entry", "message"), tuple(rows))

    def summary(self) -> ResultTable:
        """The findings; where there are none, the last entry of each writer."""
        if not self.clean:
            return self.table()
        rows = ((name, head.seq, head.digest) for name, head in self.heads.items())
        return ResultTable(("writer", "last entry", "hash"), tuple(rows))


def _shown(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """A verdict as a reader sees it; the time is UTC."""
    from steelsight.ledger.chain.canonical import time_text

    captured = time_text(row["captured_us"])
    place = (row["station"], row["coil"], row["position_m"])
    return row["sheet"], captured, *place, row["label"], row["probability"], row["state"], row["reason"]
