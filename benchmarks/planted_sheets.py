"""Generated sheets with a stain shortcut, and what a person sees on each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from steelsight.sheets.synthetic.sheet import draw_sheet, draw_types
from steelsight.sheets.synthetic.spec import SynthSpec, synth_spec

__all__ = ["CLEAN", "SYNTHETIC", "Sheet", "Source", "box_around", "planted", "write_data"]

CLEAN: Final = "none"


@dataclass(frozen=True)
class Sheet:
    """A generated sheet: the bytes of its image, and what a person sees on it."""

    content: bytes
    defect: np.ndarray  # (h, w) bool
    stain: np.ndarray

    @property
    def defective(self) -> bool:
        return bool(self.defect.any())


@dataclass(frozen=True)
class Source:
    """Where sheets come from, by a seed and a number."""

    is_defective: Callable[[int, int], bool]
    draw: Callable[[int, int, bool], Sheet]  # with a stain or without, equal pixel for pixel elsewhere


def _spec(seed: int) -> SynthSpec:
    """Half of the sheets have a defect of type 3 or 4; none has an end or is patterned plate."""
    return synth_spec(
        seed=seed,
        count=10_000,
        height=64,
        width=400,
        class_shares=(0.5, 0.0, 0.0, 0.25, 0.25),
        end_given_class=(0.0,) * 5,
        checker_given_none=0.0,
    )


def _draw(seed: int, number: int, stain: bool) -> Sheet:
    drawn = draw_sheet(_spec(seed), number, stain=stain)
    buffer = BytesIO()
    Image.fromarray(drawn.gray).save(buffer, "JPEG", quality=drawn.quality)
    defect = np.logical_or.reduce([np.zeros(drawn.gray.shape, bool), *drawn.masks.values()])
    return Sheet(buffer.getvalue(), defect, drawn.stain)


SYNTHETIC: Final = Source(lambda seed, number: bool(draw_types(_spec(seed), number)), _draw)


def planted(source: Source, seed: int, count: int, stains: tuple[float, float]) -> Iterator[Sheet]:
    """Sheets with stains by class.

    stains  share of the sheets without and with a defect that have one
    """
    chances = np.random.default_rng(seed).random(count)
    for number, chance in enumerate(chances.tolist()):
        yield source.draw(seed, number, chance < stains[int(source.is_defective(seed, number))])


def write_data(data: Path, sheets: Iterable[Sheet]) -> None:
    """Write class folders with masks beside the images, and no table of what is true."""
    for number, sheet in enumerate(sheets):
        place = data / ("defect" if sheet.defective else CLEAN) / f"{data.name}_{number:05}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(sheet.content)
        if sheet.defective:
            Image.fromarray(sheet.defect.astype(np.uint8) * 255).save(place.with_suffix(".png"))


def box_around(mask: np.ndarray) -> dict[str, Any]:
    """A box around marked pixels, as the page sends one."""
    ys, xs = mask.nonzero()
    left, top, right, bottom = (int(x) for x in (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))
    return {"box": [left, top, right, bottom], "area_px": (right - left) * (bottom - top), "score": 1.0}
