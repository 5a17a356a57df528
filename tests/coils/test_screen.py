"""The screen leaves out no strong frequency, and what is found with it is what the plain transform finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.coils.conftest import LENGTH_M, marks, strip

from steelsight.coils import periods, search
from steelsight.coils.lattice import Span
from steelsight.coils.periods import find_band, in_bins, likely_periods, turn_weights
from steelsight.coils.repeats import find_repeats
from steelsight.coils.screen import BinnedPoints, FrequencyBand, strong_numbers
from steelsight.coils.settings import RepeatSettings

BIN_M, HARMONICS, PEAKS, LEAST_POWER = 0.02, 4, 4, 20.0


def plain_powers(part, band):
    """The powers of a frequency and its harmonics, by one padded transform."""
    power = np.abs(np.fft.rfft(np.bincount(part.bins, part.weights, band.size))) ** 2
    numbers = np.arange(band.low, band.high)
    return power[numbers[:, None] * np.arange(1, HARMONICS + 1)].sum(axis=1) / (part.weights @ part.weights)


def plain_periods(parts, band):
    """The likely periods of each part: the strongest peaks of the powers of all frequencies."""
    found = []
    for part in parts:
        total = plain_powers(part, band)
        before, after = np.r_[0, total[:-1]], np.r_[total[1:], 0]
        peaks = np.flatnonzero((total >= before) & (total > after) & (total >= LEAST_POWER))
        strongest = peaks[np.argsort(-total[peaks], kind="stable")][:PEAKS]
        found.append([band.size * BIN_M / float(band.low + peak) for peak in strongest])
    return found


def narrow(rng, count):
    """Random defects on few strips, since the plain transform is slow."""
    return rng.uniform(0, LENGTH_M, count), rng.uniform(600, 800, count), "scale"


def line(rng, along):
    along = along[(along >= 0) & (along <= LENGTH_M)]
    return along, 700 + rng.uniform(-10, 10, along.size), "scratch"


def weak(rng, period):
    return marks(rng, period, missing=0.75)


COILS = {
    "random": lambda rng: [narrow(rng, 800)],
    "a mark": lambda rng: [narrow(rng, 60), marks(rng, 2.3)],
    "a mark in many defects": lambda rng: [narrow(rng, 500), marks(rng, 1.7)],
    "weak marks": lambda rng: [narrow(rng, 100), weak(rng, 0.9), weak(rng, 1.37)],
    "two marks at one place": lambda rng: [marks(rng, 1.9), marks(rng, 2.7), narrow(rng, 100)],
    "a short period": lambda rng: [narrow(rng, 60), marks(rng, 0.4)],
    "a mark on a part": lambda rng: [narrow(rng, 150), marks(rng, 1.1, start=180, end=260)],
    "a scratch": lambda rng: [narrow(rng, 60), line(rng, 50 + np.cumsum(rng.uniform(0.05, 1, 400)))],
    "even parts": lambda rng: [line(rng, np.cumsum(1.5 * rng.normal(1, 0.1, 150).clip(0.1)))],
    "clusters": lambda rng: [line(rng, np.repeat(rng.uniform(0, 300, 9), 30) + rng.normal(0, 0.1, 270))],
    "a full line": lambda rng: [line(rng, rng.uniform(0, 300, 2600)), marks(rng, 2.2)],
    "a short coil": lambda rng: [(rng.uniform(0, 7, 60), rng.uniform(0, 40, 60), "dent")],
    "copies of one place": lambda rng: [line(rng, np.full(300, 77.0)), narrow(rng, 60)],
}


@pytest.mark.parametrize("name", COILS)
def test_a_coil_shows_what_the_plain_transform_shows(name, monkeypatch):
    coil = strip(*COILS[name](np.random.default_rng(len(name))))
    found = find_repeats(coil)
    monkeypatch.setattr(search, "likely_periods", plain_periods)
    assert found == find_repeats(coil)


def test_the_same_holds_for_other_ranges_sides_and_a_long_coil(monkeypatch):
    rng = np.random.default_rng(1)
    along = np.r_[rng.uniform(0, 1200, 300), 20 + 3.7 * np.arange(300) + rng.normal(0, 0.004, 300)]
    across = np.r_[rng.uniform(0, 300, 300), np.full(300, 250.0)]
    coil = strip((along, across, "dent"), sides=tuple(rng.choice(["top", "bottom"], along.size)))
    ranges = RepeatSettings(0.3, 12.0, lateral_mm=25.0, tolerance_mm=20.0)
    found = find_repeats(coil, ranges)
    assert [each.period_m for each in found.candidates] == [pytest.approx(3.7, rel=1e-4)] * 2
    monkeypatch.setattr(search, "likely_periods", plain_periods)
    assert found == find_repeats(coil, ranges)


@pytest.mark.parametrize("dense", [0, 10**6])
def test_periods_are_the_same_with_and_without_the_screen(dense, monkeypatch):
    monkeypatch.setattr(periods, "DENSE", dense)
    span, rng = Span(10.0, 110.0), np.random.default_rng(2)
    band = find_band(span, 0.5, 6.0)
    parts = []
    for count in (6, 40, 300, 2500):
        along = np.sort(np.r_[rng.uniform(10, 110, count), 10.2 + 1.9 * np.arange(min(count // 4, 50))])
        parts.append(in_bins(along[along <= 110], turn_weights(along[along <= 110], 0.5), span, band))
    found = likely_periods(parts, band)
    assert any(found)
    assert found == plain_periods(parts, band)


@settings(max_examples=50)
@given(
    low=st.integers(1, 40),
    more=st.integers(3, 400),
    size=st.sampled_from([1024, 2048, 8192]),
    counts=st.lists(st.integers(1, 70), min_size=1, max_size=4),
    seed=st.integers(0, 2**32 - 1),
    regular=st.booleans(),
)
def test_no_strong_frequency_is_left_out_and_none_far_below_is_kept(low, more, size, counts, seed, regular):
    rng = np.random.default_rng(seed)
    band = FrequencyBand(low, min(low + more, size // 8), size)
    parts = []
    for count in counts:
        bins = rng.integers(0, size, count)
        if regular:
            bins = (bins // 37 * 37).clip(0, size - 1)
        parts.append(BinnedPoints(bins, rng.uniform(0.01, 1, count)))
    for part, strong in zip(parts, strong_numbers(parts, band, HARMONICS, 6.0), strict=True):
        total = plain_powers(part, band)
        assert set(band.low + np.flatnonzero(total >= 6)) <= set(strong.tolist())
        assert (total[strong - band.low] >= 5.9).all()
        assert (np.diff(strong) > 0).all()


def test_a_frequency_that_just_reaches_the_limit_is_kept():
    """Points in one bin have the largest power there is at every frequency: n times the harmonics."""
    band = FrequencyBand(5, 900, 8192)
    part = BinnedPoints(np.full(50, 4321), np.ones(50))
    (strong,) = strong_numbers([part], band, HARMONICS, 50.0 * HARMONICS)
    assert strong.tolist() == list(range(5, 900))
    (strong,) = strong_numbers([part], band, HARMONICS, 50.0 * HARMONICS * 1.01)
    assert strong.size == 0
