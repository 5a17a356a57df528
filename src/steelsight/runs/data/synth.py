"""Writes a synthetic DATA folder from options as text, and compares its masks with real ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from steelsight.errors import BadRecipe
from steelsight.reports.figures.sheets.synthetic import draw_mask_comparison
from steelsight.reports.figures.style import save_figure
from steelsight.runs.data.options import SynthOptions
from steelsight.sheets.synthetic import EVEN_SHARES, STUDY_SHARES, SynthSpec, synth_spec
from steelsight.sheets.synthetic.comparison import distances, measure_masks
from steelsight.sheets.synthetic.writer import iterate_written

__all__ = ["read_spec", "write_synthetic"]


def write_synthetic(
    out: Path,
    options: SynthOptions,
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Any]:
    """Draw the sheets into `out`; returns how many, how long it took, and the full specification.

    raises  BadRecipe for a value that cannot be read or met; BadOutput
    """
    spec = read_spec(options)
    start = time.perf_counter()
    sheets = 0
    for _ in iterate_written(spec, out, workers=options.workers, force=options.force):
        sheets += 1
        progress(sheets, spec.count)
    result: dict[str, Any] = {
        "out": out,
        "sheets": sheets,
        "seconds": round(time.perf_counter() - start, 2),
        "spec": spec.model_dump(),
    }
    if options.compare is not None:
        result["comparison"] = _compare(out, options.compare, (spec.height, spec.width))
    return result


def read_spec(options: SynthOptions) -> SynthSpec:
    """The specification behind options as text; raises BadRecipe, naming the option."""
    height, width = _pair(options.size, "x", "--size")
    return synth_spec(
        seed=options.seed,
        count=options.count,
        height=height,
        width=width,
        class_shares=_named_shares(options.shares),
        multi_type_share=options.multi_type_share,
        stain_given_none=options.stain_given_none,
        stain_given_defect=options.stain_given_defect,
        stain_may_cover=options.stain_may_cover,
        end_given_class=_five(options.end_given_class, "--end-given-class"),
        sloppiness=options.sloppiness,
        jpeg_quality=_pair(options.quality, "-", "--quality"),
        version=options.version,
        plate_given_none=options.plate_given_none,
    )


def _compare(out: Path, masks: Path, size: tuple[int, int]) -> dict[str, Any]:
    real, synthetic = measure_masks(masks), measure_masks(out / "train.csv", size=size)
    figure = save_figure(draw_mask_comparison(real, synthetic), out / "compare.png")
    return {"figure": figure, "ks_distance": distances(real, synthetic)}


def _named_shares(text: str) -> tuple[float, ...]:
    named = {"study": STUDY_SHARES, "even": EVEN_SHARES}
    return named[text] if text in named else _five(text, "--shares")


def _five(text: str, option: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != 5:
        raise BadRecipe(
            f"{option}: expected five numbers, none and types 1-4, such as .2,.2,.2,.2,.2; found {text!r}"
        )
    return values


def _pair(text: str, separator: str, option: str) -> tuple[int, int]:
    parts = text.lower().split(separator)
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise BadRecipe(f"{option}: expected two whole numbers joined by {separator!r}; found {text!r}")
    return int(parts[0]), int(parts[1])
