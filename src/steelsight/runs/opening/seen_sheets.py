"""Which sheets of a DATA folder a run has seen in training, and so on which it may be evaluated.

A sheet is recognised by its pixels at model size, whatever its name and folder. A group is recognised by its
name under the rule the run was trained with; under `frames`, by frame numbers that continue those of a
training group. Names of near-duplicate groups hold positions and mean nothing in another folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from steelsight.errors import BadData, BadInput
from steelsight.names import shown_name
from steelsight.sheets.grouping.groups import frame_groups
from steelsight.training.dataset import SheetData
from steelsight.training.records import APART, SplitRow, pixel_hashes
from steelsight.training.sketches import KeptSketches

__all__ = ["PARTS", "SeenSheets"]

Positions = Int[np.ndarray, "_"]

DUPLICATE = "duplicate/"  # start of the names of near-duplicate groups
PARTS = ("test", "validation", "train", "unseen", "all")


class SeenSheets:
    """The sheets of a DATA folder matched with the splits.csv of a run; one entry a sheet.

    rows        the sheet's own row, of its name and pixels; None where the run has none
    parts       the part of that row; "" without one
    same_pixels the parts of all rows of the same pixels, whatever their names
    rule        of groups that the run was trained with; None = none
    kin         positions of other sheets whose group has a training or validation sheet of the run
    trained     positions of the sheets whose pixels trained the run
    seen        positions of sheets with the pixels of a training or validation sheet, and of their groups
    earlier     sheets that the runs it started from learnt from, known by their pixels alone
    sketches    of training sheets, which recognise near-duplicates; None where the run keeps none
    """

    def __init__(
        self,
        splits: Sequence[SplitRow],
        data: SheetData,
        *,
        rule: str | None = None,
        sketches: KeptSketches | None = None,
        earlier: Sequence[SplitRow] = (),
    ) -> None:
        self.data = data
        self.rule = rule
        self.sketches = sketches
        parts: dict[str, set[str]] = {}
        own = {(row.id, row.pixels): row for row in splits}
        for row in (*splits, *earlier):
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
        near = {i for i, group in enumerate(data.groups) if group in groups}
        self.kin = (near | self._of_trained_groups(splits)) - set(learnt)
        self.seen = set(learnt) | self.kin

    def _of_trained_groups(self, splits: Sequence[SplitRow]) -> set[int]:
        """Sheets of groups of which the run has training or validation sheets, which DATA may lack."""
        learnt = [row for row in splits if row.split in ("train", "validation") and row.group]
        trained = {row.group for row in learnt}
        found = {i for i, row in enumerate(self.rows) if row is not None and row.group in trained}
        if self.rule is None or self.data.group_rule != self.rule:
            return found
        kind, _, gap = self.rule.partition(":")
        if kind == "frames" and gap.isdecimal() | (not gap):
            return found | self._continued_frames(learnt, int(gap or 100))
        named = {name for name in trained if not name.startswith(DUPLICATE)}
        return found | {i for i, group in enumerate(self.data.groups) if group in named}

    def _continued_frames(self, learnt: Sequence[SplitRow], gap: int) -> set[int]:
        """Sheets that the frame rule groups with a training sheet when both folders are taken together."""
        own = [(i, group) for i, group in enumerate(self.data.groups) if group]
        ids = [*(row.id for row in learnt), *(self.data.ids[i] for i, _ in own)]
        groups = [*(row.group for row in learnt), *(group for _, group in own)]
        together = frame_groups(ids, [group.rpartition("/")[0] for group in groups], gap=gap)
        trained = set(together[: len(learnt)]) - {""}
        return {i for (i, _), group in zip(own, together[len(learnt) :], strict=True) if group in trained}

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

    def near_duplicates(self, part: str) -> list[int] | None:
        """Sheets of a part that are near-duplicates of training sheets and not the same sheets.

        returns  positions, ascending; None where the run keeps no sketches to compare with
        """
        if self.sketches is None:
            return None
        count = len(self.data.items)
        rows = range(count) if part == "all" else [i for i in range(count) if self._in_part(i, part)]
        if part == "unseen":
            rows = [i for i in range(count) if i not in self.seen]
        return self.sketches.resembled_by(self.data.images, [i for i in rows if not self.same_pixels[i]])

    def _near_notes(self, part: str) -> list[str]:
        """How many sheets of a part are near-duplicates of training sheets, and how sure that is."""
        is_other_folder = not any(self.parts)
        near = self.near_duplicates(part)
        if near is None:
            why = "the run keeps no sketches of its training sheets; train it again to have them"
            return [f"near-duplicates of training sheets were not looked for: {why}"] * is_other_folder
        kept = self.sketches
        if kept is None or not (near or is_other_folder):
            return []
        which = "sheets" if part == "all" else f"{part} sheets"
        notes = [
            f"{len(near)} {which} are near-duplicates of training sheets, by sketches of their grain"
            + ("; figures on them are optimistic" if near else "")
        ]
        if len(kept.sketches) < kept.trained:
            notes.append(f"sketches of {len(kept.sketches)} of {kept.trained} training sheets were compared")
        return notes

    def notes(self, part: str) -> list[str]:
        """What a reader of figures on this part must know."""
        if part not in ("train", "validation"):
            return [*self._group_notes(part), *self._near_notes(part)]
        return self._group_notes(part)

    def _group_notes(self, part: str) -> list[str]:
        """Which sheets of a part the run has seen, themselves or by their groups."""
        if part == "unseen":
            left_out = [f"{len(self.seen)} sheets seen in training were left out"] if self.seen else []
            groups = len({self.data.groups[i] for i in self.kin} - {""})
            kin = [
                f"{len(self.kin)} of them are other sheets of groups that the run was trained on",
                f"{groups} groups of {self.data.name} overlap with groups of training",
            ]
            return left_out + kin[: 1 + bool(groups)] * bool(self.kin)
        if part in ("train", "validation"):
            return [f"the run learnt from its {part} sheets, so its figures on them are optimistic"]
        pairs = zip(self.same_pixels, self.parts, strict=True)
        copies = sum("train" in known and own == part for known, own in pairs)
        notes = [f"{copies} {part} sheets have the pixels of a training sheet"] if copies else []
        related = len(self.kin) if part == "all" else sum(self.parts[i] == part for i in self.kin)
        if related:
            notes.append(
                f"{related} {part} sheets belong to groups that the run was trained on, so figures on them "
                "are optimistic"
            )
        return notes
