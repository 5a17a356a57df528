"""Arguments of other types than annotations name are refused, by functions and option classes."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from steelsight.argument_types import check_path, checked, describe_type, fits
from steelsight.errors import BadInput, BadRecipe, UnknownLayer
from steelsight.options import check_options, option

NAN = float("nan")


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (int, [0, -3, np.int64(2), 2**63 - 1], [True, 2**63, 10**5000, 2.5, "3", None, NAN, np.float32(1)]),
        (float, [0, 2.5, np.float32(1), np.int8(1)], [True, NAN, float("inf"), "3", None, 10**400]),
        (bool, [True, np.bool_(False)], [0, 1, "yes", None, np.array([True])]),
        (str, ["", np.str_("a")], [b"a", None, 3]),
        (Path, [Path("a")], ["a", b"a", None]),
        (int | None, [3, None], ["3", 2.5]),
        (Literal["a", "b"] | None, ["a", None], ["c", 3, []]),
        (tuple[str, ...], [(), ("a",)], ["a", ["a"], ("a", 3), None]),
        (Sequence[Any], [[1, "a"], (None,)], [None, b"a", 3]),
        (tuple[int, int], [(1, 2)], [(1,), (1, "a")]),
        (
            Sequence[Path | str] | Path | str,
            ["a", ["a", Path("b")], iter([]), np.array(["a"])],
            [b"a", 3, [3], {}],
        ),
    ],
)
def test_what_fits(kind, good, bad):
    assert [value for value in good if not fits(value, kind)] == []
    assert [value for value in bad if fits(value, kind)] == []
    assert describe_type(kind)


@dataclass(frozen=True)
class Options:
    """Options of every type."""

    count: int = option(3, help="Count.", min=1)
    share: float | None = option(None, help="Share.", min=0, max=1)
    names: tuple[str, ...] = option((), help="Names.")
    folder: Path | None = option(None, help="Folder.")
    ratio: float = option(1.0, help="Ratio.")
    quick: bool = option(False, help="Quick.")

    def __post_init__(self) -> None:
        check_options(self)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"count": "3"}, r"--count: expected a whole number, got '3' \(str\)"),
        ({"count": None}, "--count: expected a whole number, got None"),
        ({"count": 10**5000}, "--count: expected a whole number, got one of 16610 bits"),
        ({"count": True}, "--count: expected a whole number, got True"),
        ({"share": []}, "--share: expected a finite number or None, got "),
        ({"share": NAN}, "--share: expected at least 0, got nan"),
        ({"ratio": NAN}, "--ratio: expected a finite number, got nan"),
        ({"names": ("a", 3)}, "--names: expected a list of text, got "),
        ({"folder": "text"}, "--folder: expected a path or None, got 'text'"),
        ({"folder": Path("a\0b")}, "--folder: expected a path, got 'a"),
        ({"quick": "no"}, "--quick: expected True or False, got 'no'"),
    ],
)
def test_an_option_of_another_type_is_refused(settings, message):
    with pytest.raises(BadInput, match=message):
        Options(**settings)
    assert Options(count=2, share=1, names=("a",), folder=Path("a"), quick=True).share == 1


def test_a_function_refuses_arguments_of_other_types():
    @checked
    def call(data: Path | str, *names: str, count: int = 3, more: Unknown = None) -> int:
        """What it does."""
        return count

    @checked
    def several(anchors: Sequence[Unknown | Path | str]) -> int:
        return len(anchors)

    assert several([object(), "a"]) == 2
    with pytest.raises(BadInput, match="anchors: expected a list of Unknown or a path, got 3"):
        several(3)
    assert call("a", "b", count=2, more=object()) == 2
    assert (call.__name__, call.__doc__) == ("call", "What it does.")
    assert list(inspect.signature(call).parameters) == ["data", "names", "count", "more"]
    for given, settings, message in (
        ((None,), {}, "data: expected a path, got None"),
        ((b"a",), {}, "data: expected a path, got b'a'"),
        (("a", 3), {}, "names: expected text, got 3"),
        (("a",), {"count": "3"}, "count: expected a whole number, got '3'"),
        (("x" * 5000,), {}, "data: expected a path, got one of 5,000 characters"),
    ):
        with pytest.raises(BadInput, match=message):
            call(*given, **settings)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'data'"):
        call()


@pytest.mark.parametrize("path", ["a\0b", "\ud800", "x" * 300])
def test_text_that_is_no_path(path):
    with pytest.raises(BadInput, match=r"^out: expected a path, got ") as caught:
        check_path("out", path)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("kind", [BadRecipe, UnknownLayer])
def test_an_error_is_one_line_that_every_encoding_can_write(kind):
    text = str(kind("a\nb\x1b[2J\udcff: expected\r\na name"))
    assert text == "a b\\x1b[2J\\xff: expected a name"
