"""Run-time checks of every annotation of the package, installed by `tests/conftest.py` before it is imported.

beartype checks arguments and results; jaxtyping compares the sizes that array types name. By itself jaxtyping
does its part for all functions and binds their arguments anew, which takes ten times as long as beartype's
check: here a function that names no array type is beartype's alone.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

import beartype
import jaxtyping

__all__ = ["check_annotations"]

_FUNCTION = "__beartype_func"  # the argument by which beartype's code calls the function
_jaxtyped = jaxtyping.jaxtyped
_nested: dict[tuple[str, types.CodeType], types.FunctionType] = {}  # of beartype, for those within functions


def check_annotations(package: str) -> None:
    """Check the functions and dataclasses of a package from its import on."""
    jaxtyping.jaxtyped = _decorator  # the name by which the hook's code calls it
    jaxtyping.install_import_hook(package, "beartype.beartype")


def _decorator(*, typechecker: Callable[..., Any]) -> Callable[[Any], Any]:
    def decorate(decorated: Any) -> Any:
        if not inspect.isclass(decorated):
            return checked(decorated)
        if dataclasses.is_dataclass(decorated) and not hasattr(decorated.__init__, "__wrapped__"):
            decorated.__init__ = checked(decorated.__init__)
        return decorated

    def checked(function: types.FunctionType) -> Callable[..., Any]:
        if inspect.isgeneratorfunction(function):  # beartype alone would look at what is yielded, too
            return _jaxtyped(function, typechecker=typechecker)
        by_beartype = _by_beartype(function)
        if not any(map(_has_array, by_beartype.__annotations__.values())):
            return functools.update_wrapper(by_beartype, function)

        @functools.wraps(function)
        def with_sizes(*arguments: Any, **named: Any) -> Any:
            with _jaxtyped("context"):  # arguments and result agree in the sizes that their types name
                return by_beartype(*arguments, **named)

        return with_sizes

    return decorate


def _by_beartype(function: types.FunctionType) -> types.FunctionType:
    """The function, which refuses arguments and a result of other types than the annotations name."""
    key = function.__module__, function.__code__
    built = _nested.get(key)
    twin = _copy(function, function.__kwdefaults__)
    twin.__annotations__ = _hints(function) if built is None else built.__annotations__
    if built is not None and _FUNCTION in (built.__kwdefaults__ or ()):  # its code is made once
        again = _copy(built, {**built.__kwdefaults__, _FUNCTION: twin})
        again.__annotations__ = built.__annotations__
        return again
    made = beartype.beartype(twin)
    if "<locals>" in function.__qualname__:
        _nested[key] = made
    return made


def _copy(function: types.FunctionType, named: dict[str, Any] | None) -> types.FunctionType:
    code, names = function.__code__, function.__globals__
    copy = types.FunctionType(code, names, function.__name__, function.__defaults__, function.__closure__)
    copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
    copy.__kwdefaults__ = named
    return copy


def _hints(function: types.FunctionType) -> dict[str, Any]:
    """Its annotations; one with a name that does not exist yet may be anything, as jaxtyping has it."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError:
        return {name: _hint(each, function.__globals__) for name, each in function.__annotations__.items()}


def _hint(annotation: Any, names: dict[str, Any]) -> Any:
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, names, include_extras=True)["it"]
    except NameError:
        return Any


def _has_array(hint: Any) -> bool:
    if isinstance(hint, list | tuple):  # the arguments of a Callable
        return any(map(_has_array, hint))
    if isinstance(hint, typing.TypeVar):
        return any(map(_has_array, (hint.__bound__, *hint.__constraints__)))
    if isinstance(hint, typing.NewType):
        return _has_array(hint.__supertype__)
    if inspect.isclass(hint) and typing.get_origin(hint) is None:
        return issubclass(hint, jaxtyping.AbstractArray)
    return any(map(_has_array, typing.get_args(hint)))
