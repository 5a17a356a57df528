"""The defects of a coil from the ledger: which calibration applies, and that nothing else matters."""

import pytest
from tests.ledger.conftest import sheet, verdict

from steelsight.ledger.chain.entries import Event, LedgerRegion
from steelsight.ledger.chain.event_names import CALIBRATED
from steelsight.ledger.coils.calibration import Calibration
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.reading.defects import coil_defects
from steelsight.ledger.writing.projection import rebuild
from steelsight.ledger.writing.writer import open_writer


def region(left, right, top=0, bottom=100):
    return LedgerRegion(box=(left, top, right, bottom), area_px=(right - left) * (bottom - top), score=0.5)


def frames(count, first=0, step=1600 * 0.25 / 1000, **values):
    """Sheets of 1600 pixels, one after the other, with one defect along all of them."""
    entries = []
    for number in range(first, first + count):
        seen = sheet(number, coil="C1", position_m=number * step, across_mm=None, **values)
        entries += [seen, verdict(seen, regions=(region(0, 1600),))]
    return entries


def calibrated(**values):
    calibration = Calibration(**{"mm_per_px_along": 0.25, "mm_per_px_across": 0.5, **values})
    return Event(name=CALIBRATED, subject="line-1", details={**calibration.as_dict(), "id": "x"})


def defects(ledger, **values):
    with ledger.read() as connection:
        return coil_defects(connection, "C1", **values)


def test_a_defect_over_frames_is_one(ledger):
    with open_writer(ledger, "line-1") as writer:
        writer.append([calibrated(offset_across_mm=7.0), *frames(4)])
    (defect,) = defects(ledger).defects
    assert defect.as_dict()["length_mm"] == pytest.approx(1600.0)
    assert (defect.place.left_mm, defect.place.right_mm) == (7.0, 57.0)
    assert defect.area_mm2 == pytest.approx(4 * 1600 * 100 * 0.125)
    assert len(defect.members) == 4
    assert verify(ledger).clean


def test_the_same_defects_in_any_order_of_arrival_and_after_a_rebuild(ledger):
    pairs = [frames(1, number) for number in range(4)]
    with open_writer(ledger, "line-1") as writer:
        writer.append([calibrated()])
        for number in (2, 0, 3):
            writer.append(pairs[number])
        assert [len(each.members) for each in defects(ledger).defects] == [1, 2]
        writer.append(pairs[1])
    before = defects(ledger)
    assert [len(each.members) for each in before.defects] == [4]
    rebuild(ledger)
    assert defects(ledger) == before


def test_a_calibration_applies_to_the_sheets_after_it(ledger):
    with open_writer(ledger, "line-1") as writer:
        writer.append([calibrated(), *frames(1), calibrated(mm_per_px_along=1.0), *frames(1, 10)])
        unknown = Event(name=CALIBRATED, subject="line-1", details={"version": 9})
        writer.append([unknown, *frames(1, 20)])
    lengths = [defect.as_dict()["length_mm"] for defect in defects(ledger).defects]
    assert lengths == [pytest.approx(400.0), pytest.approx(1600.0), pytest.approx(1600.0)]


def test_without_a_calibration_the_sheets_own_length_gives_the_scale(ledger):
    with open_writer(ledger, "line-1") as writer:
        writer.append([*frames(2, length_m=0.4), *frames(1, 50)])
    found = defects(ledger)
    assert [defect.as_dict()["length_mm"] for defect in found.defects] == [pytest.approx(800.0)]
    assert found.unplaced == 1


def test_a_coil_whose_metres_run_backwards(ledger):
    """Falling metres: each image covers what lies before its leading edge; the defect is one all the same."""
    with open_writer(ledger, "line-1") as writer:
        writer.append([calibrated(metres="falling"), *frames(4, step=-0.4)])
    (defect,) = defects(ledger).defects
    assert (defect.place.start_m, defect.place.end_m) == (pytest.approx(-1.6), pytest.approx(0.0))
    assert len(defect.members) == 4


def test_metres_that_fall_and_are_called_growing_lie_two_frames_apart(ledger):
    """The images then cover each other's neighbours: they still touch, at the other border."""
    with open_writer(ledger, "line-1") as writer:
        writer.append([calibrated(), *frames(4, step=-0.4)])
    (defect,) = defects(ledger).defects
    assert (defect.place.start_m, defect.place.end_m) == (pytest.approx(-1.2), pytest.approx(0.4))


def test_only_the_last_live_verdict_of_a_sheet_counts(ledger):
    seen = sheet(0, coil="C1", position_m=0.0)
    with open_writer(ledger, "line-1") as writer:
        writer.append([calibrated(), seen, verdict(seen, "patch", regions=(region(0, 10),))])
        writer.append([verdict(seen, regions=(region(5, 9), region(20, 30)))])
        writer.append([verdict(seen, "other", mode="shadow", regions=(region(0, 1),))])
    found = defects(ledger).defects
    assert [(defect.label, defect.members[0][1]) for defect in found] == [("scratch", 0), ("scratch", 1)]


def test_a_coil_that_nobody_saw_has_no_defects(ledger):
    assert defects(ledger).defects == ()
