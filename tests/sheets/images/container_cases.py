"""Image files of every container, with the gray that they must be read as, or the refusal.

The expected values are written by hand. `docs/images.md` is generated from these cases by
`container_table.py`, so that what is documented is what is tested.
"""

from __future__ import annotations

from tests.sheets.images.depth_cases import ORIENTED, SIXTEEN_BITS, UNKNOWN_LAYOUTS
from tests.sheets.images.gray_cases import EIGHT_BITS, NO_STILL_IMAGE, TRANSPARENT

GROUPS = {
    "Gray, colour and compression": EIGHT_BITS,
    "Orientation": ORIENTED,
    "More than 8 bits": SIXTEEN_BITS,
    "Transparency": TRANSPARENT,
    "Samples whose meaning is not known": UNKNOWN_LAYOUTS,
    "Files that hold no still image": NO_STILL_IMAGE,
}
CASES = tuple(case for cases in GROUPS.values() for case in cases)
