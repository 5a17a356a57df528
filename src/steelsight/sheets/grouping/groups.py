"""Which sheets belong together: by the frame numbers in their names, or by a column of a table."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from steelsight.errors import BadData
from steelsight.sheets.formats.tables import read_table

__all__ = ["column_groups", "frame_groups", "join_groups"]

_TABLES = ("groups.csv", "manifest.csv", "train.csv")


def frame_groups(ids: Sequence[str], classes: Sequence[Hashable], *, gap: int = 100) -> list[str]:
    """Group sheets of one class whose frame numbers follow closely: the same tile or coil seen again.

    ids     paths; the frame number is the last whole number in the file's stem (`exp2_num_10181.jpg`: 10181)
    gap     neighbours in the sorted numbers of a class stay together up to this difference
    returns one name a sheet; sheets without a number get "", a group of their own
    """
    numbered: dict[Hashable, list[tuple[int, int]]] = defaultdict(list)
    for position, (id_, class_) in enumerate(zip(ids, classes, strict=True)):
        numbers = re.findall(r"\d+", Path(id_).stem)
        if numbers:
            numbered[class_].append((int(numbers[-1]), position))
    groups = [""] * len(ids)
    for class_, frames in numbered.items():
        first = last = -gap - 1
        for number, position in sorted(frames):
            if number - last > gap:
                first = number
            last = number
            groups[position] = f"{_text(class_)}/{first}"
    return groups


def column_groups(root: Path, ids: Sequence[str], column: str) -> list[str]:
    """Groups from a column of `groups.csv`, `manifest.csv` or `train.csv`, the first that has it.

    The table has a column `ImageId`. Sheets it does not list get "", a group of their own.
    raises  BadData when no table has the column, or a sheet is listed with two values
    """
    for name in _TABLES:
        if not (root / name).is_file():
            continue
        table = read_table(root / name)
        if column in table.columns:
            table.need(["ImageId"])
            break
    else:
        raise BadData(f"{root}: none of {', '.join(_TABLES)} has a column {column!r} to group by")
    groups: dict[str, str] = {}
    for row in table.rows:
        image, value = row.cells["ImageId"], row.cells[column]
        if groups.setdefault(image, value) != value:
            raise BadData(
                f"{name} row {row.line} ({image}): group {value!r}, earlier {groups[image]!r}; keep one"
            )
    return [groups.get(id_, "") for id_ in ids]


def _text(class_: Hashable) -> str:
    return "+".join(map(str, class_)) if isinstance(class_, tuple) else str(class_)


def join_groups(*rules: Sequence[str]) -> list[str]:
    """Groups of sheets that any rule puts together, directly or over others.

    rules   one name a sheet each; "" joins nothing
    returns one name a sheet: the first name a member has, in the order of the rules; "" for single sheets
    """
    count = len(rules[0])
    links: dict[tuple[int, str], int] = {}
    edges = [
        (position, links.setdefault((rule, name), count + len(links)))
        for rule, names in enumerate(rules)
        for position, name in enumerate(names)
        if name
    ]
    if not edges:
        return [""] * count
    left, right = np.array(edges).T
    graph = coo_array((np.ones(left.size), (left, right)), shape=(count + len(links),) * 2)
    _, component = connected_components(graph, directed=False)
    titles: dict[int, str] = {}
    for names in rules:
        for part, name in zip(component[:count].tolist(), names, strict=True):
            if name:
                titles.setdefault(part, name)
    return [titles.get(part, "") for part in component[:count].tolist()]
