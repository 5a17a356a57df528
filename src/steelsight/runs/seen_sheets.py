"""Which sheets of a folder a run has seen, and so which may judge it.

A sheet is recognised by its bytes at model size, under whatever name and in whatever folder it lies.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int

from steelsight.errors import BadData, BadInput
from steelsight.models.card import Card
from steelsight.training.dataset import SheetData
from steelsight.training.records import APART, SplitRow, pixel_hashes

__all__ = ["SeenSheets", "refuse_other_classes"]

Positions = Int[np.ndarray, "_"]

PARTS = ("test", "validation", "train", "unseen", "all")


class SeenSheets:
    """What a run knows of a folder's sheets."""

    def __init__(self, rows: list[SplitRow], data: SheetData) -> None:
        self.data = data
        parts: dict[str, set[str]] = {}
        own = {(row.id, row.pixels): row.split for row in rows}
        for row in rows:
            parts.setdefault(row.pixels, set()).add(row.split)
        hashes = pixel_hashes(data.images)
        # A test sheet with the same bytes as a training sheet is a training sheet, unless it is the very row.
        self.part = [own.get((item.id, pixels), "") for item, pixels in zip(data.items, hashes, strict=True)]
        self.known = [parts.get(pixels, set()) for pixels in hashes]
        self.trained = np.array([i for i, known in enumerate(self.known) if "train" in known], dtype=np.int64)
        learnt = [i for i, known in enumerate(self.known) if known & {"train", "validation"}]
        groups = {data.groups[i] for i in learnt} - {""}
        self.seen = set(learnt) | {i for i, group in enumerate(data.groups) if group in groups}

    def choose(self, part: str, run: Path) -> Positions:
        """The positions of a part.

        raises  BadInput for a part not in PARTS; BadData where it is empty, or `all` holds training sheets
        """
        if part not in PARTS:
            raise BadInput(f"--split: expected one of {', '.join(PARTS)}, got {part!r}")
        count = len(self.data.items)
        if part == "unseen":
            chosen = [i for i in range(count) if i not in self.seen]
        elif part == "all":
            if self.trained.size:
                raise BadData(
                    f"{self.data.name}: {self.trained.size} of {count} sheets trained {run.name}, so figures "
                    "on them say nothing; evaluate --split unseen, or --split train if that is wanted"
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
        own = self.part[position]
        if own:
            return own == part or (own == APART and part == "test")
        return self.known[position] == {part}

    def notes(self, part: str) -> list[str]:
        """What a reader of the figures must know."""
        if part == "unseen":
            return [f"{len(self.seen)} sheets seen in training were left out"] if self.seen else []
        if part in ("train", "validation"):
            return [f"the run learnt from its {part} sheets: its figures flatter"]
        pairs = zip(self.known, self.part, strict=True)
        twins = sum("train" in known and own == part for known, own in pairs)
        return [f"{twins} {part} sheets have a twin of the same pixels in training"] if twins else []


def refuse_other_classes(sheets: SheetData, card: Card, data: Path) -> None:
    """Raise BadData where a folder's classes are not the model's."""
    if sheets.labelled.class_names != card.class_names:
        raise BadData(
            f"{data}: expected the run's classes {', '.join(card.class_names)}, "
            f"got {', '.join(sheets.labelled.class_names)}; rename the folders, or train on this data"
        )
