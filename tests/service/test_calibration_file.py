"""A station's calibration from a file, and that it is on record while it applies."""

import json

import pytest
from sqlalchemy import select
from tests.service.conftest import draw_sheet

from steelsight.errors import BadInput
from steelsight.ledger.chain.event_names import CALIBRATED
from steelsight.ledger.coils.calibration import Calibration
from steelsight.ledger.database import schema
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.reading.defects import Calibrations
from steelsight.runtime.engine.inspector import load
from steelsight.service.station.calibration_file import read_calibration
from steelsight.service.station.line import Line
from steelsight.service.station.recorder import Recorder
from steelsight.service.station.source import IterableSource


def written(tmp_path, text, name="camera.toml"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_scales_are_read(tmp_path):
    text = 'version = 1\nmm_per_px_along = 0.25\nmm_per_px_across = 1\nmetres = "falling"\n'
    assert read_calibration(written(tmp_path, text)) == Calibration(0.25, 1.0, metres="falling")
    values = {"version": 1, "mm_per_px_along": 0.25, "mm_per_px_across": 1, "metres": "falling"}
    assert read_calibration(written(tmp_path, json.dumps(values), "c.json")) == Calibration(
        0.25, 1.0, metres="falling"
    )


def test_two_points_and_the_edges_of_the_strip_give_scales(tmp_path):
    """350 mm between pixels 100 and 1500; a strip of 1160 mm from pixel 12 to pixel 244."""
    text = (
        "version = 1\n[points]\npx = [1500, 100]\nmm = [0, 350]\n[strip]\npx = [12, 244]\nwidth_mm = 1160\n"
    )
    found = read_calibration(written(tmp_path, text))
    assert found == Calibration(0.25, 5.0, -60.0)
    place = found.to_strip((0, 12, 1, 244), (256, 1600), 0.0)
    assert (place.left_mm, place.right_mm) == (0.0, 1160.0)


BOTH = "version = 1\nmm_per_px_across = 1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = 1\n", "mm_per_px_along: expected a number of millimetres per pixel, got none"),
        ("mm_per_px_along = 1\nmm_per_px_across = 1\n", "version: expected 1, got None"),
        (BOTH + 'mm_per_px_along = "1 mm"\n', "mm_per_px_along: expected a number from"),
        (BOTH + "mm_per_px_along = nan\n", "mm_per_px_along: expected a number from"),
        (BOTH + "mm_per_pixel = 1\n", "mm_per_pixel: unknown; expected along, direction"),
        (
            BOTH + "mm_per_px_along = 1\n[points]\npx = [0, 1]\nmm = [0, 1]\n",
            "points: states mm_per_px_along too",
        ),
        (BOTH + "[points]\npx = [5, 5]\nmm = [0, 1]\n", "points.px: expected two different pixels"),
        (BOTH + "[points]\npx = [5]\nmm = [0, 1]\n", r"points.px: expected two numbers, got \[5\]"),
        (BOTH + "[points]\npx = [5, 6]\n", "points.mm: expected two numbers, got None"),
        (BOTH + "[points]\npx = [0, true]\nmm = [0, 1]\n", "points.px: expected a number, got True"),
        (BOTH + "points = 5\n", "points.px: expected two numbers, got None"),
        (
            "version = 1\nmm_per_px_along = 1\n[strip]\npx = [9, 1]\nwidth_mm = 8\n",
            "mm_per_px_across: expected a",
        ),
        ("version = ", "expected a calibration in TOML"),
        ("\x00", "expected a calibration in TOML"),
    ],
)
def test_a_file_that_is_no_calibration_is_refused(tmp_path, text, message):
    with pytest.raises(BadInput, match=rf"camera\.toml: .*{message}"):
        read_calibration(written(tmp_path, text))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(BadInput, match=r"none\.toml: cannot be read"):
        read_calibration(tmp_path / "none.toml")


@pytest.fixture
def start(inspector, sqlite_ledger):
    """Start a station once more and stop it; what it told."""

    def call(items=(), judged_by=inspector, **settings):
        told = []
        recorder = Recorder(str(sqlite_ledger.engine.url.database), "line-1", None, report=told.append)
        try:
            Line(judged_by, recorder, **settings).run(IterableSource(items))
        finally:
            recorder.close()
        return told

    return call


def recorded(ledger, name):
    with ledger.read() as connection:
        table = schema.events
        query = select(table.c.seq, table.c.details).where(table.c.name == name).order_by(table.c.seq)
        return [(seq, json.loads(details)) for seq, details in connection.execute(query)]


def test_a_calibration_is_on_record_when_it_starts_to_apply(start, sqlite_ledger, tmp_path):
    first, second = Calibration(0.25, 0.5), Calibration(1.0, 0.5)
    content = draw_sheet(tmp_path / "a.jpg", 1).read_bytes()
    for number, each in enumerate((first, first, second, None, first)):
        start([(f"s{number}", content)], calibration=each)
    events = [details for _, details in recorded(sqlite_ledger, CALIBRATED)]
    assert [Calibration.from_dict(each) for each in events] == [first, second, first]
    assert [each["sha256"] for each in events] == [
        each.as_dict()["sha256"] for each in (first, second, first)
    ]
    with sqlite_ledger.read() as connection:
        calibrations = Calibrations(connection)
        sheets = connection.execute(select(schema.sheets).order_by(schema.sheets.c.seq)).all()
    applied = [calibrations.of(row.writer, row.seq) for row in sheets]
    assert applied == [first, first, second, second, first]
    assert verify(sqlite_ledger).clean


def test_a_bundle_with_other_classes_is_on_record_and_told(start, sqlite_ledger, make_bundle, inspector):
    assert start() == []
    assert start() == []
    classes = list(inspector.class_names)
    other = load(make_bundle("other", class_names=(*classes[:-1], "dent")), threads=1)
    (told,) = start(judged_by=other)
    assert f"new: dent; no longer there: {classes[-1]}" in told
    assert "earlier verdicts keep their labels" in told
    events = [details["classes"] for _, details in recorded(sqlite_ledger, "bundle")]
    assert events == [classes, [*classes[:-1], "dent"]]
