"""The demo: a folder of images, or generated sheets, scanned with a bundle into verdicts and a report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from steelsight.reading import read_regular
from steelsight.runtime.bundle.default import default_bundle
from steelsight.runtime.scan.options import ScanOptions
from steelsight.runtime.scan.run import ScanReport, scan

__all__ = ["draw_demo_sheets", "scan_demo"]


def scan_demo(out: Path, images: Path, bundle: Path | None = None) -> ScanReport:
    """Scan a folder of images into `out`/scan, with heatmaps; bundle None = `fast`."""
    return scan(bundle or default_bundle(), [images], out / "scan", ScanOptions(heatmaps=True, fresh=True))


def draw_demo_sheets(
    folder: Path,
    *,
    count: int,
    seed: int,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Path:
    """Generate sheets, equally many of each class, and return the folder of the images.

    Those of an earlier demo with the same count and seed are kept.
    """
    from steelsight.sheets.synthetic import EVEN_SHARES, synth_spec  # needs the extra `synth`
    from steelsight.sheets.synthetic.writer import iterate_written

    spec = synth_spec(seed=seed, count=count, class_shares=EVEN_SHARES, version=2)
    images = folder / "train_images"
    spec_file = folder / "spec.json"
    if (folder / "train.csv").exists():
        try:
            kept = type(spec).model_validate_json(read_regular(spec_file))
        except (OSError, ValueError):  # none, or damaged: the sheets are drawn again
            kept = None
        if kept == spec:
            return images
    for done, _ in enumerate(iterate_written(spec, folder, workers=2, force=True), 1):
        progress(done, count)
    return images
