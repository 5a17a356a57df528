"""Groups of joined regions against a slow twin that compares each pair by itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadInput
from steelsight.ledger.coils import joining
from steelsight.ledger.coils.joining import Rectangles, connected


def twin_joined(regions, one, other, tolerance):
    """Whether two regions are parts of one defect, as docs/line.md says it."""
    if regions.sheets[one] == regions.sheets[other]:
        return False
    if regions.stations[one] != regions.stations[other] and not (regions.known[one] and regions.known[other]):
        return False
    places, images = regions.places, regions.images
    gaps = [
        max(places[one][axis][0], places[other][axis][0]) - min(places[one][axis][1], places[other][axis][1])
        for axis in (0, 1)
    ]
    if max(gaps) < 0:
        return True
    if max(gaps) > tolerance:
        return False
    for axis in (0, 1):
        first, second = sorted((one, other), key=lambda each: tuple(images[each][axis]))
        reaches = images[first][axis][1] - places[first][axis][1] <= tolerance
        reaches &= places[second][axis][0] - images[second][axis][0] <= tolerance
        if reaches and images[second][axis][0] - images[first][axis][1] <= tolerance:
            return True
    return False


def twin(regions, tolerance):
    number = len(regions.sheets)
    groups = [{each} for each in range(number)]
    for one in range(number):
        for other in range(one + 1, number):
            if twin_joined(regions, one, other, tolerance):
                merged = next(each for each in groups if one in each)
                rest = next(each for each in groups if other in each)
                if merged is not rest:
                    groups.remove(rest)
                    merged |= rest
    return sorted(sorted(each) for each in groups)


@st.composite
def rectangles(draw):
    """Regions of images on a small strip, in whole millimetres: no rounding, many ties."""
    count = draw(st.integers(1, 14))
    rows = []
    for _ in range(count):
        image = [sorted((draw(st.integers(0, 12)), draw(st.integers(0, 12)))) for _ in range(2)]
        place = [sorted((draw(st.integers(*span)), draw(st.integers(*span)))) for span in image]
        rows.append((place, image, draw(st.integers(0, 5)), draw(st.integers(0, 1)), draw(st.booleans())))
    rows.sort(key=lambda row: row[0][0])
    places, images, sheets, stations, known = zip(*rows, strict=True)
    as_floats = (np.array(each, dtype=np.float64) for each in (places, images))
    return Rectangles(*as_floats, np.array(sheets), np.array(stations), np.array(known))


@pytest.mark.parametrize("block", [1, 7, 10_000])
@given(regions=rectangles(), tolerance=st.integers(0, 3))
def test_groups_are_those_of_comparing_each_pair(block, regions, tolerance):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joining, "BLOCK", block)
        assert list(connected(regions, float(tolerance))) == twin(regions, tolerance)


def test_more_pairs_than_can_be_compared_are_refused(monkeypatch):
    spans = np.tile([[[0.0, 1.0], [0.0, 1.0]]], (100, 1, 1))
    regions = Rectangles(spans, spans, np.arange(100), np.zeros(100, int), np.ones(100, bool))
    assert [len(each) for each in connected(regions, 0.0)] == [100]
    monkeypatch.setattr(joining, "MOST_PAIRS", 4949)
    with pytest.raises(BadInput, match="so close along the coil that 4950 pairs"):
        list(connected(regions, 0.0))
