"""`steelsight synth OUT`: draw synthetic sheets with defects, masks and known nuisances."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steelsight.cli.console import JsonFlag, console, emit_json

if TYPE_CHECKING:
    from steelsight.sheets.synthetic import SynthSpec

__all__ = ["synth"]

_FIVE = "five numbers, none and types 1-4, such as .2,.2,.2,.2,.2"


def synth(
    out: Annotated[
        Path, typer.Argument(help="Folder to write: train_images/, train.csv, truth.csv, spec.json.")
    ],
    count: Annotated[int, typer.Option(help="How many sheets.")] = 100,
    seed: Annotated[int, typer.Option(help="Same seed and options, same bytes.")] = 0,
    size: Annotated[str, typer.Option(help="HEIGHTxWIDTH in pixels.")] = "256x1600",
    shares: Annotated[str, typer.Option(help=f"Class shares: 'study', 'even', or {_FIVE}.")] = "study",
    multi_type_share: Annotated[
        float,
        typer.Option(help="Share of defective sheets that carry a second type; the competition has .064."),
    ] = 0.0,
    stain_given_none: Annotated[
        float,
        typer.Option(help="Chance of a white stain on a sound sheet; the study listed 164 beside 5,902."),
    ] = 0.03,
    stain_given_defect: Annotated[
        float, typer.Option(help="Chance of a white stain on a defective sheet.")
    ] = 0.002,
    stain_may_cover: Annotated[bool, typer.Option(help="Let a stain lie on top of a defect.")] = False,
    end_given_class: Annotated[
        str, typer.Option(help=f"Chance of a black sheet end: {_FIVE}.")
    ] = ".25,.5,.8,.3,.12",
    sloppiness: Annotated[
        float,
        typer.Option(help="How coarse the masks are: 0 close to the defect, .5 as annotators draw, up to 2."),
    ] = 0.5,
    quality: Annotated[str, typer.Option(help="JPEG quality, LOW-HIGH; drawn per sheet.")] = "86-96",
    compare: Annotated[
        Path | None,
        typer.Option(
            help="Masks of real sheets (CSV as train.csv): writes compare.png, real beside synthetic."
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that draw; the bytes do not depend on it.")
    ] = 2,
    force: Annotated[bool, typer.Option(help="Replace an earlier synthetic set in OUT.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Draw synthetic steel sheets: images, masks, and the truth about stains, ends and light."""
    from steelsight.sheets.synthetic import synth_spec

    height, width = _pair(size, "x", "--size")
    spec = synth_spec(
        seed=seed,
        count=count,
        height=height,
        width=width,
        class_shares=_named_shares(shares),
        multi_type_share=multi_type_share,
        stain_given_none=stain_given_none,
        stain_given_defect=stain_given_defect,
        stain_may_cover=stain_may_cover,
        end_given_class=_five(end_given_class, "--end-given-class"),
        sloppiness=sloppiness,
        jpeg_quality=_pair(quality, "-", "--quality"),
    )
    result = _write(spec, out, workers=workers, force=force)
    if compare is not None:
        result["comparison"] = _compare(out, compare, (height, width))
    console.print(f"{result['sheets']} sheets in {result['seconds']:.1f} s: {out}")
    if as_json:
        emit_json(result)


def _write(spec: SynthSpec, out: Path, *, workers: int, force: bool) -> dict[str, Any]:
    from rich.progress import track

    from steelsight.sheets.synthetic.writer import iterate_written

    start = time.perf_counter()
    written = iterate_written(spec, out, workers=workers, force=force)
    sheets = sum(
        1 for _ in track(written, "drawing", spec.count, console=console, disable=not console.is_terminal)
    )
    return {
        "out": out,
        "sheets": sheets,
        "seconds": round(time.perf_counter() - start, 2),
        "spec": spec.model_dump(),
    }


def _compare(out: Path, masks: Path, size: tuple[int, int]) -> dict[str, Any]:
    from steelsight.reports.figures.sheets.synthetic import draw_mask_comparison
    from steelsight.reports.figures.style import save_figure
    from steelsight.sheets.synthetic.comparison import distances, measure_masks

    real, synthetic = measure_masks(masks), measure_masks(out / "train.csv", size=size)
    figure = save_figure(draw_mask_comparison(real, synthetic), out / "compare.png")
    return {"figure": figure, "ks_distance": distances(real, synthetic)}


def _named_shares(text: str) -> tuple[float, ...]:
    from steelsight.sheets.synthetic import EVEN_SHARES, STUDY_SHARES

    named = {"study": STUDY_SHARES, "even": EVEN_SHARES}
    return named[text] if text in named else _five(text, "--shares")


def _five(text: str, option: str) -> tuple[float, ...]:
    from steelsight.errors import BadRecipe

    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != 5:
        raise BadRecipe(f"{option}: expected {_FIVE}; found {text!r}")
    return values


def _pair(text: str, separator: str, option: str) -> tuple[int, int]:
    from steelsight.errors import BadRecipe

    parts = text.lower().split(separator)
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise BadRecipe(f"{option}: expected two whole numbers joined by {separator!r}; found {text!r}")
    return int(parts[0]), int(parts[1])
