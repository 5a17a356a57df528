"""A list of other sheets, which lie beside it, shows how a nuisance looks; it names no evaluated sheet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.counterfactuals.proof_cases import HEIGHT, WIDTH, make_sheets, nuisance_of, stained, steel

from steelsight.counterfactuals.nuisances.examples import read_examples
from steelsight.counterfactuals.nuisances.nuisance import open_nuisance
from steelsight.counterfactuals.pasting.stamps import FEWEST_REAL, gather_stamps
from steelsight.errors import BadAnnotation, BadData
from steelsight.sheets.rle import encode_mask
from steelsight.types import InputSpec

SPEC = InputSpec(HEIGHT, WIDTH)
GRAY = 228  # brighter than steel, too dark for the detector of stains
EVALUATED = replace(make_sheets(40, stains=(0.5, 0.0)), spec=SPEC)
BARE = replace(make_sheets(40, stains=(0.0, 0.0)), spec=SPEC)


def _reviewed(folder: Path, count: int = 5, *, level: int | None = None, marks: bool = True) -> str:
    """A folder as reviews are exported, and its list: stained sheets, or such with a gray square."""
    rows = ["ImageId,group,EncodedPixels"]
    for number in range(count):
        gray = steel(np.random.default_rng(number))
        gray, square = stained(gray, top=10 + number, left=90)
        if level is not None:
            gray[square] = level
        path = folder / "none" / f"reviewed_{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(gray).save(path)
        rows.append(f"none/{path.name},with,{encode_mask(square) if marks else ''}")
    rows.append("defect/another.png,without,")
    (folder / "nuisance_x.csv").write_text("\n".join(rows) + "\n")
    return str(folder / "nuisance_x.csv")


def test_a_detector_finds_what_the_list_shows(tmp_path: Path) -> None:
    found = open_nuisance(EVALUATED, _reviewed(tmp_path))
    assert (found.name, found.kind, found.source) == ("nuisance_x", "stain", "detector")
    assert (found.present == nuisance_of(EVALUATED).present).all()
    assert found.listed.all()
    assert found.note.startswith(
        "nuisance_x.csv lists 5 other sheets with it; on these sheets it is known from"
    )
    assert found.take(np.arange(3)).examples is found.examples


def test_stains_of_the_list_are_pasted_where_the_sheets_have_too_few(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    path = _reviewed(tmp_path)
    assert gather_stamps(EVALUATED, open_nuisance(EVALUATED, path), rng).others == 0
    book = gather_stamps(BARE, open_nuisance(BARE, path), rng)
    assert book.description == "5 cut from the sheets of the list"
    assert {stamp.area_px for stamp in book.stamps} == {16 * 14}  # a square with its seam
    one = gather_stamps(BARE, open_nuisance(BARE, _reviewed(tmp_path / "one", 1)), rng)
    assert one.description == "1 cut from the sheets of the list and 32 drawn"
    assert len(one.stamps) - one.real == 32
    assert one.real < FEWEST_REAL


def test_a_stain_that_was_not_the_marked_one_is_not_cut(tmp_path: Path, rng: np.random.Generator) -> None:
    path = _reviewed(tmp_path, marks=False)
    elsewhere = np.zeros((HEIGHT, WIDTH), bool)
    elsewhere[:5, :5] = True
    text = Path(path).read_text()
    Path(path).write_text(
        text.replace("reviewed_0.png,with,", f"reviewed_0.png,with,{encode_mask(elsewhere)}")
    )
    assert gather_stamps(BARE, open_nuisance(BARE, path), rng).others == 4


def test_a_mark_of_another_kind_is_cut_from_the_list_and_no_sheet_is_known_to_have_it(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    found = open_nuisance(BARE, _reviewed(tmp_path, level=GRAY))
    assert (found.kind, found.source) == ("mark", "list")
    assert not found.present.any()
    assert not found.listed.any()
    book = gather_stamps(BARE, found, rng)
    assert book.description == "5 cut from the sheets of the list"
    for stamp in book.stamps:
        assert (stamp.gray[1:-1, 1:-1] == GRAY).all()


def test_sheet_ends_of_the_list_are_cut(tmp_path: Path, rng: np.random.Generator) -> None:
    for number in range(4):
        gray = steel(np.random.default_rng(number))
        gray[:, -20 - number :] = 3
        Image.fromarray(gray).save(tmp_path / f"end_{number}.png")
    (tmp_path / "ends.csv").write_text("ImageId\n" + "".join(f"end_{number}.png\n" for number in range(4)))
    found = open_nuisance(BARE, str(tmp_path / "ends.csv"))
    assert found.kind == "end"
    assert gather_stamps(BARE, found, rng).others == 4


def test_a_list_that_shows_nothing_is_refused(tmp_path: Path) -> None:
    unmarked = _reviewed(tmp_path / "gray", level=GRAY, marks=False)
    with pytest.raises(
        BadData, match="none of its sheets is among those of made, and no detector knows what"
    ):
        open_nuisance(BARE, unmarked)
    gone = tmp_path / "gone.csv"
    gone.write_text("ImageId\nabsent.png\n../gray/none/reviewed_0.png\n")
    with pytest.raises(BadData, match="2 of 2 listed sheets are not in made"):
        open_nuisance(BARE, str(gone))
    with pytest.raises(BadData, match="6 of 6 listed sheets are not in made"):
        open_nuisance(replace(BARE, spec=None), unmarked)


def test_what_is_no_image_is_passed_over_and_bad_marks_are_refused(tmp_path: Path) -> None:
    _reviewed(tmp_path, 2)
    (tmp_path / "none" / "text.png").write_text("no image")
    rows = [("none/reviewed_0.png", ""), ("none/text.png", ""), ("none/absent.png", ""), ("/etc/passwd", "")]
    found = read_examples(tmp_path, rows, SPEC)
    assert found is not None
    assert len(found) == 1
    assert not found.marks.any()
    assert read_examples(tmp_path, rows[1:], SPEC) is None
    with pytest.raises(BadAnnotation, match=r"none/reviewed_1\.png: run 1\+99999999 ends past"):
        read_examples(tmp_path, [("none/reviewed_1.png", "1 99999999")], SPEC)
