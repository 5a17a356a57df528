"""How a DATA folder is to be read where its structure leaves a choice."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AUTOMATIC", "DataOptions"]


@dataclass(frozen=True)
class DataOptions:
    """What the caller says of a DATA folder; the defaults recognise everything."""

    layout: str | None = None  # a name of sheets.catalog.LAYOUTS
    masks: str | None = None  # none, boxes, sparse, a suffix (.png), an affix of names (_label), or a folder
    defect_free: tuple[str, ...] = ()  # names of the defect-free classes


AUTOMATIC = DataOptions()
