"""`ss.scan`, `ss.watch` and `ss.open_ledger`: work beside the line. `ss.load` is of runtime. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from steelsight.api.progress import Progress, counted_progress
from steelsight.api.settings import ScanSettings, choose
from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable

if TYPE_CHECKING:
    from steelsight.api.results.bundles import ScanResult
    from steelsight.ledger.database.open import Ledger
    from steelsight.ledger.proof.anchors import Anchor
    from steelsight.ledger.proof.verify import Verification
    from steelsight.runtime.scan.job import RunParts
    from steelsight.runtime.scan.options import ScanOptions

__all__ = ["LedgerView", "VerdictRows", "VerdictsWanted", "open_ledger", "scan", "watch"]


class VerdictsWanted(TypedDict, total=False):
    """Which verdicts a ledger lists: `ledger.reading.lists.VerdictFilter`."""

    station: str | None
    coil: str | None
    label: str | None
    state: str | None
    bundle: str | None
    mode: str | None
    since_us: int | None
    until_us: int | None


def scan(
    bundle: Path | str,
    sources: Sequence[Path | str] | Path | str,
    out: Path | str,
    *,
    workers: int | None = None,
    run_parts: RunParts | None = None,
    mixed: bool = False,
    progress: Progress = None,
    options: ScanOptions | None = None,
    **settings: Unpack[ScanSettings],
) -> ScanResult:
    """Scan sheets into Parquet rows, with a report; called again it continues where it was interrupted.

    bundle     BUNDLE folder, or fast or accurate
    sources    image files, folders, patterns, tar and zip archives; s3://BUCKET/PREFIX/
    out        folder, or s3://BUCKET/PREFIX
    workers    processes; None = one a processor core
    run_parts  scans the parts elsewhere, as on a cluster; None = `workers` processes here
    mixed      with `run_parts`: computers of other types may scan parts; each row then tells its processor
    raises     BadBundle, BadSource, BadOutput, BadInput; ScanIncomplete where a worker died
    """
    from steelsight.api.results.bundles import ScanResult
    from steelsight.runtime.scan.options import ScanOptions
    from steelsight.runtime.scan.run import scan as run_scan

    report = run_scan(
        bundle,
        _listed(sources),
        out,
        choose(ScanOptions, options, settings),
        workers=workers,
        progress=counted_progress(progress),
        run_parts=run_parts,
        mixed=mixed,
    )
    return ScanResult(report)


def watch(
    bundle: Path | str,
    folders: Sequence[Path | str] | Path | str,
    out: Path | str,
    *,
    idle: float | None = None,
    progress: Progress = None,
    options: ScanOptions | None = None,
    **settings: Unpack[ScanSettings],
) -> ScanResult:
    """Scan the images of folders as they arrive, until KeyboardInterrupt, which ends it with the result.

    bundle   BUNDLE folder, or fast or accurate
    out      folder; called again with it, images that were scanned are not scanned again
    idle     seconds without a new file after which it ends; None = never
    raises   as `scan`; BadInput for `partition`
    """
    from steelsight.api.results.bundles import ScanResult
    from steelsight.runtime.scan.options import ScanOptions
    from steelsight.runtime.scan.watch import watch as run_watch

    chosen, shown = choose(ScanOptions, options, settings), counted_progress(progress)
    return ScanResult(run_watch(bundle, _listed(folders), out, chosen, idle=idle, progress=shown))


def _listed(sources: Sequence[Path | str] | Path | str) -> list[Path | str]:
    return [sources] if isinstance(sources, str | Path) else list(sources)


@dataclass(frozen=True)
class VerdictRows(NotebookResult):
    """A page of a ledger's verdicts, the newest capture first."""

    rows: tuple[dict[str, Any], ...]
    cursor: str | None  # of the next page; None = this is the last

    @property
    def title(self) -> str:
        """How many, and whether there are more."""
        return f"{len(self.rows)} verdicts" + (", and more" if self.cursor is not None else "")

    def as_dict(self) -> dict[str, Any]:
        """Rows and cursor."""
        values: dict[str, Any] = plain({"rows": self.rows, "cursor": self.cursor})
        return values

    def table(self) -> ResultTable:
        """One row a verdict, with the columns of the ledger's table `verdicts`."""
        titles = tuple(self.rows[0]) if self.rows else ("sheet",)
        return ResultTable(titles, tuple(tuple(row[title] for title in titles) for row in self.rows))


@dataclass(frozen=True)
class LedgerView(AbstractContextManager["LedgerView"]):
    """An open ledger of verdicts and reviews, for reading; use it in a `with`, or close it."""

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
        from steelsight.ledger.reading.lists import VerdictFilter, list_verdicts

        with self.ledger.read() as connection:
            page = list_verdicts(connection, choose(VerdictFilter, None, wanted), limit=limit, cursor=cursor)
        return VerdictRows(page.rows, page.cursor)

    def verify(self, anchors: Sequence[Anchor] = ()) -> Verification:
        """Check every entry, chain and read model; `clean` of the result says whether all is well.

        anchors  kept elsewhere: a chain that was written anew is found against them alone
        """
        from steelsight.ledger.proof.verify import verify

        return verify(self.ledger, anchors)

    def export(self, out: Path | str, form: Literal["parquet", "csv"] = "parquet") -> dict[str, int]:
        """Write one file for each table, without people and texts; returns rows by table."""
        from steelsight.ledger.reading.export import export_tables

        return export_tables(self.ledger, Path(out), form)

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
