"""`ss.open_ledger`: an open ledger, and what an auditor or a notebook asks it. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Unpack

from steelsight.api.data import path_or_none
from steelsight.api.ledger.settings import RepeatsWanted, ReviewsWanted, VerdictsWanted
from steelsight.api.ledger.times import TimeLike, microseconds
from steelsight.api.settings import choose
from steelsight.argument_types import checked, fits, got
from steelsight.errors import BadInput

if TYPE_CHECKING:
    from steelsight.adaptation.reviews.options import ReviewExportOptions
    from steelsight.api.ledger.exported_reviews import ReviewExportResult
    from steelsight.api.results.coils import CoilComparisonResult, CoilDefectsResult, CoilRepeatsResult
    from steelsight.api.results.ledger import VerdictRows, VerificationResult
    from steelsight.api.results.quality import QualityResult
    from steelsight.coils.rolls import Roll
    from steelsight.coils.settings import RepeatSettings
    from steelsight.ledger.database.open import Ledger
    from steelsight.ledger.proof.anchors import Anchor

__all__ = ["LedgerView", "open_ledger", "read_anchors"]


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

    @checked
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

    @checked
    def verify(
        self,
        anchors: Sequence[Anchor | Path | str] | Anchor | Path | str = (),
        *,
        public_key: Path | str | None = None,
    ) -> VerificationResult:
        """Check every entry, chain and read model; `clean` of the result says whether all is well.

        anchors     kept elsewhere, one or several, as files or as `anchor` makes them: a chain that was
                    written anew is found against them alone
        public_key  PEM file: every anchor file must be signed by its private key
        raises      BadInput for an anchor file or a key that cannot be used
        """
        from steelsight.api.results.ledger import VerificationResult
        from steelsight.ledger.proof.verify import verify

        return VerificationResult(self.address, verify(self.ledger, read_anchors(anchors, public_key)))

    @checked
    def anchor(self, out: Path | str | None = None, *, key: Path | str | None = None) -> Anchor:
        """The last entry of each writer; keep it where nobody who can change the ledger can change it.

        out     JSON file to write; None = nothing is written
        key     PEM file of an Ed25519 private key, to sign with; None = not signed
        raises  BadInput for a key that cannot be used; BadOutput
        """
        from steelsight.files import write_json
        from steelsight.ledger.proof.anchors import make_anchor

        made = make_anchor(self.ledger, path_or_none(key))
        if out is not None:
            write_json(Path(out), made.as_dict())
        return made

    @checked
    def export(self, out: Path | str, form: Literal["parquet", "csv"] = "parquet") -> dict[str, int]:
        """Write one file for each table, without people and texts, and put that on record.

        returns  rows by table
        raises   BadOutput; LeaseLost where another process writes under the name `ledger`
        """
        from steelsight.ledger.reading.export import export_tables

        with self._recording(form) as rows:
            rows |= export_tables(self.ledger, Path(out), form)
        return rows

    @checked
    def export_reviews(
        self,
        images: Path | str,
        out: Path | str,
        *,
        options: ReviewExportOptions | None = None,
        **settings: Unpack[ReviewsWanted],
    ) -> ReviewExportResult:
        """Write reviewed sheets as a DATA folder, with lists of nuisances, and put that on record.

        images    the ledger's image store: a folder, or a URL such as s3://bucket/images
        out       DATA folder; must not exist, or be empty; names and comments stay out of it
        settings  splits, part, counted, defect_free, boxes, places
        raises    BadInput where there is no such store; BadData for a ledger without reviews, or where no
                  sheet can be exported; BadOutput, BadRecipe; LeaseLost as `export`
        """
        from steelsight.adaptation.reviews.export import export_reviews
        from steelsight.adaptation.reviews.options import ReviewExportOptions
        from steelsight.api.ledger.exported_reviews import ReviewExportResult
        from steelsight.api.ledger.image_stores import open_images

        store = open_images(images)
        chosen = choose(ReviewExportOptions, options, settings)
        with self._recording("data") as rows:
            done = export_reviews(self.ledger, store, Path(out), chosen)
            rows |= {"sheets": done.sheets, "reviews": done.reviews}
        return ReviewExportResult(done)

    @contextmanager
    def _recording(self, form: str) -> Iterator[dict[str, int]]:
        """Yield counts of rows to be filled; where nothing fails, the event of an export holds them."""
        from steelsight.ledger.chain.entries import Event
        from steelsight.ledger.writing.writer import SYSTEM_WRITER, open_writer

        rows: dict[str, int] = {}
        with open_writer(self.ledger, SYSTEM_WRITER) as writer:
            yield rows
            writer.append([Event(name="export", details={"format": form, "rows": rows})])

    @checked
    def quality(
        self,
        *,
        since: TimeLike | None = None,
        until: TimeLike | None = None,
        station: str | None = None,
        clean: str = "none",
        risk: float | None = None,
        coverage: float | None = None,
        seed: int = 0,
    ) -> QualityResult:
        """Escape and overkill from audit draws, with 95 % bounds.

        since     captured at or after: a date, a time or its text such as 2026-11-01; without a zone UTC
        until     captured before, likewise
        station   name of one station; None = all
        clean     label of sheets without a defect
        risk      certified risk of the threshold, above 0 and below 1; None = nothing is compared with it
        coverage  share of sheets answered when it was certified, 0 to 1
        seed      of the draws from confidence distributions
        raises    BadInput for a time, risk or coverage that cannot be used
        """
        import numpy as np

        from steelsight.api.results.quality import QualityResult
        from steelsight.quality.certificate import Certified
        from steelsight.quality.ledger import Period, read_audit
        from steelsight.quality.report import quality_report

        if risk is None and coverage is not None:
            raise BadInput("--coverage: expected --risk with it; give the risk that was certified")
        period = Period(microseconds("--since", since), microseconds("--until", until), station)
        certified = None if risk is None else Certified(risk, coverage)
        with self.ledger.read() as connection:
            data = read_audit(connection, period, clean=clean)
        return QualityResult(quality_report(data, np.random.default_rng(seed), certified=certified))

    @checked
    def defects(self, coil: str, *, tolerance_mm: float = 5.0) -> CoilDefectsResult:
        """A coil's defects along it: a table, a map, and a file by `write`.

        tolerance_mm  largest gap between parts of one defect at a border of images
        raises        BadInput where no sheet of the coil is in the ledger, or for an impossible tolerance
        """
        from steelsight.api.results.coils import CoilDefectsResult
        from steelsight.coils.read import known_defects

        with self.ledger.read() as connection:
            return CoilDefectsResult(coil, *known_defects(connection, coil, tolerance_mm))

    @checked
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

    @checked
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


@checked
def open_ledger(address: Path | str) -> LedgerView:
    """Open a ledger: a file, sqlite:///FILE, or postgresql://USER@HOST/NAME; raises BadLedger."""
    from steelsight.ledger.database.open import open_ledger as open_database

    return LedgerView(open_database(str(address)))


@checked
def read_anchors(
    anchors: Sequence[Anchor | Path | str] | Anchor | Path | str, public_key: Path | str | None = None
) -> tuple[Anchor, ...]:
    """Anchors from their files; those that are anchors already stay as they are.

    public_key  PEM file: every anchor file must be signed by its private key
    raises      BadInput for a file or a key that cannot be used
    """
    from steelsight.ledger.proof.anchors import Anchor, read_anchor

    key = path_or_none(public_key)
    several = (anchors,) if isinstance(anchors, Anchor | Path | str) else anchors
    if not fits(several, Sequence[Any]):
        raise BadInput(f"anchors: expected a list of Anchor or a path, got {got(several)}")
    return tuple(read_anchor(Path(each), key) if isinstance(each, Path | str) else each for each in several)
