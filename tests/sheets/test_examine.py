"""What is set aside is told by reason: equal reasons once, different advice apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from steelsight.sheets.examine import group_reasons
from steelsight.types import Rejection


def _wide(number: int, largest: int, bits: int = 12) -> Rejection:
    name = f"crack/foto {number}.png"
    return Rejection(
        name, f"{name}: 16-bit file whose largest value is {largest}; state it with --bits {bits}"
    )


def test_ninety_files_of_one_reason_are_one_line() -> None:
    groups = group_reasons([_wide(number, 4080 - number) for number in range(90)])
    assert [(each.first, each.count) for each in groups] == [("crack/foto 0.png", 90)]
    assert str(groups[0]).endswith("is 4080; state it with --bits 12 (and 89 more like it)")


def test_other_advice_is_another_reason() -> None:
    found = [_wide(1, 4000), _wide(2, 900, 10), _wide(3, 3999), Rejection("a.png", "damaged")]
    assert [(each.first, each.count) for each in group_reasons(found)] == [
        ("crack/foto 1.png", 2),
        ("crack/foto 2.png", 1),
        ("a.png", 1),
    ]
    assert str(group_reasons(found)[2]) == "a.png: damaged"


@given(st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=30))
def test_every_item_is_counted_once_and_the_first_of_each_is_shown(pairs: list[tuple[str, str]]) -> None:
    rejections = [Rejection(*pair) for pair in pairs]
    groups = group_reasons(rejections)
    assert sum(each.count for each in groups) == len(rejections)
    assert {(each.first, each.reason) for each in groups} <= set(pairs)
