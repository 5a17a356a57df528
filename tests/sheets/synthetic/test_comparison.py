"""Measuring annotations: known regions in, their measures out."""

from pathlib import Path

import numpy as np
import pytest

from steelsight.errors import BadAnnotation
from steelsight.sheets.rle import encode_mask
from steelsight.sheets.synthetic import SynthSpec, draw_sheet
from steelsight.sheets.synthetic.comparison import MEASURES, distances, measure_masks


def table(path: Path, rows: list[tuple[str, int, str]]) -> Path:
    lines = ["ImageId,ClassId,EncodedPixels", *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_measures_regions(tmp_path: Path) -> None:
    mask = np.zeros((256, 1600), bool)
    mask[10:50, 100:120] = True
    mask[200:256, 800:1600] = True
    mask[0, 0] = True  # a slip of the pen
    found = measure_masks(table(tmp_path / "m.csv", [("a.jpg", 3, encode_mask(mask)), ("b.jpg", 1, "")]))
    assert list(found) == [3]
    assert found[3]["components"].tolist() == [2]
    assert sorted(found[3]["area_px"]) == [800, 44800]
    assert sorted(found[3]["height_px"]) == [40, 56]
    assert sorted(found[3]["across"]) == pytest.approx([110 / 1600, 0.75])


def test_other_sizes_are_brought_to_the_reference(tmp_path: Path) -> None:
    mask = np.zeros((64, 400), bool)
    mask[10:20, 100:120] = True
    found = measure_masks(table(tmp_path / "m.csv", [("a.jpg", 1, encode_mask(mask))]), size=(64, 400))
    assert found[1]["area_px"].tolist() == [3200]
    assert found[1]["width_px"].tolist() == [80]


def test_distance_of_a_set_to_itself_is_zero(tmp_path: Path) -> None:
    spec = SynthSpec(seed=1, height=64, width=400, class_shares=(0, 0.5, 0, 0.5, 0))
    rows = [
        (f"{index}.jpg", defect_type, encode_mask(mask))
        for index in range(10)
        for defect_type, mask in draw_sheet(spec, index).masks.items()
    ]
    found = measure_masks(table(tmp_path / "m.csv", rows), size=(64, 400))
    apart = distances(found, found)
    assert set(apart) == {1, 3}
    assert all(apart[t][name] == 0 for t in apart for name in MEASURES)


def test_refuses_another_table(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("name,label\n")
    with pytest.raises(BadAnnotation, match="expected columns ImageId, ClassId, EncodedPixels"):
        measure_masks(path)
    with pytest.raises(BadAnnotation, match=r"m.csv row 2 \(a.jpg\): expected a whole number as ClassId"):
        measure_masks(table(path, [("a.jpg", "x", "1 2")]))  # type: ignore[list-item]


@pytest.mark.realdata
def test_annotations_are_like_real_ones(data_root: Path, tmp_path: Path) -> None:
    """At quarter size, to be quick; with 40 sheets a type, chance alone reaches .25 once in a hundred."""
    real = measure_masks(data_root / "severstal" / "masks_1000.csv")
    spec = SynthSpec(seed=2, height=64, width=400, class_shares=(0, 0.25, 0.25, 0.25, 0.25))
    rows = [
        (f"{index}.jpg", defect_type, encode_mask(mask))
        for index in range(160)
        for defect_type, mask in draw_sheet(spec, index).masks.items()
    ]
    apart = distances(real, measure_masks(table(tmp_path / "m.csv", rows), size=(64, 400)))
    too_far = {(t, name): value for t, found in apart.items() for name, value in found.items() if value > 0.4}
    assert not too_far
