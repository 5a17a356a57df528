"""Writes docs/images.md from the cases that the tests check: python -m tests.sheets.images.container_table"""

from __future__ import annotations

from pathlib import Path

from tests.sheets.images.container_cases import GROUPS
from tests.sheets.images.container_files import ContainerCase

PAGE = Path(__file__).parents[3] / "docs" / "images.md"
HEAD = """# Image files: what is read, and how

This page is generated from the tests (`python -m tests.sheets.images.container_table`): each row is a file
that a test draws, and whose pixels or refusal it checks.

Steelsight reads an image as a viewer shows it: upright, black at 0, in gray of 8 bits. Training, evaluation
and the plant read by the same function, and the card of a model holds the identity of the decoder
(`card.input.decoder`).

- **Orientation** (EXIF, TIFF or XMP) is applied once. Masks, boxes and run lengths are placed in the frame
  of the image as shown. A mask file is turned by its own tag alone: a mask that carries the image's tag and
  a mask drawn on the image as shown both lie where they should.
- **16-bit files** often hold the 10, 12 or 14 bits of a camera, and mostly do not say so. Full scale is
  taken from the header where that states fewer bits (TIFF BitsPerSample and MaxSampleValue, PNG sBIT, PGM,
  JPEG 2000), else from `--bits N` (0 to 2^N - 1 for every such file of DATA), else it is 65535. Without
  `--bits`, an image that stays below a quarter of full scale is refused: it may be dark, or of a camera of
  fewer bits. No image is ever scaled by its own brightest pixel, which would hide exposure.
- `--bits` is given to `steelsight data` and `steelsight train`. A model keeps it, in `card.input.decoder`
  (`pillow-dct-area/1 bits=12`), so that every later verb and the plant read as in training. Files of 8 bits
  do not depend on it.
- **Transparent** pixels are black, as where no sheet is. In a mask file they are background.
- **Colour** becomes .299 R + .587 G + .114 B. Colour profiles and gAMA are left out: stored values are
  read.
- **Refused** files are set aside with the reason below, counted, and never scaled by a guess.
"""


def table_page() -> str:
    """The page."""
    return HEAD + "".join(_table(title, cases) for title, cases in GROUPS.items())


def _table(title: str, cases: tuple[ContainerCase, ...]) -> str:
    rows = "".join(f"| {case.container} | {_done(case)} |\n" for case in cases)
    return f"\n## {title}\n| file | what is done, or the reason of the refusal |\n|---|---|\n{rows}"


def _done(case: ContainerCase) -> str:
    if case.gray is None:
        return f"{case.done}: “{case.message.rstrip('( ')}”"
    return case.done + (f" (within {case.tolerance} gray levels, {case.why})" if case.tolerance else "")


if __name__ == "__main__":
    PAGE.write_text(table_page(), encoding="utf-8")
