"""Kappa against scikit-learn, its interval against statsmodels, and what has none."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa
from tests.quality.conftest import data, draw

from steelsight.quality.agreement import Pair, agreement, agreements

LABELS = ("none", "crack", "dent")


def pairs(seed=0, count=200, agree=0.7):
    rng = np.random.default_rng(seed)
    first = rng.choice(LABELS, count, p=(0.6, 0.3, 0.1))
    second = np.where(rng.random(count) < agree, first, rng.choice(LABELS, count))
    return [
        Pair(f"c{row}", ("a", "b"), (str(one), str(two)))
        for row, (one, two) in enumerate(zip(first, second, strict=True))
    ]


def test_kappa_and_its_interval_are_those_of_other_libraries():
    drawn = pairs()
    first, second = zip(*(pair.labels for pair in drawn), strict=True)
    found = agreement(drawn, interchangeable=False)
    assert found.kappa == pytest.approx(cohen_kappa_score(first, second))
    table = np.array([[sum(pair.labels == (a, b) for pair in drawn) for b in LABELS] for a in LABELS])
    other = cohens_kappa(table)
    assert found.low == pytest.approx(other.kappa_low, abs=0.005)
    assert found.high == pytest.approx(other.kappa_upp, abs=0.005)


def test_interchangeable_people_have_the_kappa_of_fleiss():
    drawn = pairs(1)
    counts = np.array([[pair.labels.count(label) for label in LABELS] for pair in drawn])
    found = agreement(drawn, interchangeable=True)
    assert found.kappa == pytest.approx(fleiss_kappa(counts))
    turned = [Pair(each.coil, each.people, each.labels[::-1]) for each in drawn]
    assert agreement(turned, interchangeable=True) == found


def test_pairs_of_one_coil_count_together():
    apart = pairs(2)
    together = [
        Pair(f"c{row % 10}", each.people, each.labels)
        for row, each in enumerate(sorted(apart, key=lambda each: each.labels[0] == each.labels[1]))
    ]
    blocks = [
        Pair(f"c{row // 20}", each.people, each.labels)
        for row, each in enumerate(sorted(apart, key=lambda each: each.labels[0] == each.labels[1]))
    ]
    wide, narrow = (agreement(each, interchangeable=True) for each in (blocks, together))
    assert wide.kappa == pytest.approx(narrow.kappa)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_where_all_agree_the_lower_bound_has_a_width():
    drawn = [Pair(f"c{row}", ("a", "b"), (label, label)) for row, label in enumerate(("none", "crack") * 10)]
    found = agreement(drawn, interchangeable=True)
    assert (found.kappa, found.high) == (1, 1)
    assert found.low == pytest.approx((0.025 ** (1 / 20) - 0.5) / 0.5)


@pytest.mark.parametrize(
    ("drawn", "words"),
    [
        ([], "no sheet was reviewed by two people"),
        ([Pair("c", ("a", "b"), ("none", "none"))] * 3, "all labels are 'none'"),
        ([Pair("c", ("a", "b"), ("none", "dent")), Pair("c", ("a", "b"), ("none", "none"))], "of one coil"),
    ],
)
def test_what_has_no_kappa_or_no_interval_says_why(drawn, words):
    found = agreement(drawn, interchangeable=True)
    assert words in found.note
    assert (found.low, found.high) == (None, None)


def test_all_pairs_of_three_reviewers_are_used():
    answers = (("a", "none"), ("b", "crack"), ("c", "none"))
    whole, of_two = agreements(data([draw(1, answers=answers), draw(2, answers=answers[:2]), draw(3)]))
    assert (whole.pairs, whole.agreed) == (4, 1)
    assert {people: each.pairs for people, each in of_two.items()} == {
        ("a", "b"): 2,
        ("a", "c"): 1,
        ("b", "c"): 1,
    }
