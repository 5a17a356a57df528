"""RFC 8785 canonical JSON by the C encoder of `json`, for values on which the two agree; by `rfc8785` else.

They agree on text, lists, objects with ASCII keys, integers below 2^53, and numbers that JavaScript and
Python write alike. Every other value, and every value that has no canonical form, is left to `rfc8785`.
"""

from __future__ import annotations

import json
from typing import Any, Final

import rfc8785

__all__ = ["canonical_json"]

SAFE: Final = 2**53  # integers below it are exact numbers of JavaScript
# Between these bounds neither Python nor JavaScript writes an exponent.
SMALLEST: Final = 1e-4
LARGEST: Final = 1e15
_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"), sort_keys=True
)


class _Unlike(Exception):
    """A value that `json` may write otherwise than RFC 8785."""


def canonical_json(value: Any) -> bytes:
    """The canonical bytes of a JSON value.

    raises  rfc8785.CanonicalizationError or UnicodeError: a value has no canonical form; RecursionError
    source  RFC 8785

    >>> canonical_json({"b": 1.0, "a": [1e-7, True, "\\x01"]})
    b'{"a":[1e-7,true,"\\\\u0001"],"b":1}'
    """
    try:
        return _ENCODER.encode(_alike(value)).encode()
    except _Unlike:
        return rfc8785.dumps(value)


def _alike(value: Any) -> Any:
    """The value with whole numbers as integers, which `json` writes as RFC 8785 does; raises _Unlike."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return value
    if kind is int:
        if -SAFE < value < SAFE:
            return value
        raise _Unlike
    if kind is float:
        return _alike_number(value)
    if kind is dict:
        for key in value:
            if type(key) is not str or not key.isascii():  # RFC 8785 sorts by UTF-16
                raise _Unlike
        return {key: _alike(each) for key, each in value.items()}
    if kind is list or kind is tuple:
        return [_alike(each) for each in value]
    raise _Unlike


def _alike_number(value: float) -> float | int:
    size = abs(value)
    if size <= LARGEST:
        whole = int(value)
        if whole == value:
            return whole  # also of -0.0
        if size >= SMALLEST:
            return value
    raise _Unlike
