"""Builds a verb's options from the option classes of its signature."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer

from steelsight.errors import BadRecipe
from steelsight.options import OptionInfo, option_fields
from steelsight.reports.options import FigureOptions

__all__ = ["draws_figures", "expand_options"]


def expand_options(verb: Callable[..., None]) -> Callable[..., None]:
    """Replace every parameter whose type is an option class by one parameter for each of its options.

    The command receives the options one by one; the verb receives an instance of the class. Fields that are
    for Python only keep their defaults.

    raises  TypeError where two parameters of the verb would have one name
    """
    signature = inspect.signature(verb)
    hints = get_type_hints(verb, include_extras=True)
    classes = {name: kind for name, kind in hints.items() if isinstance(kind, type) and is_dataclass(kind)}
    parameters: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        if name in classes:
            parameters += _parameters(classes[name])
        else:
            parameters.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))
    names = [each.name for each in parameters]
    if twice := {name for name in names if names.count(name) > 1}:
        raise TypeError(f"{verb.__name__}: expected options with different names, got {sorted(twice)} twice")

    @functools.wraps(verb)
    def command(**values: Any) -> None:
        for name, kind in classes.items():
            own = {each: values.pop(each) for each, info in option_fields(kind).items() if info.command_line}
            values[name] = _build(kind, own)
        verb(**values)

    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": None}
    return command


def draws_figures(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of figures to a command that `expand_options` made; they hold for all it draws."""
    signature = inspect.signature(command)
    parameters = [*signature.parameters.values(), *_parameters(FigureOptions)]
    names = option_fields(FigureOptions)

    @functools.wraps(command)
    def drawing(**values: Any) -> None:
        options = FigureOptions(**{name: values.pop(name) for name in names})
        if not options.svg:  # the others start without matplotlib
            command(**values)
            return
        from steelsight.reports.figures.style import svg_figures

        with svg_figures():
            command(**values)

    drawing.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    drawing.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": None}
    return drawing


def _build(kind: type, values: dict[str, Any]) -> Any:
    """An option class from what the command line read."""
    for name, info in option_fields(kind).items():
        value = values.get(name)
        if info.joined and value is not None:
            parts = tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
            if not parts:
                raise BadRecipe(f"{_flag(name, info)}: expected names joined by commas, got none")
            values[name] = parts
        elif isinstance(value, list):
            values[name] = tuple(value)
    absent = {each.name for each in fields(kind) if values.get(each.name, MISSING) is None}
    defaults = {each.name: each.default for each in fields(kind)}
    return kind(**{name: defaults[name] if name in absent else value for name, value in values.items()})


def _flag(name: str, info: OptionInfo) -> str:
    return info.flag or f"--{name.replace('_', '-')}"


def _parameters(kind: type) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(kind)
    defaults = {each.name: each.default for each in fields(kind)}
    for name, info in option_fields(kind).items():
        if not info.command_line:
            continue
        annotation, default = _plain_type(hints[name], info, defaults[name])
        marker = typer.Option(
            *([info.flag] if info.flag else []),
            help=info.help,
            metavar=info.metavar,
            min=info.min,
            max=info.max,
        )
        yield inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if default is MISSING else default,
            annotation=Annotated[annotation, marker],
        )


def _plain_type(annotation: Any, info: OptionInfo, default: Any) -> tuple[Any, Any]:
    """Type and default of a field as Typer takes them."""
    optional = get_origin(annotation) in (Union, UnionType) and NoneType in get_args(annotation)
    inner = next(each for each in get_args(annotation) if each is not NoneType) if optional else annotation
    if get_origin(inner) is tuple:
        if info.joined:
            absent = default in (None, ())
            text = default if default is MISSING else None if absent else ",".join(map(str, default))
            return (str | None if optional or absent else str), text
        item, _ = _plain_type(get_args(inner)[0], info, None)
        return list[item] | None, None if default in (None, MISSING, ()) else list(default)  # type: ignore[valid-type]
    if get_origin(inner) is not Literal and inner not in (str, int, float, bool, Path):
        raise TypeError(f"expected an option of a type the command line knows, got {annotation}")
    return annotation, default
