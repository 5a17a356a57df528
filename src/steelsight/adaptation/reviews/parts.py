"""Which part of the split a coil is in: the one it had, else a fixed function of its name.

The function is the same in every export, so that a coil that is reviewed again stays where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final, Literal

from steelsight.errors import BadData, BadRecipe
from steelsight.sheets.formats.tables import read_table

__all__ = ["PARTS", "CoilPart", "Coils", "check_parts", "read_coils"]

CoilPart = Literal["train", "validation", "test"]
PARTS: Final[tuple[CoilPart, ...]] = ("train", "validation", "test")
SHARES: Final = (0.6, 0.8)  # below the first: train; below the second: validation; else test
_COLUMNS: Final = (("coil", "part"), ("group", "split"))  # of coils.csv, and of a run's splits.csv


class Coils:
    """The part of every coil.

    known  parts that coils had before
    """

    def __init__(self, known: dict[str, CoilPart]) -> None:
        self._known = known

    def part(self, coil: str) -> CoilPart:
        """The part of a coil.

        >>> Coils({"C17": "test"}).part("C17")
        'test'
        """
        if coil in self._known:
            return self._known[coil]
        value = int.from_bytes(hashlib.sha256(f"coil\0{coil}".encode()).digest()[:8]) / 2**64
        return PARTS[sum(value >= share for share in SHARES)]


def read_coils(paths: Iterable[Path]) -> Coils:
    """The parts of coils from tables of earlier exports and of runs that were grouped by coil.

    raises  BadData where a table has no such columns, or puts a coil into two parts
    """
    known: dict[str, CoilPart] = {}
    source: dict[str, str] = {}
    for path in paths:
        table = read_table(path)
        columns = next((each for each in _COLUMNS if set(each) <= set(table.columns)), None)
        if columns is None:
            raise BadData(
                f"{path}: expected the columns coil and part, or group and split of a run's splits.csv, "
                f"found {', '.join(table.columns)}; check --splits"
            )
        for row in table.rows:
            coil, part = (row.cells[name] for name in columns)
            if not coil or part == "apart":  # of no group; dropped from training
                continue
            if part not in PARTS:
                raise BadData(
                    f"{path} row {row.line} ({coil}): expected a part of {', '.join(PARTS)}, got {part!r:.80}"
                )
            if known.setdefault(coil, part) != part:
                raise BadData(
                    f"{path} row {row.line}: coil {coil} is in {part} here and in {known[coil]} in "
                    f"{source[coil]}; sheets of one coil in two parts leak, keep one"
                )
            source.setdefault(coil, path.name)
    return Coils(known)


def check_parts(wanted: Collection[str]) -> None:
    """Raise BadRecipe for a name that is no part."""
    for name in wanted:
        if name not in PARTS:
            raise BadRecipe(f"--part: expected one of {', '.join(PARTS)}, got {name!r:.80}")
