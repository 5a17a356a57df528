"""Boxes and ends: on the steel, apart from each other, and distributed as the tables say."""

import numpy as np
import pytest

from steelsight.sheets.synthetic.drawing.layout import Box, End, draw_boxes, draw_end, end_beside
from steelsight.sheets.synthetic.statistics import LEVELS, PARTNERS, STATISTICS

SIZE = (256, 1600)


@pytest.mark.parametrize("defect_type", [1, 2, 3, 4])
@pytest.mark.parametrize("visible", [(0, 1600), (900, 1600), (0, 170)], ids=str)
def test_boxes_lie_on_the_steel_and_apart(defect_type: int, visible: tuple[int, int]) -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        boxes = draw_boxes(defect_type, rng, SIZE, visible=visible, taken=[])
        assert boxes
        for number, box in enumerate(boxes):
            assert 0 <= box.top < box.bottom <= 256
            assert visible[0] <= box.left < box.right <= visible[1]
            assert not any(box.meets(other, 0) for other in boxes[:number])


@pytest.mark.parametrize("defect_type", [1, 2, 3, 4])
def test_counts_and_places_follow_the_tables(defect_type: int) -> None:
    rng = np.random.default_rng(1)
    drawn = [draw_boxes(defect_type, rng, SIZE, visible=(0, 1600), taken=[]) for _ in range(700)]
    table = STATISTICS[defect_type]
    expected = np.array(table.counts) @ np.arange(1, len(table.counts) + 1) / sum(table.counts)
    assert np.mean([len(boxes) for boxes in drawn]) == pytest.approx(expected, rel=0.12)
    centres = [(box.left + box.right) / 2 for boxes in drawn for box in boxes]
    shares, _ = np.histogram(centres, 16, (0, 1600))
    wanted = np.cumsum(table.centres_across) / sum(table.centres_across)
    # Kolmogorov-Smirnov; beside sampling error, room for boxes pushed in from the sheet's border.
    assert np.abs(np.cumsum(shares) / sum(shares) - wanted).max() < 0.1


def test_tables_are_whole() -> None:
    for table in STATISTICS.values():
        assert len(table.centres_across) == 16
        assert table.sizes[-1].up_to >= len(table.counts)
        for sizes in table.sizes:
            assert len(sizes.heights) == len(sizes.widths) == len(LEVELS)
            assert list(sizes.heights) == sorted(sizes.heights)
            assert list(sizes.widths) == sorted(sizes.widths)
    assert all(PARTNERS[b][a] == n for a, partners in PARTNERS.items() for b, n in partners.items())


def test_ends_leave_some_steel(rng: np.random.Generator) -> None:
    ends = [draw_end(rng, 1600) for _ in range(200)]
    assert {end.side for end in ends} == {"left", "right"}
    assert all(40 <= end.width_px <= 1440 for end in ends)
    assert max(end.width_px for end in ends) > 800  # often more than half of the image is black


@pytest.mark.parametrize("left", [300, 1200])
def test_end_stands_outside_its_defects(left: int, rng: np.random.Generator) -> None:
    box = Box(10, left, 90, left + 30)
    for _ in range(50):
        first, last = end_beside([box], rng, 1600).visible(1600)
        assert first <= box.left
        assert box.right <= last


def test_visible_columns() -> None:
    assert End("none", 0).visible(100) == (0, 100)
    assert End("left", 30).visible(100) == (30, 100)
    assert End("right", 30).visible(100) == (0, 70)
