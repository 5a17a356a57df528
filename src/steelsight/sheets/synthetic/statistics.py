"""How many defects a sheet carries, how large, and where: summaries of annotated Severstal sheets.

Only summaries stand here (histograms and quantiles over about a thousand sheets), never an annotation. One
component = one connected region of one type's mask, of 30 pixels or more, on a sheet of 256x1600.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "LEVELS",
    "PARTNERS",
    "REFERENCE_SIZE",
    "STATISTICS",
    "TOUCH_HEIGHTS",
    "SizeTable",
    "TypeStatistics",
]

REFERENCE_SIZE = (256, 1600)  # height, width
LEVELS = (0.0, 0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.98, 1.0)  # of every quantile table below
TOUCH_HEIGHTS = (64, 128, 200, 250)  # upper bounds of the height classes of touches_top and touches_bottom


@dataclass(frozen=True)
class SizeTable:
    """Quantiles of the components' boxes, for sheets with at most `up_to` components of the type."""

    up_to: int
    heights: tuple[int, ...]
    widths: tuple[int, ...]
    correlation: float  # Spearman, height with width


@dataclass(frozen=True)
class TypeStatistics:
    """One defect type."""

    counts: tuple[int, ...]  # sheets with 1, 2, … components
    centres_across: tuple[int, ...]  # components by the centre's sixteenth of the width
    touches_top: tuple[float, ...]  # chance by height class, for components that do not span the sheet
    touches_bottom: tuple[float, ...]
    sizes: tuple[SizeTable, ...]
    kinship: float  # correlation of size among the components of one sheet
    near: float  # chance that a component stands beside an earlier one …
    near_px: float  # … and how far away, typically


STATISTICS: dict[int, TypeStatistics] = {
    1: TypeStatistics(
        counts=(77, 34, 14, 13, 13, 10, 12, 7, 3, 7, 3, 1, 3, 1, 0, 1),
        centres_across=(24, 61, 86, 121, 101, 59, 21, 28, 22, 30, 14, 28, 22, 35, 50, 13),
        touches_top=(0.06, 0.10, 0.23, 0.33),
        touches_bottom=(0.06, 0.08, 0.10, 0.20),
        sizes=(
            SizeTable(
                1,
                (16, 18, 37, 49, 65, 78, 87, 101, 126, 165, 233, 256, 256),
                (11, 12, 19, 22, 24, 26, 28, 30, 33, 37, 46, 62, 67),
                0.16,
            ),
            SizeTable(
                3,
                (21, 24, 29, 36, 42, 47, 56, 65, 72, 116, 187, 256, 256),
                (9, 13, 17, 20, 22, 24, 26, 28, 33, 38, 49, 59, 180),
                0.27,
            ),
            SizeTable(
                99,
                (16, 20, 25, 29, 32, 34, 38, 42, 46, 53, 66, 89, 172),
                (11, 15, 18, 20, 22, 23, 24, 26, 29, 32, 41, 53, 97),
                0.37,
            ),
        ),
        kinship=0.2,
        near=0.6,
        near_px=60.0,
    ),
    2: TypeStatistics(
        counts=(50, 15, 3),
        centres_across=(2, 3, 0, 5, 15, 5, 1, 1, 4, 14, 2, 0, 0, 2, 20, 15),
        touches_top=(0.11, 0.17, 0.36, 0.26),
        touches_bottom=(0.22, 0.31, 0.24, 0.32),
        sizes=(
            SizeTable(
                1,
                (61, 73, 96, 115, 141, 152, 159, 190, 210, 241, 256, 256, 256),
                (7, 8, 11, 14, 16, 17, 19, 21, 25, 27, 31, 34, 40),
                0.28,
            ),
            SizeTable(
                99,
                (67, 72, 91, 107, 115, 125, 137, 158, 180, 199, 254, 254, 256),
                (10, 10, 12, 14, 17, 19, 22, 23, 25, 27, 32, 33, 34),
                0.50,
            ),
        ),
        kinship=0.3,
        near=1.0,
        near_px=14.0,
    ),
    3: TypeStatistics(
        counts=(276, 176, 139, 82, 53, 40, 14, 9, 11, 6, 4, 4, 1, 1, 2, 2),
        centres_across=(91, 138, 155, 126, 162, 123, 167, 156, 190, 166, 193, 216, 183, 142, 120, 65),
        touches_top=(0.10, 0.19, 0.28, 0.34),
        touches_bottom=(0.11, 0.18, 0.20, 0.21),
        sizes=(
            SizeTable(
                1,
                (19, 28, 59, 69, 91, 122, 155, 228, 253, 256, 256, 256, 256),
                (4, 10, 19, 24, 31, 39, 46, 58, 86, 153, 296, 1438, 1600),
                -0.12,
            ),
            SizeTable(
                3,
                (10, 22, 39, 59, 81, 113, 168, 215, 253, 256, 256, 256, 256),
                (5, 13, 18, 22, 26, 31, 36, 44, 54, 72, 151, 564, 1600),
                -0.07,
            ),
            SizeTable(
                99,
                (5, 14, 30, 49, 69, 92, 120, 162, 208, 254, 256, 256, 256),
                (3, 6, 13, 18, 20, 24, 29, 34, 44, 64, 114, 324, 1597),
                0.16,
            ),
        ),
        kinship=0.6,
        near=0.45,
        near_px=70.0,
    ),
    4: TypeStatistics(
        counts=(140, 106, 38, 19, 12, 8, 1, 1, 1, 0, 1),
        centres_across=(27, 36, 42, 45, 47, 58, 49, 48, 35, 53, 45, 46, 45, 47, 38, 24),
        touches_top=(0.12, 0.17, 0.26, 0.24),
        touches_bottom=(0.14, 0.22, 0.27, 0.23),
        sizes=(
            SizeTable(
                1,
                (42, 51, 68, 90, 104, 125, 145, 172, 210, 241, 256, 256, 256),
                (51, 59, 91, 118, 135, 171, 193, 226, 259, 344, 543, 939, 1079),
                0.45,
            ),
            SizeTable(
                3,
                (10, 19, 43, 62, 75, 86, 103, 117, 138, 168, 211, 255, 256),
                (16, 24, 52, 76, 99, 120, 141, 160, 199, 250, 351, 573, 830),
                0.60,
            ),
            SizeTable(
                99,
                (6, 12, 26, 37, 49, 61, 80, 95, 121, 142, 179, 242, 256),
                (10, 15, 29, 40, 54, 68, 84, 106, 135, 164, 226, 468, 708),
                0.71,
            ),
        ),
        kinship=0.1,
        near=0.5,
        near_px=100.0,
    ),
}

# Sheets of the whole competition with each pair of types: what a second type is, given the first.
PARTNERS: dict[int, dict[int, int]] = {
    1: {2: 37, 3: 93},
    2: {1: 37, 3: 16, 4: 1},
    3: {1: 93, 2: 16, 4: 284},
    4: {3: 284, 2: 1},
}
