"""A generated coil that passes a camera: sheets with their places on the strip, written one after the other.

Three things go wrong on it, so that a console has something to show: a roll leaves a mark at every turn,
white stains lie on sheets without a defect only (the shortcut that the study found), and the lamp fades from
the middle of the coil on.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float32
from PIL import Image

from steelsight.child_processes import end_with_parent
from steelsight.files import replace_file
from steelsight.types import GrayImage

__all__ = ["CALIBRATION", "PATTERN", "LiveCoil", "live_sheets", "write_live", "write_live_in_child"]

PATTERN: Final = "{coil}_{position_m}_{side}.jpg"
MM_ALONG: Final = 1.0  # mm a pixel
MM_ACROSS: Final = 4.0
CALIBRATION: Final = f"""version = 1
mm_per_px_along = {MM_ALONG}
mm_per_px_across = {MM_ACROSS}
along = "x"
direction = "forward"
metres = "growing"
"""
SHARES: Final = (0.82, 0.04, 0.02, 0.08, 0.04)  # none, types 1-4
STAINED: Final = 0.4  # of the sheets without a defect
FADED: Final = 0.55  # light at the coil's end, 1 = as at its beginning
WAITING: Final = 200  # sheets in the folder; the oldest are removed


@dataclass(frozen=True)
class LiveCoil:
    """What is drawn."""

    seed: int = 0
    name: str = "G"  # names of coils begin with it; a folder that is used again needs another one
    sheets: int = 190  # a coil, of 1.6 m each
    turn_m: float = 4.4  # circumference of the roll with the mark, which is then on every third sheet or so
    mark_mm: float = 380.0  # its place across the strip


def live_sheets(coil: LiveCoil) -> Iterator[tuple[str, GrayImage]]:
    """Names by PATTERN and images (256, 1600), coil after coil, without an end; needs the extra `synth`."""
    from steelsight.sheets.synthetic import synth_spec
    from steelsight.sheets.synthetic.sheet import draw_sheet

    spec = synth_spec(
        seed=coil.seed, class_shares=SHARES, stain_given_none=STAINED, stain_given_defect=0.0, version=2
    )
    length_m = spec.width * MM_ALONG / 1000
    index = 0
    while True:
        number, place = divmod(index, coil.sheets)
        start_m = place * length_m
        gray = draw_sheet(spec, index).gray.astype(np.float32)
        for mark_m in _turns(start_m, length_m, coil.turn_m):
            _press_mark(gray, (mark_m - start_m) * 1000 / MM_ALONG, coil.mark_mm / MM_ACROSS)
        late = max(0.0, 2 * place / coil.sheets - 1)
        gray *= 1 - (1 - FADED) * late
        name = f"{coil.name}-{number + 1:04d}_{start_m:.2f}_top.jpg"
        yield name, np.clip(np.round(gray), 0, 255).astype(np.uint8)
        index += 1


def write_live(
    folder: Path,
    coil: LiveCoil,
    rate: float,
    *,
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    count: int | None = None,
) -> None:
    """Write sheets into a folder at a rate; the folder holds the newest WAITING.

    rate   sheets a second, at most: drawing one takes about 60 ms
    count  number of sheets; None = without an end
    """
    written: list[Path] = []
    due = clock()
    for number, (name, gray) in enumerate(live_sheets(coil)):
        if number == count:
            return
        content = io.BytesIO()
        Image.fromarray(gray).save(content, "JPEG", quality=92)
        wait(max(0.0, due - clock()))
        due = max(due, clock() - 1) + 1 / rate
        path = folder / name
        replace_file(path, content.getvalue())
        written.append(path)
        if len(written) > WAITING:
            written.pop(0).unlink(missing_ok=True)


def write_live_in_child(parent: int, folder: str, coil: LiveCoil, rate: float) -> None:
    """`write_live` in a process of its own that ends with its parent."""
    end_with_parent(parent)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    write_live(Path(folder), coil, rate)


def _turns(start_m: float, length_m: float, turn_m: float) -> list[float]:
    """Places of the mark on a sheet, in metres of the coil; the first is a quarter of a turn behind 0."""
    first = int(np.ceil((start_m - turn_m / 4) / turn_m))
    found = []
    place = turn_m / 4 + first * turn_m
    while place < start_m + length_m:
        found.append(place)
        place += turn_m
    return found


def _press_mark(gray: Float32[np.ndarray, "h w"], x: float, y: float) -> None:
    """Darken an ellipse with a bright rim, as a chip in a roll leaves it; x and y in px."""
    rows, columns = np.mgrid[: gray.shape[0], : gray.shape[1]].astype(np.float32)
    radius = np.hypot((columns - np.float32(x)) / 14, (rows - np.float32(y)) / 9)
    gray *= 1 - 0.75 * np.clip(1.3 - radius, 0, 1)
    gray *= 1 + 0.45 * np.exp(-(((radius - 1.35) / 0.16) ** 2))  # none where there is no steel
