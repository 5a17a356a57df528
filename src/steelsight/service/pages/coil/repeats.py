"""Repeat distances with the rolls that may cause them, as the page shows them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from steelsight.coils.images import image_multiple
from steelsight.coils.marks import Repeat
from steelsight.coils.read import NamedRepeat
from steelsight.coils.repeats import Repeats
from steelsight.coils.rolls import Roll, name_rolls, read_rolls
from steelsight.errors import BadInput
from steelsight.service.pages.coil.reading import Coil

__all__ = ["RollTable", "drawn", "named_repeats", "roll_table"]


@dataclass(frozen=True)
class RollTable:
    """The rolls of the setting `coil_rolls`."""

    rolls: tuple[Roll, ...] = ()
    given: bool = False  # whether the setting names a file
    fault: str = ""  # why the file cannot be used


def roll_table(path: Path | None) -> RollTable:
    """Read anew for every request, so that an engineer's change counts at once."""
    if path is None:
        return RollTable()
    try:
        return RollTable(read_rolls(path), True)
    except BadInput as error:
        return RollTable((), True, str(error))


def named_repeats(coil: Coil, found: Repeats, rolls: Sequence[Roll]) -> tuple[NamedRepeat, ...]:
    """The candidates inside the range, the least probable by chance first."""
    return tuple(_named(coil, each, rolls) for each in found.candidates)


def _named(coil: Coil, repeat: Repeat, rolls: Sequence[Roll]) -> NamedRepeat:
    return NamedRepeat(
        repeat,
        name_rolls(repeat.period_m, repeat.error_m, rolls),
        image_multiple(repeat.period_m, repeat.error_m, coil.spacings),
        tuple(coil.defects[number].defect.id for number in repeat.members),
    )


def drawn(coil: Coil, repeats: Sequence[NamedRepeat]) -> str:
    """What the map needs, as JSON; metres count from the coil's first image."""
    first = coil.along_m[0]
    return json.dumps(
        [
            {
                "period": each.repeat.period_m,
                "from": each.repeat.first_m - first,
                "to": each.repeat.last_m - first,
                "across": each.repeat.across_mm,
                "members": each.repeat.members,
            }
            for each in repeats
        ]
    )
