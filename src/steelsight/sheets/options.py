"""Options of opening a DATA folder: what belongs together, and how to read what its structure leaves open."""

from __future__ import annotations

from dataclasses import dataclass

from steelsight.options import check_options, option

__all__ = ["AUTOMATIC", "DataOptions"]


@dataclass(frozen=True)
class DataOptions:
    """What the caller says of a DATA folder; the defaults recognise the layout, the masks and the classes."""

    groups: str | None = option(
        None,
        help="What keeps sheets together: column:NAME, frames[:GAP], duplicates, or several joined by +.",
    )
    allow_bad: int = option(0, help="Tolerate up to N unusable items.", metavar="N", min=0)
    layout: str | None = option(
        None, help="Name of a layout, see sheets.catalog.LAYOUTS.", command_line=False
    )
    masks: str | None = option(
        None,
        help="none, boxes, sparse, a suffix (.png), an affix of names (_label), or a folder.",
        command_line=False,
    )
    defect_free: tuple[str, ...] = option(
        (), help="Names of the defect-free classes.", joined=True, command_line=False
    )

    def __post_init__(self) -> None:
        check_options(self)


AUTOMATIC = DataOptions()
