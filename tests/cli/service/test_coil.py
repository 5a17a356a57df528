"""The verbs of coils: repeat distances with the names of rolls, the table of defects, two coils compared."""

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra [serve]")

from tests.ledger.conftest import sheet, verdict
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.ledger.chain.entries import Event, LedgerRegion
from steelsight.ledger.chain.event_names import CALIBRATED
from steelsight.ledger.coils.calibration import Calibration
from steelsight.ledger.database.open import create_ledger
from steelsight.ledger.writing.writer import open_writer

PERIOD_M, STEP_M = 1.885, 0.4  # of a roll of 600 mm; of the images


def call(*line, code=0):
    done = CliRunner().invoke(app, ["coil", *map(str, line)])
    assert done.exit_code == code, done.output
    return done


def last_json(done):
    return json.loads(done.stdout.splitlines()[-1])


def marked_coil(period, count=100):
    """Images of a coil; a small defect lies in each that holds a mark, and never at a border."""
    calibration = Calibration(mm_per_px_along=0.25, mm_per_px_across=0.5)
    entries = [Event(name=CALIBRATED, subject="line-1", details=calibration.as_dict())]
    marks = np.arange(0.1, count * STEP_M, period)
    for number in range(count):
        inside = marks[(marks >= number * STEP_M) & (marks < (number + 1) * STEP_M)]
        pixels = [int((mark - number * STEP_M) * 4000) for mark in inside]
        regions = tuple(
            LedgerRegion(box=(left, 100, left + 8, 110), area_px=80, score=0.5)
            for left in pixels
            if left < 1590
        )
        seen = sheet(number, coil="C1", position_m=number * STEP_M)
        entries += [seen, verdict(seen, regions=regions)]
    other = sheet(900, coil="C2", position_m=5.0)
    return [*entries, other, verdict(other)]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("coil") / "ledger.db"
    ledger = create_ledger(str(path))
    with open_writer(ledger, "line-1") as writer:
        writer.append(marked_coil(PERIOD_M))
    ledger.close()
    return path


def test_a_roll_mark_is_found_and_named(path, tmp_path):
    rolls = tmp_path / "rolls.csv"
    rolls.write_text("name,diameter_mm,tolerance_mm\nF6 top,600,2\nF7 top,560,2\n")
    done = call("repeats", path, "C1", "--rolls", rolls, "--json")
    (found,) = last_json(done)["repeats"]
    assert found["period_m"] == pytest.approx(PERIOD_M, rel=1e-3)
    assert found["across_mm"] == pytest.approx(52.5, abs=1)
    assert [each["name"] for each in found["rolls"]] == ["F6 top"]
    assert (found["label"], found["images"]) == ("scratch", None)
    assert len(found["defects"]) == found["count"] >= 19
    assert "F6 top (+" in done.output
    assert "1 repeat distances on C1" in done.output
    assert "no roll of the table fits" in call("repeats", path, "C1").output


def test_a_period_outside_the_range_is_told_as_such(path):
    done = call("repeats", path, "C1", "--shortest", 2.5, "--json")
    assert last_json(done)["repeats"] == []
    assert "outside the range" in done.output


def test_bad_tables_unknown_coils_and_impossible_settings_end_with_one_line(path, tmp_path):
    rolls = tmp_path / "rolls.csv"
    rolls.write_text("name,diameter\nF6,600\n")
    done = call("repeats", path, "C1", "--rolls", rolls, code=2)
    assert "found no diameter_mm" in done.stderr
    assert "coil 'C9': no sheet of it is in the ledger" in call("repeats", path, "C9", code=2).stderr
    assert "the smaller one first" in call("repeats", path, "C1", "--shortest", 9, code=2).stderr
    assert "no sheet of it" in call("compare", path, "C1", "C9", code=2).stderr
    assert "band: expected" in call("compare", path, "C1", "C2", "--band", 0, code=2).stderr
    assert "no sheet of it" in call("export", path, "C9", "--out", tmp_path / "x", code=2).stderr


def test_the_defects_are_written_as_a_table(path, tmp_path):
    found = last_json(call("export", path, "C1", "--out", tmp_path, "--json"))
    with (tmp_path / "defects.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == found["defects"] >= 19
    call("export", path, "C1", "--out", tmp_path, "--format", "parquet")
    assert pq.read_table(tmp_path / "defects.parquet").num_rows == len(rows)


def test_two_coils_are_compared(path):
    done = call("compare", path, "C1", "C2", "--band", 20, "--json")
    found = last_json(done)
    assert found["coils"] == ["C1", "C2"]
    assert found["totals"]["scratch"][1] == 1
    assert sum(band["counts"]["scratch"][0] for band in found["bands"]) == found["totals"]["scratch"][0] >= 19
    assert "scratch: " in done.output
