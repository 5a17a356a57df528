"""The sketches of a run's training sheets, kept so that near-duplicates in other folders are recognised.

A sketch is what `sheets.grouping.duplicates` compares: 256 numbers a sheet, here as float16. A run keeps
those of at most MOST_KEPT training sheets, 8 MB; of more sheets, evenly spaced ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save_file

from steelsight.checksums import read_checked
from steelsight.errors import BadCheckpoint
from steelsight.files import replace_through
from steelsight.sheets.grouping.duplicates import Sketches, resembling, sketch_sheets
from steelsight.training.dataset import SheetData
from steelsight.types import GrayBatch

__all__ = ["MOST_KEPT", "SKETCHES_FILE", "KeptSketches", "read_sketches", "write_sketches"]

SKETCHES_FILE: Final = "training_sketches.safetensors"
MOST_KEPT: Final = 16_384


@dataclass(frozen=True)
class KeptSketches:
    """The sketches of training sheets that a run keeps."""

    sketches: Sketches
    trained: int  # training sheets of the run; more than sketches where only some are kept

    def resembled_by(self, images: GrayBatch, rows: Sequence[int]) -> list[int]:
        """Those of some positions in `images` whose sheets are near-duplicates of a training sheet.

        Sheets without grain resemble none. The correlation is estimated from sketches, to ±.06.
        """
        positions = np.asarray(rows, dtype=np.int64)
        alike = resembling(sketch_sheets(images, positions), self.sketches)
        return [int(row) for row in positions[alike]]


def write_sketches(folder: Path, data: SheetData, parts: Sequence[str]) -> None:
    """Write the sketches of the training sheets to a RUN folder.

    parts  the part each sheet is in, see `records.split_names`
    """
    trained = np.flatnonzero(np.array(parts) == "train")
    kept = trained
    if trained.size > MOST_KEPT:
        kept = trained[np.linspace(0, trained.size - 1, MOST_KEPT).astype(np.int64)]
    sketches = sketch_sheets(data.images, kept).astype(np.float16)
    facts = {"shape": [data.input.height, data.input.width], "trained": [trained.size]}
    tensors = {"sketches": sketches} | {name: np.array(values, np.int64) for name, values in facts.items()}
    replace_through(folder / SKETCHES_FILE, lambda path: save_file(tensors, path))


def read_sketches(folder: Path, shape: tuple[int, int]) -> KeptSketches | None:
    """The sketches of a RUN folder; None where it has none, or not of sheets of this height and width.

    raises  BadCheckpoint where the file was altered or is damaged
    """
    path = folder / SKETCHES_FILE
    try:
        content = read_checked(path, advice="restore it, or train again")
        tensors = load(content)
        sketches, stated, trained = (tensors[name] for name in ("sketches", "shape", "trained"))
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError, LookupError) as error:
        raise BadCheckpoint(
            f"{path}: expected sketches of the training sheets, got {error!s:.120}; restore or remove it"
        ) from error
    if tuple(stated.tolist()) != shape or sketches.ndim != 2:
        return None
    return KeptSketches(sketches.astype(np.float32), int(trained[0]))
