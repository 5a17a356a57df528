"""Which sheets belong together: by the frame numbers in their names, or by a column of a table."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from steelsight.errors import BadData, UnmatchedGroups
from steelsight.sheets.formats.named_rows import match_rows
from steelsight.sheets.formats.tables import CsvTable, read_table
from steelsight.types import Rejection

__all__ = ["TableGroups", "column_groups", "frame_groups", "join_groups", "table_groups"]

_TABLES = ("groups.csv", "manifest.csv", "train.csv")
_EMPTY = frozenset({"nan", "null", "n/a", "#n/a", "<na>"})


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


@dataclass(frozen=True)
class TableGroups:
    """Groups that a table gives."""

    groups: list[str]  # one a sheet; "" = no row gives one
    faults: list[Rejection]  # rows and sheets that do not match, each with its reason
    doubtful: frozenset[str]  # sheets that a rejected row may mean: their group is not known


def column_groups(root: Path, ids: Sequence[str], column: str, *, others: Sequence[str] = ()) -> TableGroups:
    """Groups from a column of `groups.csv`, `manifest.csv` or `train.csv`, the first that has it.

    others  ids that are no sheets any more and may be listed all the same
    raises  UnmatchedGroups when no table has the column, and as `table_groups`
    """
    columns = []
    for name in _TABLES:
        if (root / name).is_file():
            table = read_table(root / name)
            if column in table.columns:
                return table_groups(table, ids, column, others=others)
            columns.append(f"{name} has {', '.join(table.columns)}")
    found = f"; {'; '.join(columns)}" if columns else ""
    raise UnmatchedGroups(
        f"{root}: none of {', '.join(_TABLES)} has a column {column!r} to group by{found:.300}"
    )


def table_groups(
    table: CsvTable, ids: Sequence[str], column: str, *, others: Sequence[str] = ()
) -> TableGroups:
    """Groups from a column of a table that names images as `image_names` reads names.

    raises  BadData when the column is missing or a sheet has two groups, UnmatchedGroups when no row names
            an image
    """
    table.need([column])
    named = match_rows(table, ids, others=others, apart=column)
    groups: dict[str, str] = {}
    texts = {row.cells[column] for row in table.rows}
    for image, rows in named.rows.items():
        for row in rows:
            value = _group_name(row.cells[column], texts)
            if groups.setdefault(image, value) != value:
                raise BadData(
                    f"{table.name} row {row.line} ({row.cells[named.key]}): group {value!r}, "
                    f"earlier {groups[image]!r}; keep one"
                )
    if ids and not any(id_ in groups for id_ in ids):
        first = table.rows[0].cells[named.key] if table.rows else "no row"
        raise UnmatchedGroups(
            f"{table.name}: none of its {len(table.rows)} rows names an image (column {named.key}, such as "
            f"{first!r}); images are such as {', '.join(ids[:2])}; write paths relative to DATA"
        )
    doubtful = frozenset(named.doubtful) & set(ids)
    reason = f"no row of {table.name} gives its {column}; add one, else it is a group of its own"
    faults = [*named.faults]
    faults += [
        Rejection(id_, f"its {column} is not known: {named.doubtful[id_]}") for id_ in ids if id_ in doubtful
    ]
    faults += [Rejection(id_, reason) for id_ in ids if id_ not in doubtful and not groups.get(id_)]
    return TableGroups([groups.get(id_, "") for id_ in ids], faults, doubtful)


def _group_name(text: str, others: Collection[str]) -> str:
    """A cell's group: none for what other programs write into empty cells, 7 for 7.0 beside 7."""
    if text.casefold() in _EMPTY:
        return ""
    whole = re.fullmatch(r"(\d+)\.0+", text)
    return whole[1] if whole and whole[1] in others else text


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
