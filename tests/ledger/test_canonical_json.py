"""The fast canonical form has the bytes of the package `rfc8785` for every value, and refuses the same."""

import math

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from steelsight.ledger.chain.canonical_json import canonical_json

NUMBERS = st.one_of(
    st.integers(-(2**60), 2**60),
    st.floats(),
    st.integers(-400, 400).map(lambda power: math.ldexp(1.0, power)),
    st.integers(-30, 25).map(lambda power: float(f"1e{power}")),
    st.integers(-(2**53) - 3, 2**53 + 3).map(float),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.text())
VALUES = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)), max_leaves=20
)


def outcome(call, value):
    try:
        return call(value)
    except (rfc8785.CanonicalizationError, UnicodeError):
        return None


@given(VALUES)
@example({"\U0001f600": 1, "\uffff": 2, "a": 3})
@example([-0.0, 0.0, 1e21, 1e-7, 1e-5, 1e15, 1e16, 123456789012345680.0, 5e-324, 2**53 - 1, 2**53, -(2**53)])
@example("".join(map(chr, range(0x180))) + "\u2028\u2029\ufeff")
@example(["\ud800"])
@example({"\ud800": 1})
@example({"a": (1, (2.5, ()))})
def test_the_bytes_are_those_of_the_reference(value):
    assert outcome(canonical_json, value) == outcome(rfc8785.dumps, value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, {1: 2}, {"a": object()}])
def test_a_value_without_canonical_form_is_refused(value):
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical_json(value)
