"""Which names say defect-free."""

from __future__ import annotations

import pytest

from steelsight.errors import BadData
from steelsight.sheets.formats.class_names import is_defect_free, name_classes, note_defect_free_names

GOOD = [
    "pass",
    "Passed",
    "IO",
    "i.O.",
    "gut",
    "ok_front",
    "OK-Teile",
    "1_good",
    "OK_01",
    "good2",
    "Negative",
    "negative_samples",
    "non_defective",
    "NonDefective",
    "intact",
    "undamaged",
    "no_crack",
    "uncracked",
    "nicht_defekt",
    "fehlerfrei",
    "anomaly-free",
    "No_Anomaly",
    "class_good",
    "normal_images",
    "unbroken",
]
BAD = [
    "Fail",
    "nio",
    "n.i.O.",
    "NOK",
    "def_front",
    "Positive",
    "anomaly",
    "abnormal",
    "not-good",
    "Nicht_OK",
    "unclean",
    "imperfect",
    "free_edge",
    "ok_crack",
    "good_crack",
    "defective",
    "0_defect",
    "class_1",
    "passive",
    "normalised",
    "freckle",
    "Ausschuss",
]


@pytest.mark.parametrize("name", GOOD)
def test_names_of_good_sheets(name: str) -> None:
    assert is_defect_free(name)


@pytest.mark.parametrize("name", BAD)
def test_names_of_bad_sheets(name: str) -> None:
    assert not is_defect_free(name)


def test_classes_keep_their_order_and_good_ones_their_names() -> None:
    names = name_classes(["pit", "ok_back", "crack", "ok_front"])
    assert names.type_names == ("none", "pit", "crack")
    assert names.clean_name == "ok_back + ok_front"
    assert name_classes(["pit", "crack"]).clean_name == "none"


def test_the_caller_overrules_names_in_any_case() -> None:
    names = name_classes(["good", "A-Ware"], ["a-ware"])
    assert (names.type_names, names.clean_name) == (("none", "good"), "A-Ware")
    with pytest.raises(BadData, match="no class B; the classes are good, A-Ware"):
        name_classes(["good", "A-Ware"], ["B"])


def test_a_type_whose_name_says_defect_free_is_noted() -> None:
    named = name_classes(["crack", "good", "good 2", "not_ok"], ["crack"])
    first, second = note_defect_free_names(tuple(named.types), named.clean_name)
    assert first.startswith("class good counts as a defect type although its name says defect-free")
    assert first.endswith("give --defect-free good too")
    assert second.endswith("give --defect-free 'good 2' too")
    remedy = name_classes(["crack", "good", "good 2", "not_ok"], ["crack", "good", "good 2"])
    assert note_defect_free_names(tuple(remedy.types), remedy.clean_name) == []
    recognised = name_classes(["crack", "good", "ok_front"])
    assert note_defect_free_names(tuple(recognised.types), recognised.clean_name) == []
