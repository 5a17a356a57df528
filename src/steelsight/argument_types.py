"""Checks the types of settings and of arguments of the Python API, where a type checker has not."""

from __future__ import annotations

import builtins
import errno
import inspect
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, ParamSpec, TypeVar, Union, cast, get_args, get_origin

from steelsight.errors import BadInput
from steelsight.names import shown_name

__all__ = ["annotated_type", "check_path", "checked", "describe_type", "fits", "got", "is_possible"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

LARGEST: Final = 2**63 - 1  # what native libraries take as a whole number
_WORDS: Final[dict[Any, str]] = {
    int: "a whole number",
    float: "a finite number",
    bool: "True or False",
    str: "text",
    bytes: "bytes",
    Path: "a path",
    NoneType: "None",
}
_PLURALS: Final = {"a whole number": "whole numbers", "a finite number": "numbers", "a path": "paths"}


def fits(value: Any, kind: Any) -> bool:
    """Whether a value is of a type as an annotation writes it; numbers of NumPy are numbers.

    A type that this does not know fits every value.

    >>> fits(3, int | None), fits(True, int), fits(["a", 2], tuple[str, ...])
    (True, False, False)
    """
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(fits(value, part) for part in parts)
    if origin is Literal:
        return any(value is part or (isinstance(value, type(part)) and value == part) for part in parts)
    if isinstance(origin, type):
        return _fits_generic(value, origin, parts)
    if kind is Any:  # a class since Python 3.11
        return True
    if kind in (None, NoneType):
        return value is None
    if kind is bool:
        return isinstance(value, bool) or _is_truth_value(value)
    if kind is int:
        return (
            not isinstance(value, bool) and isinstance(value, Integral) and -LARGEST <= int(value) <= LARGEST
        )
    if kind is float:
        return not isinstance(value, bool) and isinstance(value, Real) and _is_finite(value)
    if kind is Path:
        return isinstance(value, os.PathLike) and isinstance(os.fspath(value), str)
    return not isinstance(kind, type) or issubclass(kind, _Unknown) or isinstance(value, kind)


def _fits_generic(value: Any, origin: type, parts: tuple[Any, ...]) -> bool:
    """Whether a value is such as `Sequence[str]`, for which every iterable is taken, or `tuple[str, ...]`."""
    if not issubclass(origin, Sequence):
        return isinstance(value, origin)
    if origin is tuple and not isinstance(value, tuple):
        return False
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return False
    if origin is tuple and parts[1:] != (...,):
        return len(value) == len(parts) and all(map(fits, value, parts))  # type: ignore[arg-type]
    return not isinstance(value, list | tuple) or all(fits(each, parts[0]) for each in value)


def describe_type(kind: Any) -> str:
    """A type as messages name it.

    >>> describe_type(int | None), describe_type(tuple[str, ...])
    ('a whole number or None', 'a list of text')
    """
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        named = [part for part in parts if not (part is str and Path in parts)]  # a path as text is a path
        return " or ".join(dict.fromkeys(map(describe_type, named)))
    if origin is Literal:
        return f"one of {', '.join(map(str, parts))}"
    if isinstance(origin, type) and parts and issubclass(origin, Sequence):
        return f"a list of {_PLURALS.get(describe_type(parts[0]), describe_type(parts[0]))}"
    return _WORDS.get(kind, getattr(kind, "__name__", str(kind)))


def got(value: Any) -> str:
    """A value and its type as messages name what came, in at most 80 characters."""
    if isinstance(value, int) and abs(value) > LARGEST:
        return f"one of {value.bit_length()} bits"
    return f"{shown_name(f'{value!r:.60}')} ({type(value).__name__})"


def is_possible(path: Path) -> bool:
    r"""Whether a file can have this path: it has no zero byte, and no character that no file name can hold.

    >>> is_possible(Path("a.png")), is_possible(Path("a\0.png"))
    (True, False)
    """
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def check_path(name: str, path: Any) -> None:
    """Refuse text that no system call takes as a path; whether there is a file is not asked.

    raises  BadInput for a zero byte, a character that no file name can hold, or a name that is too long
    """
    text = os.fspath(path)
    if "://" in text:
        return
    if not is_possible(Path(text)):
        raise BadInput(f"{name}: expected a path, got {got(text)}, which no file can have; check the path")
    try:
        os.lstat(text)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise BadInput(
                f"{name}: expected a path, got one of {len(text):,} characters, {text[:40]!r}...; "
                "choose a shorter name"
            ) from error


def checked(call: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """A function of the API that refuses arguments of other types than its annotations name.

    Annotations that name what is imported for type checkers alone are not checked.
    raises  BadInput, naming the argument
    """
    signature = inspect.signature(call)

    @lru_cache(maxsize=1)
    def kinds() -> Mapping[str, Any]:  # at the first call: a module may define its types below the function
        return {name: annotated_type(each, call) for name, each in signature.parameters.items()}

    def check(*args: Any, **kwargs: Any) -> Any:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:  # a missing or an unknown argument: the call itself says which
            return call(*args, **kwargs)
        for name, value in given.items():
            parameter, kind = signature.parameters[name], kinds()[name]
            if kind is Any or parameter.kind is inspect.Parameter.VAR_KEYWORD:
                continue
            for each in value if parameter.kind is inspect.Parameter.VAR_POSITIONAL else (value,):
                _check(name, each, kind)
        return call(*args, **kwargs)

    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(check, name, getattr(call, name))
    check.__signature__ = signature  # type: ignore[attr-defined]
    return cast(Callable[Parameters, Result], check)


def _check(name: str, value: Any, kind: Any) -> None:
    if not fits(value, kind):
        raise BadInput(f"{name}: expected {describe_type(kind)}, got {got(value)}")
    if Path in get_args(kind) and isinstance(value, str | os.PathLike):
        check_path(name, value)


class _Unknown:
    """What an annotation names that is imported for type checkers alone."""


class _Names(dict[str, Any]):
    """Names of a module; any other is a class of that name, which stands for what is not imported."""

    def __missing__(self, name: str) -> type:
        return type(name, (_Unknown,), {})


def annotated_type(parameter: inspect.Parameter, call: Callable[..., Any]) -> Any:
    """The type of a function's parameter; what is imported for type checkers alone fits all."""
    if not isinstance(parameter.annotation, str):
        return Any
    known = inspect.unwrap(call).__globals__
    try:
        return eval(parameter.annotation, known, _Names(vars(builtins) | known))
    except (NameError, AttributeError, TypeError):
        return Any


def _is_finite(value: Real) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False


def _is_truth_value(value: Any) -> bool:
    """Whether it is NumPy's own; NumPy is not imported for it."""
    return getattr(getattr(value, "dtype", None), "kind", "") == "b" and getattr(value, "ndim", 1) == 0
