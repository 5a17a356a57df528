"""Opens a DATA folder as a run's own DATA was read: its layout, masks, defect-free classes and groups.

What the caller gives wins. Where the rest cannot be applied to a folder, it is read as recognised, and
`SheetData.reading` and `SheetData.grouping` say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from steelsight.errors import BadData, UnmatchedGroups, UnusableItems
from steelsight.models.card import Card
from steelsight.sheets.options import DataOptions
from steelsight.training.dataset import GIVEN, SheetData, open_sheets
from steelsight.training.records import SplitRow, pixel_hashes

__all__ = ["FROM_RUN", "open_as_run", "read_as_run"]

FROM_RUN = "from the run"


def read_as_run(card: Card, options: DataOptions) -> DataOptions:
    """The same options, with those of the run's training where none is given."""
    return replace(_reading_of(card, options), groups=options.groups or card.groups)


def open_as_run(data: Path, card: Card, options: DataOptions, splits: Sequence[SplitRow]) -> SheetData:
    """Open DATA with the given options, otherwise with those the run was trained with.

    raises  BadData where DATA cannot be read, neither as the run's DATA nor as recognised
    """
    wanted = _reading_of(card, options)
    if wanted.reading() == options.reading():
        sheets = _open_grouped(data, card, options, splits)
        own = card.layout, card.masks, card.defect_free
        differs = options.reading() != own and any(own)
        return replace(sheets, read_source=f"{GIVEN}; the run has {_words(card)}") if differs else sheets
    try:
        sheets = _open_grouped(data, card, wanted, splits)
    except UnusableItems:
        raise
    except BadData as error:
        return _open_recognised(data, card, options, splits, error)
    source = FROM_RUN if not any(options.reading()) else f"{GIVEN}, the rest {FROM_RUN}"
    return replace(sheets, read_source=source)


def _open_recognised(
    data: Path, card: Card, options: DataOptions, splits: Sequence[SplitRow], error: BadData
) -> SheetData:
    """Open a folder to which the reading of the run cannot be applied; raises BadData with the reason."""
    try:
        sheets = _open_grouped(data, card, options, splits)
    except UnusableItems:
        raise
    except BadData as second:
        if str(second) == str(error):
            raise
        raise BadData(f"{second}; read as the run was trained, with {_words(card)}: {error}") from second
    why = f"the run's {_words(card)} cannot be applied here ({error})"
    return replace(sheets, read_source=f"{GIVEN}; {why}" if any(options.reading()) else why)


def _reading_of(card: Card, options: DataOptions) -> DataOptions:
    return replace(
        options,
        layout=options.layout or card.layout,
        masks=options.masks or card.masks,
        defect_free=options.defect_free or card.defect_free,
    )


def _words(card: Card) -> str:
    options = DataOptions(layout=card.layout, masks=card.masks, defect_free=card.defect_free)
    return " ".join(options.reading_words())


def _open_grouped(data: Path, card: Card, options: DataOptions, splits: Sequence[SplitRow]) -> SheetData:
    """Open DATA with its groups: by the given rule, otherwise by the run's.

    Where the run's rule needs a table that DATA lacks, or the run keeps its groups but no rule, the run's own
    sheets keep their groups.
    """
    if options.groups:
        sheets = open_sheets(data, card.task, card.input, options)
        other = card.groups not in (None, options.groups)
        return replace(sheets, group_source=f"{GIVEN}; the run has {card.groups}") if other else sheets
    why = "the run keeps no rule of groups"
    if card.groups is not None:
        try:
            sheets = open_sheets(data, card.task, card.input, replace(options, groups=card.groups))
        except UnmatchedGroups as error:
            why = f"the run's rule {card.groups} cannot be applied here ({error})"
        else:
            return replace(sheets, group_source=FROM_RUN)
    sheets = open_sheets(data, card.task, card.input, options)
    if card.groups is None and not any(row.group for row in splits):
        return sheets
    return _with_groups_of_the_run(sheets, splits, why)


def _with_groups_of_the_run(sheets: SheetData, splits: Sequence[SplitRow], why: str) -> SheetData:
    known = {(row.id, row.pixels): row.group for row in splits}
    keys = zip(sheets.ids, pixel_hashes(sheets.images), strict=True)
    groups = [known.get(key, "") for key in keys]
    items = tuple(replace(item, group=group) for item, group in zip(sheets.items, groups, strict=True))
    source = f"those of the run for its own sheets, none for {groups.count('')} others: {why}"
    return replace(sheets, items=items, group_source=source)
