"""Policies that recommend actions: which rule fires, the shipped example, and what is wrong with a file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.pages.conftest import CLASSES

from steelsight.errors import BadInput
from steelsight.service.recommending.finding import _covered
from steelsight.service.recommending.firing import SheetFinding, fire
from steelsight.service.recommending.policy import parse_rules, read_rules, unknown_types
from steelsight.types import State

EXAMPLE = Path(__file__).parents[3] / "docs" / "recommendation.toml"
DEFAULT = '[[rule]]\nname = "rest"\naction = "accept"\n'


def policy(*rules, head=""):
    text = "".join(
        f'[[rule]]\nname = "r{number}"\naction = "hold"\n{rule}\n' for number, rule in enumerate(rules)
    )
    return parse_rules(f"{head}\n{text}{DEFAULT}".encode(), "p.toml")


def finding(label="type 1", state=State.DECIDED, probability=0.95, **values):
    return SheetFinding(tuple(label.split(" + ")), state, probability, **values)


def fired(rules, found):
    return fire(rules, found).rule.name


def test_the_shipped_example_loads_and_names_classes_of_the_shipped_bundles():
    rules = read_rules(EXAMPLE)
    assert [rule.action for rule in rules.rules][-1] == "accept"
    assert unknown_types(rules.rules, CLASSES) == []
    assert fired(rules, finding("none")) == "anything else"
    assert fired(rules, finding(state=State.UNKNOWN_INPUT)) == "not like the training sheets"
    assert fired(rules, finding(state=State.DOUBTFUL, probability=0.6)) == "doubtful defect"
    assert fired(rules, finding("type 3", area_mm2=500.0, length_mm=10.0)) == "large defect"
    assert fired(rules, finding("type 3", image_share=0.06)) == "large defect"
    assert fired(rules, finding("type 1", per_metre=3.0)) == "many defects"


@pytest.mark.parametrize(
    ("rule", "values", "holds"),
    [
        ('types = ["type 2", "type 1"]', {}, True),
        ('types = ["type 1"]', {"label": "type 2 + type 1"}, True),
        ('types = ["type 2"]', {}, False),
        ('states = ["doubtful"]', {}, False),
        ("least_probability = 0.95", {}, True),
        ("least_probability = 0.96", {}, False),
        ("most_probability = 0.95", {}, True),
        ("most_probability = 0.9", {}, False),
        ("least_probability = 0.0", {"probability": None}, None),
        ("least_area_mm2 = 5", {"area_mm2": 5.0}, True),
        ("least_area_mm2 = 5", {"area_mm2": 4.9}, False),
        ("least_area_mm2 = 0", {}, None),
        ("least_length_mm = 5", {"length_mm": 6.0}, True),
        ("least_image_share = 0.1", {"image_share": 0.1}, True),
        ("least_area_mm2 = 5\nleast_image_share = 0.1", {"image_share": 0.2, "area_mm2": 1.0}, False),
        ("least_area_mm2 = 5\nleast_image_share = 0.1", {"image_share": 0.01, "area_mm2": 6.0}, True),
        ("least_area_mm2 = 5\nleast_image_share = 0.1", {"image_share": 0.2}, True),
        ("least_area_mm2 = 5\nleast_image_share = 0.1", {"image_share": 0.01}, False),
        ("least_per_metre = 2", {"per_metre": 2.5}, True),
        ("least_per_metre = 2", {}, None),
        ('types = ["type 2"]\nleast_per_metre = 2', {}, False),
        ('types = ["type 1"]\nleast_per_metre = 2', {}, None),
        ('types = ["type 1"]\nleast_probability = 0.99', {}, False),
    ],
)
def test_all_conditions_of_a_rule_must_hold_and_what_is_not_known_is_said(rule, values, holds):
    found = fire(policy(rule), finding(**values))
    assert found.rule.name == ("r0" if holds else "rest")
    assert found.undecidable == (("r0",) if holds is None else ())
    assert bool(found.held) is (holds is True)


def test_the_first_rule_that_holds_fires_with_its_values():
    rules = policy("least_per_metre = 9", "most_probability = 0.99", "least_probability = 0.1")
    found = fire(rules, finding(per_metre=3.0))
    assert found.rule.name == "r1"
    assert [(each.key, each.value, each.limit) for each in found.held] == [("most_probability", 0.95, 0.99)]


@given(
    st.lists(
        st.sampled_from(["least_probability = 0.5", "least_per_metre = 2", 'types = ["a"]']), max_size=4
    ),
    st.sampled_from(list(State)),
    st.none() | st.floats(0, 1),
    st.none() | st.floats(0, 10),
)
def test_some_rule_fires_for_every_sheet_and_none_before_it_holds(rules, state, probability, per_metre):
    loaded = policy(*rules)
    found = fire(loaded, SheetFinding(("a",), state, probability, per_metre=per_metre))
    before = loaded.rules[: loaded.rules.index(found.rule)]
    assert all(not fire_alone(rule, state, probability, per_metre) for rule in before)


def fire_alone(rule, state, probability, per_metre):
    """An independent reading of the three conditions above."""
    limits = [
        (rule.least_probability, probability),
        (rule.least_per_metre, per_metre),
    ]
    known = all(limit is None or (value is not None and value >= limit) for limit, value in limits)
    return known and (rule.types is None or "a" in rule.types)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "p.toml: rule is missing"),
        ("rule = 5", "p.toml, rule: .*got 5"),
        ("[[rule]]\nname = 'a'\naction = 'accept'\n[[rule]\n", "expected TOML, .*line 4"),
        ("count_within_m = 0\n" + DEFAULT, "p.toml, count_within_m: .*greater than 0, got 0"),
        ("colour = 1\n" + DEFAULT, "p.toml: unknown key 'colour'; expected one of count_within_m, rule"),
        (
            DEFAULT.replace("accept", "scrap"),
            "p.toml line 1, rule 1 'rest', action: .*'re-inspect', 'hold' or 'downgrade', got 'scrap'",
        ),
        ("\n[[rule]]\nname = 'a'\n" + DEFAULT, "p.toml line 2, rule 1 'a': action is missing"),
        ("[[rule]]\naction = 'hold'\n" + DEFAULT, "p.toml line 1, rule 1: name is missing"),
        (
            "[[rule]]\nname = 'a'\naction = 'hold'\nsize = 3\n" + DEFAULT,
            "p.toml line 1, rule 1 'a': unknown key 'size'; expected one of name, action, types",
        ),
        (
            DEFAULT.replace("rest", "a") + "# more\n[[rule]]\nname = 'b'\naction = 'hold'\n",
            "line 1, rule 1 'a': has no condition, so no later rule can fire",
        ),
        (
            "[[rule]]\nname = 'a'\naction = 'hold'\nleast_area_mm2 = -1\n" + DEFAULT,
            "rule 1 'a', least_area_mm2: .*greater than or equal to 0, got -1",
        ),
        (
            "[[rule]]\nname = 'a'\naction = 'hold'\nleast_probability = nan\n" + DEFAULT,
            "rule 1 'a', least_probability: .*finite",
        ),
        (
            "[[rule]]\nname = 'a'\naction = 'hold'\nleast_per_metre = true\n" + DEFAULT,
            "rule 1 'a', least_per_metre: .*number, got True",
        ),
        (
            "[[rule]]\nname = 'a'\naction = 'hold'\nstates = ['sure']\n" + DEFAULT,
            "rule 1 'a', states.0: .*'decided'.*got 'sure'",
        ),
        ("[[rule]]\nname = 'a'\naction = 'hold'\ntypes = []\n" + DEFAULT, "rule 1 'a', types: "),
        (
            "[[rule]]\nname = 'rest'\naction = 'hold'\nleast_per_metre = 1\n" + DEFAULT,
            "line 5, rule 2 'rest': the name comes a second time",
        ),
        (
            "[[rule]]\nname = 'a'\naction = 'hold'\nleast_per_metre = 1\n",
            "line 1, rule 1 'a': expected a last rule without a condition.*got least_per_metre",
        ),
        ("[[rule]]\nname = '\x01'\naction = 'hold'\n", "expected TOML"),
    ],
)
def test_what_is_wrong_with_a_policy_is_said_with_line_and_rule(content, message):
    with pytest.raises(BadInput, match=message):
        parse_rules(content.encode(), "p.toml")


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(BadInput, match="cannot be read"):
        read_rules(tmp_path / "none.toml")
    with pytest.raises(BadInput, match="cannot be read"):
        read_rules(tmp_path)


def test_a_class_that_no_bundle_has_is_named_with_its_rule():
    rules = policy('types = ["type 1", "rust"]')
    assert unknown_types(rules.rules, CLASSES) == [("r0", "rust")]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=8))
def test_metres_with_an_image_are_counted_once(parts):
    ends = [(float(start), float(start + length)) for start, length in parts]
    whole = {metre for start, length in parts for metre in range(start, start + length)}
    assert _covered(ends) == len(whole)
