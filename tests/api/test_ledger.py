"""What an open ledger answers in Python: coils, estimates, reviews, checks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra [serve]")

from tests.cli.service.test_coil import PERIOD_M, marked_coil

import steelsight as ss
from steelsight.coils.rolls import Roll
from steelsight.errors import BadInput, BadRecipe
from steelsight.ledger.database.open import create_ledger
from steelsight.ledger.writing.writer import open_writer


@pytest.fixture(scope="module")
def coils(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with a coil that a roll marks, and one with a single defect."""
    path = tmp_path_factory.mktemp("coils") / "ledger.db"
    ledger = create_ledger(str(path))
    with open_writer(ledger, "line-1") as writer:
        writer.append(marked_coil(PERIOD_M))
    ledger.close()
    return path


def test_the_defects_of_a_coil_are_a_table_a_map_and_a_file(coils, tmp_path):
    with ss.open_ledger(coils) as ledger:
        found = ledger.defects("C1")
    frame = found.to_pandas()
    assert len(frame) == len(found.defects) == len(found.as_dict()["defects"]) >= 19
    assert frame["start_m"].is_monotonic_increasing
    kind, count, area, start, end = found.summary().rows[0]
    assert (kind, count) == ("scratch", len(frame))
    assert area == pytest.approx(frame["area_mm2"].sum())
    assert (start, end) == (frame["start_m"].min(), frame["end_m"].max())
    (drawn,) = found.figures()["map"].axes
    assert len(drawn.patches) == len(frame)
    assert "<img" in found._repr_html_()
    path = found.write(tmp_path, "csv")
    assert path == tmp_path / "defects.csv"
    assert len(path.read_text().splitlines()) == len(frame) + 1


def test_what_is_not_there_and_an_impossible_tolerance_are_refused(coils):
    with ss.open_ledger(coils) as ledger:
        with pytest.raises(BadInput, match="toleran"):
            ledger.defects("C1", tolerance_mm=-1.0)
        with pytest.raises(BadInput, match="coil 'C9': no sheet of it is in the ledger"):
            ledger.defects("C9")


def test_repeat_distances_with_rolls_and_settings(coils, tmp_path):
    table = tmp_path / "rolls.csv"
    table.write_text("name,diameter_mm,tolerance_mm\nF6 top,600,2\n")
    with ss.open_ledger(coils) as ledger:
        found = ledger.repeats("C1", table)
        again = ledger.repeats("C1", [Roll("F6 top", 600.0, 2.0)], longest_m=5)
        outside = ledger.repeats("C1", shortest_m=2.5)
        with pytest.raises(BadRecipe, match="shortest: expected one of shortest_m, longest_m"):
            ledger.repeats("C1", shortest=2.5)
    (row,) = found.table().rows
    assert row[0] == pytest.approx(PERIOD_M, rel=1e-3)
    assert row[6] == "F6 top"
    assert found.coil == again.coil == "C1"
    assert again.as_dict()["settings"]["longest_m"] == 5.0
    assert again.to_pandas()["marks"].tolist() == [found.repeats[0].repeat.count]
    assert (outside.repeats, len(outside.outside)) == ((), 1)
    assert "1 repeat distances on C1" in found.title
    json.dumps(found.as_dict(), allow_nan=False)


def test_two_coils_compared(coils):
    with ss.open_ledger(coils) as ledger:
        found = ledger.compare_coils("C1", "C2", band_m=20.0)
    frame = found.to_pandas()
    assert frame["type"].tolist() == ["scratch"]
    assert frame["C2"].tolist() == [1]
    assert found.as_dict()["unplaced"] == [0, 0]
    assert found.title == "C1, 39.7 m, and C2, 0.0 m"
