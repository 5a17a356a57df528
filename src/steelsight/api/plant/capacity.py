"""`ss.bench`: how many cameras this computer can process, and what a mill needs. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from steelsight.api.data import path_or_none
from steelsight.api.plant.settings import PlanSettings
from steelsight.api.settings import choose
from steelsight.argument_types import checked

if TYPE_CHECKING:
    from steelsight.api.results.capacity import BenchResult
    from steelsight.runtime.capacity.options import PlanOptions

__all__ = ["bench"]


@checked
def bench(
    bundle: Path | str | None = None,
    data: Path | str | None = None,
    *,
    rate: float = 10.0,
    sheets: int = 2000,
    options: PlanOptions | None = None,
    **settings: Unpack[PlanSettings],
) -> BenchResult:
    """Measure decoding, inference, latency and whole scans on this computer; run nothing else meanwhile.

    bundle    BUNDLE folder, or fast or accurate; None = fast
    data      folder of images; None = generated sheets, which need the extra `[synth]`
    rate      sheets a second of one camera, above 0
    sheets    how many are scanned
    settings  `plan`, the sheets a day, for which `BenchResult.plan` sizes a mill; and what that mill has
    raises    BadData for a folder that Steelsight wrote; BadInput where no image can be read, or for a rate
              that is not above 0; BadBundle; BadRecipe for a setting out of its bounds, or without `plan`
    """
    from steelsight.api.results.capacity import BenchResult
    from steelsight.runs.plant.bench import bench_bundle
    from steelsight.runtime.capacity.options import PlanOptions

    chosen = choose(PlanOptions, options, settings)
    sizing = bench_bundle(path_or_none(bundle), path_or_none(data), rate=rate, sheets=sheets)
    return BenchResult(sizing, chosen)
