"""The rows of a table by the image each names, and what becomes of rows and images that do not match."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from steelsight.errors import BadData
from steelsight.sheets.formats.image_names import ImageNames, name_column
from steelsight.sheets.formats.tables import CsvTable, TableRow
from steelsight.types import Rejection

__all__ = ["NamedRows", "match_rows"]


@dataclass(frozen=True)
class NamedRows:
    """The rows of a table by image."""

    key: str  # the column that names images
    rows: dict[str, list[TableRow]]  # by image, in the order of the table
    faults: tuple[Rejection, ...]  # rows that name no image or several, and damaged rows
    doubtful: dict[str, str]  # images that such a row may mean, with the row and its fault


def match_rows(
    table: CsvTable, ids: Sequence[str], *, others: Collection[str] = (), apart: str = ""
) -> NamedRows:
    """Match every row of a table with the image it names, as `image_names` reads names.

    others  ids that are no sheets any more and may be listed all the same
    apart   a column that names no images
    raises  BadData where no column names images
    """
    names = ImageNames([*ids, *others])
    key = name_column(table, names, apart=apart)
    if key is None:
        raise BadData(
            f"{table.name}: expected a column ImageId that names images, found {', '.join(table.columns)}; "
            f"images are such as {', '.join(ids[:2]) or 'none'}"
        )
    rows: dict[str, list[TableRow]] = defaultdict(list)
    faults: list[Rejection] = []
    doubtful: dict[str, str] = {}
    place = table.columns.index(key)
    for (line, reason), cells in zip(table.ragged, table.ragged_cells, strict=True):
        faults.append(Rejection(table.name, f"row {line}: {reason}"))
        for cell in cells[place : place + 1]:
            doubtful.update(dict.fromkeys(names.near(cell), f"{table.name} row {line}: {reason}"))
    for row in table.rows:
        name = row.cells[key]
        found = names.find(name)
        if len(found) == 1:
            rows[found[0]].append(row)
            continue
        what = f"fits {' and '.join(found[:3])}; write the whole path" if found else "is no image here"
        fault = f"{table.name} row {row.line} ({name}): the name {what}"
        faults.append(Rejection(name or table.name, fault))
        doubtful.update(dict.fromkeys(names.near(name), fault))
    return NamedRows(key, dict(rows), tuple(faults), doubtful)
