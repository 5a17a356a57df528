"""Keyword settings of the API's calls: their names and types for editors and type checkers.

Each class has the fields of an option class of the command line, whose help texts and defaults hold here too.
How a DATA folder is read is said once, to `open_data`. `choose` makes the option class of the settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypedDict, TypeVar, get_type_hints

from steelsight.argument_types import describe_type, fits, got
from steelsight.errors import BadRecipe
from steelsight.options import option_fields
from steelsight.sheets.options import AUTOMATIC, DataOptions

__all__ = [
    "ReadingSettings",
    "choose",
    "read_options",
]

OptionsOf = TypeVar("OptionsOf")


class ReadingSettings(TypedDict, total=False):
    """How a DATA folder is read: `sheets.options.DataOptions`."""

    groups: str | None
    allow_bad: int
    layout: str | None
    masks: str | None
    defect_free: Sequence[str]
    bits: int | None


def choose(
    kind: type[OptionsOf],
    options: OptionsOf | None,
    settings: Mapping[str, Any],
    reading: DataOptions = AUTOMATIC,
    **fixed: Any,
) -> OptionsOf:
    """The option class of a call's settings.

    options   a whole option class instead of settings, as the command line has one
    settings  by the names of its fields; a list becomes a tuple, and one text or path a tuple of one
    reading   how DATA is read, for option classes that hold this too
    fixed     fields that are no settings of the call
    raises    BadRecipe for a setting that does not exist, beside `options`, or out of its bounds
    """
    if options is not None:
        if settings:
            raise BadRecipe(
                f"{', '.join(settings)}: expected settings or `options`, got both; leave one of them out"
            )
        if not isinstance(options, kind):
            raise BadRecipe(f"options: expected {kind.__name__}, got {got(options)}")
        return options
    known = fields(kind)  # type: ignore[arg-type]
    own = {each.name for each in fields(DataOptions)}
    if not issubclass(kind, DataOptions):
        own -= {each.name for each in known}  # a field of its own, which says nothing of how DATA is read
    types = {each.name: str(each.type) for each in known if each.name not in {*own, *fixed}}
    for name in settings:
        if name in own:
            raise BadRecipe(f"{name}: expected as a setting of open_data, which says how DATA is read")
        if name not in types:
            came = _named_by_option(kind, name)
            raise BadRecipe(f"{name}: expected one of {', '.join(types)}, got {came}")
    values = {name: _typed(value, types[name]) for name, value in settings.items()}
    if not option_fields(kind):  # an option class checks its own
        hints = get_type_hints(kind)
        for name, value in values.items():
            if not fits(value, hints[name]):
                raise BadRecipe(f"{name}: expected {describe_type(hints[name])}, got {got(value)}")
    read = vars(reading) if issubclass(kind, DataOptions) else {}
    return kind(**{**read, **values, **fixed})


def _named_by_option(kind: type, name: str) -> str:
    """What came in place of a setting: the name of an option of the command line, or any other name."""
    flag = f"--{name.replace('_', '-')}"
    for field, info in option_fields(kind).items():
        if info.flag and flag in info.flag.split("/"):
            return f"the option {flag} of the command line, which is the setting {field}"
    return "a setting of another name"


def read_options(reading: Mapping[str, Any]) -> DataOptions:
    """How a DATA folder is read; raises BadRecipe as `choose`."""
    types = {each.name: str(each.type) for each in fields(DataOptions)}
    for name in reading:
        if name not in types:
            raise BadRecipe(f"{name}: expected one of {', '.join(types)}, got a setting of another name")
    return DataOptions(**{name: _typed(value, types[name]) for name, value in reading.items()})


def _typed(value: Any, annotation: str) -> Any:
    """A value as its field holds it; one of another type stays as it is, and the option class refuses it."""
    if getattr(value, "ndim", None) == 0:  # a number or a text of NumPy
        value = value.item()
    if annotation.startswith("tuple"):
        if isinstance(value, str | Path):
            value = (value,)
        if isinstance(value, Sequence | set | frozenset) or getattr(value, "ndim", None) == 1:
            kind = annotation.removeprefix("tuple[")
            several = value.tolist() if hasattr(value, "tolist") else value
            return tuple(_typed(each, kind) for each in several)
        return value
    if annotation.startswith("Path") and isinstance(value, str):
        return Path(value)
    if annotation.startswith("float") and type(value) is int:
        return float(value)
    return value
