"""`ss.scan` and `ss.watch`: sheets in folders, archives and object storage. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from steelsight.api.plant.settings import ScanSettings
from steelsight.api.progress import Progress, counted_progress
from steelsight.api.settings import choose
from steelsight.argument_types import checked

if TYPE_CHECKING:
    from steelsight.api.results.bundles import ScanResult
    from steelsight.runtime.scan.job import RunParts
    from steelsight.runtime.scan.options import ScanOptions

__all__ = ["scan", "watch"]


@checked
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


@checked
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
    folders  one or several, in which images arrive
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
