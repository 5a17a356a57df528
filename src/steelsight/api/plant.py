"""`ss.scan`: sheets in folders, archives and object storage. `ss.load` is runtime's own. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from steelsight.api.progress import Progress, counted_progress
from steelsight.api.settings import ScanSettings, choose

if TYPE_CHECKING:
    from steelsight.api.results.bundles import ScanResult
    from steelsight.runtime.scan.options import ScanOptions

__all__ = ["scan"]


def scan(
    bundle: Path | str,
    sources: Sequence[Path | str] | Path | str,
    out: Path | str,
    *,
    workers: int | None = None,
    progress: Progress = None,
    options: ScanOptions | None = None,
    **settings: Unpack[ScanSettings],
) -> ScanResult:
    """Scan sheets into Parquet rows, with a report; called again it continues where it was interrupted.

    bundle    BUNDLE folder, or fast or accurate
    sources   image files, folders, patterns, tar and zip archives; s3://BUCKET/PREFIX/
    out       folder, or s3://BUCKET/PREFIX
    workers   processes; None = one a processor core
    raises    BadBundle, BadSource, BadOutput, BadInput; ScanIncomplete where a worker died
    """
    from steelsight.api.results.bundles import ScanResult
    from steelsight.runtime.scan.options import ScanOptions
    from steelsight.runtime.scan.run import scan as run_scan

    chosen = choose(ScanOptions, options, settings)
    listed = [sources] if isinstance(sources, str | Path) else list(sources)
    shown = counted_progress(progress)
    return ScanResult(run_scan(bundle, listed, out, chosen, workers=workers, progress=shown))
