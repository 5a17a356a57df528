"""Options described where they are defined: the field of an option class carries its own documentation.

An option class is a frozen dataclass whose fields are made by `option`. The command line builds its options
from such a class (`cli/options.py`), so that a help text, a bound and a default are written once.

    @dataclass(frozen=True)
    class SweepOptions:
        \"\"\"How a sweep draws its sheets.\"\"\"

        limit: int = option(500, help="Maximum number of sheets, drawn at random.", min=1)
        split: Literal["unseen", "test"] = option("unseen", help="Sheets to use.")

        def __post_init__(self) -> None:
            check_options(self)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from steelsight.argument_types import check_path, describe_type, fits, got
from steelsight.errors import BadRecipe

__all__ = ["OptionInfo", "check_options", "option", "option_fields"]

_KEY = "steelsight.option"


@dataclass(frozen=True)
class OptionInfo:
    """What an option says of itself."""

    help: str
    metavar: str | None = None
    min: int | float | None = None
    max: int | float | None = None
    flag: str | None = None  # such as "--set" or "--fresh/--resume"; None = the field's name
    joined: bool = False  # several values in one text, joined by commas
    command_line: bool = True  # False = for Python only


def option(default: Any = MISSING, *, help: str, **info: Any) -> Any:
    """A field of an option class with its documentation.

    default  none = the option is required
    help     one sentence: what the option does, and in which unit
    info     further fields of `OptionInfo`
    """
    return field(default=default, metadata={_KEY: OptionInfo(help, **info)})


def option_fields(options: type) -> Mapping[str, OptionInfo]:
    """The documented fields of an option class, in their order."""
    return {each.name: each.metadata[_KEY] for each in fields(options) if _KEY in each.metadata}


def check_options(options: Any) -> None:
    """Refuse values of another type than an option's, or outside its bounds or choices.

    To be called by `__post_init__`.

    raises  BadRecipe, naming the option, what it expects and what came
    """
    hints = get_type_hints(type(options))
    for name, info in option_fields(type(options)).items():
        value = getattr(options, name)
        words = info.flag.partition("/")[0] if info.flag else f"--{name.replace('_', '-')}"
        choices = _choices(hints[name])
        wrong = not choices and not fits(value, hints[name])
        if wrong and not isinstance(value, float):  # of NaN and infinity the bounds say more
            raise _refused(words, hints[name], value)
        for each in value if isinstance(value, tuple) else (value,):
            if each is None:
                continue
            if choices and each not in choices:
                raise BadRecipe(f"{words}: expected one of {', '.join(map(str, choices))}, got {each!r}")
            if isinstance(each, Path):
                check_path(words, each)
            if info.min is not None and not each >= info.min:
                raise BadRecipe(f"{words}: expected at least {info.min:g}, got {each}")
            if info.max is not None and not each <= info.max:
                raise BadRecipe(f"{words}: expected at most {info.max:g}, got {each}")
        if wrong:
            raise _refused(words, hints[name], value)


def _choices(annotation: Any) -> tuple[Any, ...]:
    """The values of a Literal, also inside `X | None` and `tuple[X, ...]`."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next((found for part in get_args(annotation) if (found := _choices(part))), ())


def _refused(words: str, kind: Any, value: Any) -> BadRecipe:
    return BadRecipe(f"{words}: expected {describe_type(kind)}, got {got(value)}")
