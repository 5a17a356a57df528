"""Refuses an opened DATA folder: more unusable items than tolerated, other bits than the model's."""

from __future__ import annotations

from dataclasses import replace

from steelsight.errors import BadRecipe, UnusableItems
from steelsight.sheets.examine import group_reasons
from steelsight.sheets.options import DataOptions
from steelsight.types import InputSpec, SheetSet

__all__ = ["at_bits_of", "refuse_rejected"]


def at_bits_of(spec: InputSpec, options: DataOptions) -> DataOptions:
    """The options with the bits at which an input is read, which belong to the model.

    raises  BadRecipe where the options ask for other bits
    """
    bits = spec.bits
    if options.bits not in {None, bits}:
        trained = f"with --bits {bits}" if bits else "without --bits"
        raise BadRecipe(
            f"--bits {options.bits}: the model was trained {trained} and reads images so; leave --bits out, "
            f"or train with --bits {options.bits}"
        )
    return replace(options.alone(), bits=bits)


def refuse_rejected(sheets: SheetSet, allow_bad: int) -> None:
    """Raise UnusableItems, with three reasons, where more items are unusable than allowed, or all are."""
    bad = sheets.rejections
    if len(bad) > allow_bad:
        groups = group_reasons(bad)
        reasons = "; ".join(map(str, groups[:3]))
        rest = sum(group.count for group in groups[3:])
        more = f"; and {rest} more" if rest else ""
        raise UnusableItems(
            f"{sheets.root}: {len(bad)} bad item{'s' * (len(bad) != 1)}, {allow_bad} allowed: "
            f"{reasons}{more}; "
            f"correct them (`steelsight data` lists all), or leave them out with --allow-bad {len(bad)}"
        )
    if not sheets.items:
        raise UnusableItems(f"{sheets.root}: expected at least one sheet, found none that can be used")
