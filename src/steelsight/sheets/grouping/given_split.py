"""What a data set's own split holds, and whether it leaks: one piece of steel in two of its parts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from steelsight.sheets.formats.folder_tree import part_of
from steelsight.sheets.formats.named_rows import NamedRows, match_rows
from steelsight.sheets.formats.tables import read_table
from steelsight.types import Part, Rejection, SheetItem, SheetSet

__all__ = ["SPLIT_FILE", "count_parts", "find_part_leaks", "read_split_table"]

SPLIT_FILE: Final = "split.csv"
COLUMNS: Final = ("part", "split", "subset")
_ORDER: Final[tuple[Part, ...]] = ("train", "validation", "test")


def count_parts(items: Sequence[SheetItem]) -> dict[str, int]:
    """Sheets by part; empty without a given split."""
    counted: Counter[Part] = Counter(item.part for item in items)
    return {part: counted[part] for part in _ORDER if counted[part]}


def find_part_leaks(items: Sequence[SheetItem], alike: Iterable[tuple[str, str]]) -> list[str]:
    """One line for each group in several parts, and for each pair of near-duplicates in two.

    alike  pairs of ids whose sheets show the same piece of steel
    """
    part_of_id = {item.id: item.part for item in items if item.part}
    members: dict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        if item.part and item.group:
            members[item.group][item.part] += 1
    leaks = []
    for group, parts in sorted(members.items()):
        if len(parts) > 1:
            spread = ", ".join(f"{count} in {part}" for part, count in parts.items())
            leaks.append(f"group {group}: {spread}")
    for left, right in alike:
        one, other = part_of_id.get(left), part_of_id.get(right)
        if one and other and one != other:
            leaks.append(f"{left} in {one} and {right} in {other} are near-duplicates")
    return leaks


def read_split_table(sheets: SheetSet) -> SheetSet:
    """The same sheets with the parts that `split.csv` beside them gives (ImageId, part or split), if any.

    Rows that name no image are added to the rejections; an image whose part is not told is set aside.
    """
    path = sheets.root / SPLIT_FILE
    if not path.is_file() or any(item.part for item in sheets.items):
        return sheets
    table = read_table(path)
    column = next((name for name in COLUMNS if name in table.columns), None)
    if column is None:
        return sheets
    ids = [item.id for item in sheets.items]
    named = match_rows(table, ids, others=[bad.id for bad in sheets.rejections], apart=column)
    parts, doubtful = _parts_of(named, column)
    faults = [*named.faults, *(Rejection(id_, reason) for id_, reason in doubtful.items())]
    items = tuple(
        replace(item, part=parts.get(item.id, "")) for item in sheets.items if item.id not in doubtful
    )
    passed_over = tuple(each for each in sheets.passed_over if each.id != SPLIT_FILE)
    return replace(sheets, items=items, rejections=(*sheets.rejections, *faults), passed_over=passed_over)


def _parts_of(named: NamedRows, column: str) -> tuple[dict[str, Part], dict[str, str]]:
    """The part of each image, and the images whose part is not known, with the reason."""
    parts: dict[str, Part] = {}
    doubtful = {
        image: f"its part of the split is not known: {reason}" for image, reason in named.doubtful.items()
    }
    for image, rows in named.rows.items():
        for row in rows:
            text = row.cells[column]
            part = part_of(text)
            where = f"{SPLIT_FILE} row {row.line} ({row.cells[named.key]})"
            if text and not part:
                doubtful[image] = f"{where}: expected train, validation or test, found {text!r}; correct it"
            elif parts.setdefault(image, part) != part:
                doubtful[image] = f"{where}: part {text!r}, earlier {parts[image]!r}; keep one"
    return parts, doubtful
