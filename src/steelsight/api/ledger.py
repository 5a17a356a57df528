"""`ss.open_ledger`: an open ledger, and what an auditor or a notebook asks it. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Unpack

from steelsight.api.ledger_settings import RepeatsWanted, VerdictsWanted
from steelsight.api.settings import choose

if TYPE_CHECKING:
    from steelsight.api.results.coils import CoilComparisonResult, CoilDefectsResult, CoilRepeatsResult
    from steelsight.api.results.ledger import VerdictRows, VerificationResult
    from steelsight.coils.rolls import Roll
    from steelsight.coils.settings import RepeatSettings
    from steelsight.ledger.database.open import Ledger
    from steelsight.ledger.proof.anchors import Anchor

__all__ = ["LedgerView", "open_ledger"]


@dataclass(frozen=True)
class LedgerView(AbstractContextManager["LedgerView"]):
    """An open ledger of verdicts and reviews; use it in a `with`, or close it."""

    ledger: Ledger

    @property
    def id(self) -> str:
        """The ledger's identity, part of every chain."""
        return self.ledger.id

    @property
    def address(self) -> str:
        """Its address without a password."""
        return self.ledger.address

    def verdicts(
        self, *, limit: int = 100, cursor: str | None = None, **wanted: Unpack[VerdictsWanted]
    ) -> VerdictRows:
        """A page of verdicts.

        limit   rows of the page, 1 to 500
        cursor  of the page before
        wanted  station, coil, label, state, bundle, mode ("live" by default), since_us, until_us
        raises  BadInput for a cursor that is not of a page, a limit out of range, or an unknown filter
        """
        from steelsight.api.results.ledger import VerdictRows
        from steelsight.ledger.reading.lists import VerdictFilter, list_verdicts

        with self.ledger.read() as connection:
            page = list_verdicts(connection, choose(VerdictFilter, None, wanted), limit=limit, cursor=cursor)
        return VerdictRows(page.rows, page.cursor)

    def verify(self, anchors: Sequence[Anchor] = ()) -> VerificationResult:
        """Check every entry, chain and read model; `clean` of the result says whether all is well.

        anchors  kept elsewhere: a chain that was written anew is found against them alone
        """
        from steelsight.api.results.ledger import VerificationResult
        from steelsight.ledger.proof.verify import verify

        return VerificationResult(self.address, verify(self.ledger, anchors))

    def export(self, out: Path | str, form: Literal["parquet", "csv"] = "parquet") -> dict[str, int]:
        """Write one file for each table, without people and texts; returns rows by table."""
        from steelsight.ledger.reading.export import export_tables

        return export_tables(self.ledger, Path(out), form)

    def defects(self, coil: str, *, tolerance_mm: float = 5.0) -> CoilDefectsResult:
        """A coil's defects along it: a table, a map, and a file by `write`.

        tolerance_mm  largest gap between parts of one defect at a border of images
        raises        BadInput where no sheet of the coil is in the ledger, or for an impossible tolerance
        """
        from steelsight.api.results.coils import CoilDefectsResult
        from steelsight.coils.read import known_defects

        with self.ledger.read() as connection:
            return CoilDefectsResult(coil, *known_defects(connection, coil, tolerance_mm))

    def repeats(
        self,
        coil: str,
        rolls: Sequence[Roll] | Path | str = (),
        *,
        options: RepeatSettings | None = None,
        **settings: Unpack[RepeatsWanted],
    ) -> CoilRepeatsResult:
        """Defects of a coil that return with the circumference of a roll.

        rolls     that may be named: `coils.rolls.Roll`s, or a CSV file of name, diameter_mm, tolerance_mm
        settings  shortest_m, longest_m, lateral_mm, tolerance_mm, false_alarms
        raises    BadInput where no sheet of the coil is in the ledger, for a table of rolls that cannot be
                  used, and for settings that exclude each other
        """
        from steelsight.api.results.coils import CoilRepeatsResult
        from steelsight.coils.read import repeats_on_coil
        from steelsight.coils.rolls import read_rolls
        from steelsight.coils.settings import RepeatSettings

        chosen = choose(RepeatSettings, options, settings)
        table = read_rolls(Path(rolls)) if isinstance(rolls, Path | str) else tuple(rolls)
        with self.ledger.read() as connection:
            return CoilRepeatsResult(repeats_on_coil(connection, coil, table, chosen))

    def compare_coils(self, coil: str, other: str, *, band_m: float = 10.0) -> CoilComparisonResult:
        """The defects of two coils by type, in all and in bands of metres.

        band_m  width of a band
        raises  BadInput where no sheet of a coil is in the ledger, or for an impossible width
        """
        from steelsight.api.results.coils import CoilComparisonResult
        from steelsight.coils.compare import compare_coils
        from steelsight.coils.read import coil_extent, known_defects

        with self.ledger.read() as connection:
            one, two = (known_defects(connection, each) for each in (coil, other))
            extents = coil_extent(connection, coil, one[0]), coil_extent(connection, other, two[0])
        compared = compare_coils((coil, other), (one[0], two[0]), extents, band_m)
        return CoilComparisonResult(compared, (one[1], two[1]))

    def close(self) -> None:
        """Close every connection."""
        self.ledger.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_ledger(address: Path | str) -> LedgerView:
    """Open a ledger: a file, sqlite:///FILE, or postgresql://USER@HOST/NAME; raises BadLedger."""
    from steelsight.ledger.database.open import open_ledger as open_database

    return LedgerView(open_database(str(address)))
