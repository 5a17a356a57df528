"""What a data set's own split holds, and whether it leaks: one piece of steel in two of its parts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from steelsight.errors import BadData
from steelsight.sheets.formats.folder_tree import part_of
from steelsight.sheets.formats.image_names import ImageNames, name_column
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

    Rows that name no image or no part are added to the rejections.
    """
    path = sheets.root / SPLIT_FILE
    if not path.is_file() or any(item.part for item in sheets.items):
        return sheets
    table = read_table(path)
    column = next((name for name in COLUMNS if name in table.columns), None)
    if column is None:
        return sheets
    names = ImageNames([*(item.id for item in sheets.items), *(bad.id for bad in sheets.rejections)])
    key = name_column(table, names, apart=column)
    if key is None:
        raise BadData(f"{SPLIT_FILE}: expected a column ImageId, found {', '.join(table.columns)}")
    parts: dict[str, Part] = {}
    faults = [Rejection(SPLIT_FILE, f"row {line}: {reason}") for line, reason in table.ragged]
    for row in table.rows:
        image, part = names.one(row.cells[key]), part_of(row.cells[column])
        if image is None or (row.cells[column] and not part):
            reason = (
                f"row {row.line}: expected an image and train, validation or test, found {row.cells[key]!r}"
            )
            faults.append(Rejection(SPLIT_FILE, f"{reason} and {row.cells['part']!r}"))
        elif part:
            parts[image] = part
    items = tuple(replace(item, part=parts.get(item.id, "")) for item in sheets.items)
    passed_over = tuple(each for each in sheets.passed_over if each.id != SPLIT_FILE)
    return replace(sheets, items=items, rejections=(*sheets.rejections, *faults), passed_over=passed_over)
