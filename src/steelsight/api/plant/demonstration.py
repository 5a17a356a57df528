"""What `steelsight demo` does: generated sheets, or a folder of images, scanned with a bundle. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from steelsight.api.data import path_or_none
from steelsight.api.progress import Progress, counted_progress
from steelsight.argument_types import checked

if TYPE_CHECKING:
    from steelsight.api.results.bundles import ScanResult

__all__ = ["draw_demo_sheets", "scan_demo"]


@checked
def draw_demo_sheets(out: Path | str, *, count: int, seed: int = 0, progress: Progress = None) -> Path:
    """Draw sheets into `out`/sheets, equally many of each class; those of an earlier call are kept.

    returns  the folder of the images
    raises   BadRecipe for a number that cannot be drawn; ModuleNotFoundError without the extra `[synth]`
    """
    from steelsight.runs.plant.demo import draw_demo_sheets as draw

    return draw(Path(out) / "sheets", count=count, seed=seed, progress=counted_progress(progress))


@checked
def scan_demo(out: Path | str, images: Path | str, bundle: Path | str | None = None) -> ScanResult:
    """Scan a folder of images into `out`/scan, with heatmaps and a report; an earlier scan there is removed.

    bundle  BUNDLE folder, or fast or accurate; None = fast
    raises  as `ss.scan`
    """
    from steelsight.api.results.bundles import ScanResult
    from steelsight.runs.plant.demo import scan_demo as scan_images

    return ScanResult(scan_images(Path(out), Path(images), path_or_none(bundle)))
