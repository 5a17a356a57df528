"""Convert values to JSON's own types."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from typing import Any, Protocol, runtime_checkable

from steelsight.names import shown_name

__all__ = ["Plain", "plain"]


@runtime_checkable
class Plain(Protocol):
    """A value that knows its own JSON form."""

    def plain(self) -> Any:
        """This value in JSON's own types, or in types that `plain` converts."""


def plain(value: Any) -> Any:
    """Convert a value to JSON's types.

    NaN and infinity become None, dataclasses dicts, arrays and sets lists, other values text; text is as
    `shown_name` writes it.

    >>> plain({"a": (1, float("nan")), 2: True})
    {'a': [1, None], '2': True}
    """
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str):
        return shown_name(value)
    if value is None or isinstance(value, bool | int):
        return value
    if type(value) is list:  # the plain types come first: a look at a protocol is slow
        return [plain(entry) for entry in value]
    if type(value) is dict:
        return {shown_name(str(key)): plain(entry) for key, entry in value.items()}
    if isinstance(value, Plain):
        return plain(value.plain())
    if isinstance(value, Mapping):
        return {shown_name(str(key)): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | Set):
        return [plain(entry) for entry in value]
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return plain(value.tolist())
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return shown_name(str(value))  # paths, dates
