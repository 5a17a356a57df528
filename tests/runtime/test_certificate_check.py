"""The test of a certificate: its false alarms counted, its bound attacked, its power where sheets differ."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom, binom

from steelsight.runtime.bundle.card import BundleCard, LabelSets
from steelsight.runtime.certificate_check import (
    FALSE_ALARM,
    FIRST_LOOK,
    CertificateMonitor,
    log_tail,
    open_monitor,
)
from steelsight.runtime.certification import certification_sheets, fit_label_sets
from steelsight.types import InputSpec

PROMISE = "the certificate does"


def continuous(rng, count):
    return rng.beta(3, 1, count), rng.chisquare(12, count) ** 0.5


def saturated(rng, count):
    """Confidences that are mostly exactly 1, distances of a few values."""
    return np.where(rng.random(count) < 0.7, 1.0, rng.random(count)), np.ceil(rng.gamma(2, 1, count))


def nearly_saturated(rng, count):
    """As an engine gives them: differences far below single precision."""
    return 1 - rng.random(count) * 1e-12, 8 + rng.random(count) * 1e-10


def summary_of(rng, draw, count, **options):
    return certification_sheets(*draw(rng, count), rng=rng, **options)


def check(certified, confidence, distance):
    return look(CertificateMonitor(certified, PROMISE, repeated=False), confidence, distance)


def look(monitor, confidence, distance):
    monitor.add(confidence, distance)
    return monitor.result()


@given(
    units=st.integers(1, 300), sheets=st.integers(1, 300), places=st.tuples(st.floats(0, 1), st.floats(0, 1))
)
def test_the_tail_is_that_of_the_beta_binomial_distribution(units, sheets, places):
    rank, count = max(1, round(places[0] * units)), round(places[1] * sheets)
    law = betabinom(sheets, rank, units + 1 - rank)
    expected = law.pmf(np.arange(count, sheets + 1)).sum()  # scipy's own tail loses its small values
    assert math.exp(log_tail(count, sheets, rank, units)) == pytest.approx(min(1, expected), rel=1e-8)


def test_the_tail_of_millions_of_sheets_is_finite():
    assert log_tail(5_000_000, 10_000_000, 5000, 10_000) == pytest.approx(math.log(0.5), abs=0.02)
    assert log_tail(10_000_000, 10_000_000, 100, 10_000) < -1000


@pytest.mark.parametrize("draw", [continuous, saturated, nearly_saturated])
@pytest.mark.parametrize(("units", "sheets"), [(30, 20), (300, 40), (60, 3000), (318, 318)])
def test_sheets_drawn_alike_are_called_different_no_more_often_than_stated(draw, units, sheets):
    rng, runs = np.random.default_rng([units, sheets]), 1500
    alarms = sum(check(summary_of(rng, draw, units), *draw(rng, sheets)).void for _ in range(runs))
    assert binom.sf(alarms - 1, runs, FALSE_ALARM) > 1e-3


def test_the_bound_is_not_empty():
    """With the bound of one order statistic for all of them, there would be more false alarms than stated."""
    rng, runs, found = np.random.default_rng(3), 1500, 0
    for _ in range(runs):
        certified = summary_of(rng, continuous, 200)
        values = np.array(certified.confidence)
        confidence, _ = continuous(rng, 400)
        below = [int((confidence < value).sum()) for value in values]
        tails = [log_tail(b, 400, rank, 200) for b, rank in zip(below, certified.ranks, strict=True)]
        found += min(tails) <= math.log(FALSE_ALARM)
    assert binom.sf(found - 1, runs, FALSE_ALARM) < 1e-3


@pytest.mark.parametrize("step", [1, 37])
def test_looking_again_and_again_does_not_raise_the_false_alarms(step):
    rng, runs = np.random.default_rng(step), 150 if step == 1 else 500
    total = 260 if step == 1 else 2100
    alarms = 0
    for _ in range(runs):
        monitor = CertificateMonitor(summary_of(rng, continuous, 200), PROMISE, repeated=True)
        confidence, distance = continuous(rng, total)
        looks = set()
        for start in range(0, total, step):
            monitor.add(confidence[start : start + step], distance[start : start + step])
            looks.add(monitor.result().void)
        alarms += True in looks
    assert binom.sf(alarms - 1, runs, FALSE_ALARM) > 1e-3


def test_the_looks_do_not_depend_on_how_the_sheets_were_handed_over(rng):
    certified = summary_of(rng, continuous, 200)
    confidence, distance = continuous(rng, 1000)
    found = []
    for step in (1, 64, 999, 1000):
        monitor = CertificateMonitor(certified, PROMISE, repeated=True)
        for start in range(0, 1000, step):
            monitor.add(confidence[start : start + step], distance[start : start + step] + 0.9)
        found.append(monitor.result())
    assert found[0].void
    assert found.count(found[0]) == 4


def test_what_was_refuted_stays_refuted(rng):
    monitor = CertificateMonitor(summary_of(rng, continuous, 200), PROMISE, repeated=True)
    confidence, distance = continuous(rng, FIRST_LOOK)
    monitor.add(confidence, distance + 5)
    first = monitor.result()
    assert first.void
    monitor.add(*continuous(rng, 20_000))
    assert monitor.result() == first


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("distance", lambda values: values + 1.5, "are farther than"),
        ("distance", lambda values: values - 1.5, "are closer than"),
        ("confidence", lambda values: values * 0.7, "have a confidence below"),
        ("confidence", lambda values: values**0.2, "have a confidence above"),
        ("distance", lambda values: np.where(np.arange(len(values)) % 10, values, 40), "are farther than"),
    ],
    ids=["farther", "closer", "less sure", "surer", "one in ten is foreign"],
)
def test_sheets_that_differ_are_told(rng, name, change, words):
    certified = summary_of(rng, continuous, 300)
    confidence, distance = continuous(rng, 400)
    if name == "distance":
        distance = change(distance)
    else:
        confidence = change(confidence)
    found = check(certified, confidence, distance)
    assert found.void
    assert found.statement.startswith("the certificate does not hold for these sheets: ")
    assert words in found.reason
    assert "of 400 sheets" in found.reason
    assert "of the 300 certification sheets" in found.reason


def test_the_words_give_the_shares_that_were_counted():
    certified = certification_sheets(np.full(99, 0.5), np.arange(1.0, 100.0), rng=np.random.default_rng(0))
    found = check(certified, np.full(200, 0.5), np.concatenate([np.full(150, 95.0), np.full(50, 20.0)]))
    assert (
        "75% of 200 sheets are farther than 90 from the training sheets, against 9% of the 99" in found.reason
    )


def test_the_certification_sheets_themselves_never_refute(rng):
    for draw in (continuous, saturated, nearly_saturated):
        confidence, distance = draw(rng, 500)
        certified = certification_sheets(confidence, distance, rng=rng)
        assert not check(certified, confidence, distance).void
        assert not check(certified, np.tile(confidence, 40), np.tile(distance, 40)).void


@pytest.mark.parametrize(("units", "sheets"), [(9, 500), (300, 9), (300, 0), (1, 1)])
def test_few_sheets_get_no_statement(rng, units, sheets):
    confidence, _ = continuous(rng, sheets)
    found = check(summary_of(rng, continuous, units), confidence * 0, np.full(sheets, 900.0))
    assert not found.void
    assert found.statement == ""
    assert found.reason.startswith(f"not tested: {sheets} sheets and {units} certification sheets")


def test_a_repeated_check_says_nothing_before_its_first_look(rng):
    monitor = CertificateMonitor(summary_of(rng, continuous, 300), PROMISE, repeated=True)
    monitor.add(np.zeros(FIRST_LOOK - 1), np.full(FIRST_LOOK - 1, 900.0))
    assert monitor.result().reason.startswith("not tested")
    monitor.add(np.zeros(1), np.full(1, 900.0))
    assert monitor.result().void


def test_unknown_distances_are_left_out(rng):
    confidence, distance = continuous(rng, 300)
    without = certification_sheets(confidence, np.full(300, np.nan), rng=rng)
    assert without.distance == ()
    assert not check(without, confidence, np.full(300, np.nan)).void
    assert check(without, confidence * 0.5, np.full(300, np.nan)).void
    whole = certification_sheets(confidence, distance, rng=rng)
    assert not check(whole, confidence, np.full(300, np.nan)).void


def test_of_each_group_one_sheet_counts(rng):
    confidence, distance = continuous(rng, 400)
    found = certification_sheets(confidence, distance, rng=rng, groups=[str(i % 40) for i in range(400)])
    assert found.sheets == 40
    assert found.ranks[-1] <= 40


def card(**changes):
    fields = {
        "task": "multiclass",
        "class_names": ("none", "a"),
        "model": "m",
        "head": "h",
        "input": InputSpec(),
        "graph": {"opset": 17, "grid": (2, 2), "embedding": 4},
        "precision": "f32",
        "files": {"model.onnx": {"sha256": "0" * 64, "size": 1}},
    }
    return BundleCard.model_validate(fields | changes)


def test_what_does_not_hold_is_named(rng):
    kept = summary_of(rng, continuous, 100)
    promised = LabelSets(coverage=0.9, least=(0.1, 0.1), sheets=(20, 20), needed=(0, 0))
    certified = {"threshold": 0.9, "threshold_by": "certificate", "threshold_statement": "at most ..."}
    far = np.full(100, 0.9), np.full(100, 900.0)
    for changes, words in (
        (certified, "the certificate does not hold for these sheets"),
        ({"label_sets": promised}, "the coverage of the label sets does not hold"),
        (
            certified | {"label_sets": promised},
            "the certificate and the coverage of the label sets do not hold",
        ),
    ):
        monitor = open_monitor(card(certification=kept, **changes), repeated=False)
        assert words in look(monitor, *far).statement


def test_a_card_that_promises_nothing_cannot_be_refuted(rng):
    kept = summary_of(rng, continuous, 100)
    assert open_monitor(card(), repeated=True) is None
    assert open_monitor(card(certification=kept), repeated=True) is None
    estimate = {"threshold": 0.9, "threshold_by": "cross-validation"}
    assert open_monitor(card(certification=kept, **estimate), repeated=False) is None


def sets(least, sheets, needed, coverage=0.9):
    return {"label_sets": {"coverage": coverage, "least": least, "sheets": sheets, "needed": needed}}


def kept(ranks, **values):
    return {"certification": {"sheets": 9, "ranks": ranks} | values}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (sets([0.1], [9], [0]), "expected 2 classes"),
        (sets([0.1, 0.1], [9], [0]), "equal length"),
        (sets([0.1, 0.1], [9, 3], [0, 6]), "expected 0"),
        (sets([0, 0], [9, 9], [0, 0], coverage=1), "less than 1"),
        (sets([2, 0], [9, 9], [0, 0]), "equal to 1"),
        (kept([1, 1], confidence=[0, 1]), "expected rising ones"),
        (kept([1, 10], confidence=[0, 1]), "rising ones up to 9"),
        (kept([1, 9], confidence=[0.5]), "expected 2 values"),
        (kept([1, 9], confidence=[1, 0]), "values in order"),
        (kept([1], distance=[float("nan")]), "finite number"),
        (kept([]), "at least 1 item"),
    ],
)
def test_cards_that_contradict_themselves_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        card(**changes)


def test_a_multilabel_card_has_no_label_sets():
    with pytest.raises(ValueError, match="multilabel"):
        card(task="multilabel", defect_free_class=None, **sets([0, 0], [9, 9], [0, 0]))


def test_label_sets_come_from_the_usable_sheets_alone(rng):
    probabilities = np.full((40, 2), 0.5)
    labels = np.repeat([0, -1], 20)
    found = fit_label_sets(probabilities, labels, labels >= 0, rng=rng)
    assert found.sheets == (20, 0)
    assert found.needed == (0, 9)
