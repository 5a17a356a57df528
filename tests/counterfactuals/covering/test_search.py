"""The smallest set: against trying every set, whatever the model is; bounds of a greedy search."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from steelsight.counterfactuals.covering.search import (
    MOST_EXACT,
    Change,
    Effect,
    PlaceSet,
    find_smallest,
)

CHANGES = list(Change)


def all_sets(count: int) -> list[PlaceSet]:
    return [each for size in range(1, count + 1) for each in combinations(range(count), size)]


class Model:
    """Any answer for any set; counts what it was asked."""

    def __init__(self, effects: dict[PlaceSet, Effect]) -> None:
        self.effects = effects
        self.asked: list[PlaceSet] = []

    def __call__(self, sets: Sequence[PlaceSet]) -> list[Effect]:
        self.asked.extend(sets)
        return [self.effects[each] for each in sets]


@st.composite
def models(draw: st.DrawFn, least: int = 0, most: int = 5) -> tuple[int, Model, set[PlaceSet]]:
    count = draw(st.integers(least, most))
    sets = all_sets(count)
    effects = {
        each: Effect(draw(st.sampled_from(CHANGES)), draw(st.sampled_from([0.1, 0.4, 0.8]))) for each in sets
    }
    refused = set(draw(st.lists(st.sampled_from(sets), max_size=4))) if sets else set()
    return count, Model(effects), refused


@given(models())
def test_the_set_is_the_smallest_of_all_and_takes_most_of_the_support(
    case: tuple[int, Model, set[PlaceSet]],
) -> None:
    count, model, refused = case
    found = find_smallest(count, model, lambda each: each not in refused)
    allowed = [each for each in all_sets(count) if each not in refused]
    turned = [each for each in allowed if model.effects[each].change is Change.TURNED]
    expected = min(turned, key=lambda each: (len(each), model.effects[each].support, each), default=None)
    assert found.places == expected
    assert not refused & set(model.asked)
    assert len(model.asked) == len(set(model.asked)) == found.tried
    smaller = [each for each in all_sets(count) if expected is None or len(each) < len(expected)]
    assert found.exact is not bool(refused & set(smaller))
    if found.exact:
        assert set(smaller) <= set(model.asked)
    assert found.unclear == sum(model.effects[each].change is Change.UNCLEAR for each in model.asked)


@settings(max_examples=60)
@given(st.integers(MOST_EXACT + 1, 8), st.data())
def test_of_many_places_none_of_the_set_can_be_left_out(count: int, data: st.DataObject) -> None:
    """A model that turns where one of some sets is covered wholly."""
    subsets = st.sets(st.integers(0, count - 1), min_size=1, max_size=4)
    enough = data.draw(st.lists(subsets, max_size=3))
    asked: list[PlaceSet] = []

    def probe(sets: Sequence[PlaceSet]) -> list[Effect]:
        asked.extend(sets)
        return [effect(each) for each in sets]

    def effect(places: PlaceSet) -> Effect:
        turned = any(each <= set(places) for each in enough)
        return Effect(Change.TURNED if turned else Change.KEPT, 1 - 0.1 * len(places))

    found = find_smallest(count, probe)
    assert len(asked) == len(set(asked)) <= 2 * count**2
    if not enough:
        assert found.places is None
        assert tuple(range(count)) in asked
        assert not found.exact
        return
    assert found.places is not None
    assert effect(found.places).change is Change.TURNED
    for out in found.places:
        rest = tuple(each for each in found.places if each != out)
        assert not rest or effect(rest).change is Change.KEPT
    if found.exact:
        assert len(found.places) == min(map(len, enough))


def test_no_place_is_nothing_to_try() -> None:
    model = Model({})
    found = find_smallest(0, model)
    assert (found.places, found.tried, model.asked) == (None, 0, [])
