"""Groups of sheets that must stay in one split: tiles, coils, batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["group_keys"]


def group_keys(names: Sequence[str], own: Iterable[object] | None = None) -> list[str]:
    """One key for each sheet, equal for sheets of the same named group.

    names    group of each sheet; "" = none
    own      a value for each sheet that distinguishes sheets without a group; None = their positions
    returns  (n) keys; a sheet without a group has one of its own

    >>> [key.replace(chr(0), "own ") for key in group_keys(["a", "", "a", ""])]
    ['a', 'own 1', 'a', 'own 3']
    """
    alone = range(len(names)) if own is None else own
    return [name or f"\0{mark}" for name, mark in zip(names, alone, strict=True)]
