"""The checks of annotations refuse what the annotations exclude, and nothing else."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import jaxtyping
import numpy as np
import pytest
from beartype.roar import BeartypeCallHintViolation
from tests.annotations import check_annotations

REFUSED = (BeartypeCallHintViolation, jaxtyping.TypeCheckError)
CODE = '''
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from elsewhere import Unknown

Vector = Float[np.ndarray, "n"]
Few = TypeVar("Few", bound=Vector)


def double(value: float, *more: int, name: str = "", unknown: Unknown | None = None) -> float:
    """Twice the value."""
    return "no number" if name == "wrong" else 2 * value


def add(left: Vector, right: Vector) -> Vector:
    return left[:-1] if right[0] < 0 else left + right


def every(each: list[Vector] | None) -> int:
    return 0 if each is None else len(each)


def bounded(each: Few) -> Few:
    return each


def call(function: Callable[[Vector], float], values: Vector) -> float:
    return function(values)


def up_to(count: int) -> Iterator[int]:
    yield from range(count)


def adder(start: int) -> Callable[[int], int]:
    def added(number: int, *, times: int = start) -> int:
        return start + number * times

    return added


def scaler(factor: float) -> Callable[[Vector, Vector], Vector]:
    def scaled(left: Vector, right: Vector) -> Vector:
        return factor * (left + right)

    return scaled


@dataclass(frozen=True)
class Place:
    row: int
    next: Place | None = None

    def moved(self, rows: int) -> Place:
        return Place(self.row + rows, self)

    @classmethod
    def first(cls, row: int = 0) -> Place:
        return cls(row)

    @property
    def wrong(self) -> str:
        return self.row


@dataclass(frozen=True)
class Named(Place):
    values: Vector | None = None
'''


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module that was imported under the checks."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))  # afterwards without its hook
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "annotated_code.py").write_text(CODE)
    check_annotations("annotated_code")
    yield importlib.import_module("annotated_code")
    del sys.modules["annotated_code"]


ONES, TWO = np.ones(3), np.ones(2)


def test_right_values_pass(code: ModuleType) -> None:
    assert code.double(1.5, 1, 2, name="a", unknown=object()) == 3
    assert (code.add(ONES, ONES) == 2).all()
    assert code.every([ONES, ONES]) == 2
    assert code.every(None) == 0
    assert code.bounded(ONES) is ONES
    assert code.call(lambda values: float(values.sum()), ONES) == 3
    assert list(code.up_to(3)) == [0, 1, 2]
    assert code.Place.first().moved(2) == code.Place(2, code.Place(0))
    assert code.Named(1, values=ONES).row == 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda code: code.double("1"),
        lambda code: code.double(1),  # the package says `float | int` where both are meant
        lambda code: code.double(1.0, "1"),
        lambda code: code.double(1.0, name=1),
        lambda code: code.double(1.0, name="wrong"),
        lambda code: code.add(ONES, TWO),
        lambda code: code.add(ONES, ONES.astype(int)),
        lambda code: code.add(ONES, -ONES),
        lambda code: code.every([TWO[None]]),
        lambda code: code.bounded(TWO[None]),
        lambda code: code.call(None, ONES),
        lambda code: code.up_to("3"),
        lambda code: code.Place("1"),
        lambda code: code.Place(1).moved("1"),
        lambda code: code.Place.first("1"),
        lambda code: code.Place(1).wrong,
        lambda code: code.Named("1"),
        lambda code: code.Named(1, values=[1.0]),
    ],
)
def test_wrong_values_are_refused(code: ModuleType, wrong: object) -> None:
    with pytest.raises(REFUSED):
        wrong(code)  # type: ignore[operator]


def test_a_function_within_a_function_is_checked_each_time_and_keeps_its_own_values(code: ModuleType) -> None:
    for start in (1, 5):
        added, scaled = code.adder(start), code.scaler(float(start))
        assert (added(2), added(2, times=1)) == (3 * start, start + 2)
        assert (scaled(ONES, ONES) == 2 * start).all()
        with pytest.raises(REFUSED):
            added("2")
        with pytest.raises(REFUSED):
            scaled(ONES, TWO)


def test_sizes_of_one_call_do_not_bind_those_of_another(code: ModuleType) -> None:
    assert code.call(lambda values: float(code.add(TWO, TWO).sum() + values.sum()), ONES) == 7
    with pytest.raises(REFUSED):
        code.add(ONES, TWO)
    assert code.add(TWO, TWO).size == 2


def test_functions_look_as_they_were_written(code: ModuleType) -> None:
    for function in (code.double, code.add, code.up_to, code.Place.moved):
        assert function.__module__ == "annotated_code"
        assert inspect.getsource(function).lstrip().startswith(f"def {function.__name__}(")
    assert code.double.__doc__ == "Twice the value."
    assert str(inspect.signature(code.add)) == "(left: 'Vector', right: 'Vector') -> 'Vector'"
    assert code.adder(1).__qualname__ == "adder.<locals>.added"
