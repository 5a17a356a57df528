"""Two coils beside each other, the table of defects, and what the ledger says of a coil's images."""

import csv
import io

import pyarrow.parquet as pq
import pytest

from steelsight.coils.compare import compare_coils
from steelsight.coils.table import defects_csv, write_defects
from steelsight.errors import BadInput
from steelsight.ledger.coils.calibration import StripBox
from steelsight.ledger.coils.defects import MergedDefect


def defect(start, label="dent", side="top"):
    place = StripBox(start, start + 0.2, 100.0, 150.0)
    return MergedDefect(f"id{start}", label, side, place, 0.5, 12.0, (("s1", 0), ("s2", 3)))


def test_defects_are_counted_by_type_and_band_from_each_coils_first_metre():
    one = [defect(1.0), defect(11.0), defect(12.0, "crack")]
    other = [defect(1001.0), defect(1024.95)]
    found = compare_coils(("A", "B"), (one, other), ((0.0, 20.0), (1000.0, 1025.0)), band_m=10.0)
    assert found.lengths_m == (20.0, 25.0)
    assert [band.counts for band in found.bands] == [
        {"crack": (0, 0), "dent": (1, 1)},
        {"crack": (1, 0), "dent": (1, 0)},
        {"crack": (0, 0), "dent": (0, 1)},
    ]
    assert found.totals == {"crack": (1, 0), "dent": (2, 2)}
    estimate, low, high = found.ratios["dent"]
    assert estimate == pytest.approx(0.8)
    assert low < 0.2 < 4 < high
    assert found.ratios["crack"][0] == 0
    assert found.ratios["crack"][1] == 0


def test_the_ratio_has_exact_bounds():
    """Of 30 defects 20 on the second coil: Clopper and Pearson's bounds of 20 in 30 are .4719 and .8271."""
    found = compare_coils(("A", "B"), ([defect(1.0)] * 10, [defect(1.0)] * 20), ((0.0, 50.0), (0.0, 100.0)))
    estimate, low, high = found.ratios["dent"]
    assert estimate == pytest.approx(1.0)
    assert low == pytest.approx(0.4719 / 0.5281 / 2, rel=1e-3)
    assert high == pytest.approx(0.8271 / 0.1729 / 2, rel=1e-3)


def test_a_type_that_one_coil_alone_has_has_one_bound():
    found = compare_coils(("A", "B"), ([], [defect(1.0)] * 9), ((0.0, 50.0), (0.0, 50.0)))
    estimate, low, high = found.ratios["dent"]
    assert (estimate, high) == (None, None)
    assert low > 1


def test_coils_without_metres_are_one_band():
    found = compare_coils(("A", "B"), ([], []), ((0.0, 0.0), (0.0, 0.0)))
    assert (len(found.bands), found.totals, found.ratios) == (1, {}, {})


@pytest.mark.parametrize("band", [0.0, -1.0, float("nan"), 1e9])
def test_impossible_bands_are_refused(band):
    with pytest.raises(BadInput, match=r"band: expected 0\.1 to 10000 m"):
        compare_coils(("A", "B"), ([], []), ((0.0, 1.0), (0.0, 1.0)), band)


def test_too_many_bands_are_refused():
    with pytest.raises(BadInput, match="make 20000 bands"):
        compare_coils(("A", "B"), ([], []), ((0.0, 2000.0), (0.0, 1.0)), 0.1)


def test_the_table_is_the_same_in_csv_and_parquet(tmp_path):
    defects = [defect(1.0, "=crack"), defect(2.0, side=None)]
    write_defects(tmp_path / "defects.parquet", "C1", defects, "parquet")
    write_defects(tmp_path / "defects.csv", "C1", defects, "csv")
    rows = pq.read_table(tmp_path / "defects.parquet").to_pylist()
    assert [row["label"] for row in rows] == ["=crack", "dent"]
    assert [row["side"] for row in rows] == ["top", None]
    assert rows[0]["members"] == "s1:0 s2:3"
    text = (tmp_path / "defects.csv").read_text()
    assert text == defects_csv("C1", defects)
    cells = list(csv.DictReader(io.StringIO(text)))
    assert cells[0]["label"] == "'=crack"
    assert [float(row["start_m"]) for row in cells] == [row["start_m"] for row in rows]
    assert list(cells[0]) == list(rows[0])


def test_an_empty_table_has_its_heading(tmp_path):
    write_defects(tmp_path / "defects.parquet", "C1", [], "parquet")
    assert pq.read_table(tmp_path / "defects.parquet").num_rows == 0
    assert defects_csv("C1", []).startswith("coil,id,label,side,start_m")
