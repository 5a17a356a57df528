"""Which sheets of a DATA folder a run has seen in training, and so on which it may be evaluated.

A sheet is recognised by its pixels at model size, whatever its name and folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from steelsight.errors import BadData, BadInput
from steelsight.names import shown_name
from steelsight.training.dataset import SheetData
from steelsight.training.records import APART, SplitRow, pixel_hashes

__all__ = ["PARTS", "SeenSheets"]

Positions = Int[np.ndarray, "_"]

PARTS = ("test", "validation", "train", "unseen", "all")


class SeenSheets:
    """The sheets of a DATA folder matched with the splits.csv of a run; one entry a sheet.

    rows        the sheet's own row, of its name and pixels; None where the run has none
    parts       the part of that row; "" without one
    same_pixels the parts of all rows of the same pixels, whatever their names
    trained     positions of the sheets whose pixels trained the run
    seen        positions of sheets with the pixels of a training or validation sheet, and of their groups
    """

    def __init__(self, splits: Sequence[SplitRow], data: SheetData) -> None:
        self.data = data
        parts: dict[str, set[str]] = {}
        own = {(row.id, row.pixels): row for row in splits}
        for row in splits:
            parts.setdefault(row.pixels, set()).add(row.split)
        hashes = pixel_hashes(data.images)
        self.rows = tuple(own.get(key) for key in zip(map(shown_name, data.ids), hashes, strict=True))
        self.parts = tuple("" if row is None else row.split for row in self.rows)
        self.same_pixels = [parts.get(pixels, set()) for pixels in hashes]
        self.trained = np.array(
            [i for i, known in enumerate(self.same_pixels) if "train" in known], dtype=np.int64
        )
        learnt = [i for i, known in enumerate(self.same_pixels) if known & {"train", "validation"}]
        groups = {data.groups[i] for i in learnt} - {""}
        self.seen = set(learnt) | {i for i, group in enumerate(data.groups) if group in groups}

    def choose(self, part: str, run: Path) -> Positions:
        """The positions of a part.

        A test sheet with the pixels of a training sheet counts as a training sheet, unless it has a row of
        its own.

        raises  BadInput for a part not in PARTS; BadData where it is empty, or `all` holds training sheets
        """
        if part not in PARTS:
            offered = PARTS[:-1] if self.trained.size else PARTS  # all would be refused
            raise BadInput(f"--split: expected one of {', '.join(offered)}, got {part!r}")
        count = len(self.data.items)
        if part == "unseen":
            chosen = [i for i in range(count) if i not in self.seen]
        elif part == "all":
            if self.trained.size:
                raise BadData(
                    f"{self.data.name}: {self.trained.size} of {count} sheets trained {run.name}, so figures "
                    "on them are optimistic; evaluate --split unseen, or --split train if that is wanted"
                )
            chosen = list(range(count))
        else:
            chosen = [i for i in range(count) if self._in_part(i, part)]
        if not chosen:
            raise BadData(
                f"{self.data.name}: expected {part} sheets of {run.name}, found none among {count}; "
                f"{len(self.seen)} were seen in training; bring other sheets or choose another --split"
            )
        return np.array(chosen, dtype=np.int64)

    def _in_part(self, position: int, part: str) -> bool:
        own = self.parts[position]
        if own:
            return own == part or (own == APART and part == "test")
        return self.same_pixels[position] == {part}

    def notes(self, part: str) -> list[str]:
        """What a reader of figures on this part must know."""
        if part == "unseen":
            return [f"{len(self.seen)} sheets seen in training were left out"] if self.seen else []
        if part in ("train", "validation"):
            return [f"the run learnt from its {part} sheets, so its figures on them are optimistic"]
        pairs = zip(self.same_pixels, self.parts, strict=True)
        copies = sum("train" in known and own == part for known, own in pairs)
        return [f"{copies} {part} sheets have the pixels of a training sheet"] if copies else []
