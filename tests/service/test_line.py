"""A station's loop: each sheet once in the ledger, whatever ends the process, and none lost."""

import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import func, select
from tests.service.conftest import draw_sheet

from steelsight.errors import BadInput, BadLedger, BadSource, LeaseLost
from steelsight.ledger.chain.draws import AuditPlan
from steelsight.ledger.database import schema
from steelsight.ledger.images.store import ImageStore
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.writing.writer import open_writer
from steelsight.runtime.engine.inspector import load
from steelsight.service.station import recorder as recorder_module
from steelsight.service.station.archive import TarSource
from steelsight.service.station.folder import FolderSource
from steelsight.service.station.line import Line
from steelsight.service.station.places import NamePattern
from steelsight.service.station.recorder import Recorder
from steelsight.service.station.source import Arrival, IterableSource, Place
from steelsight.service.station.spool import Spool


def address_of(ledger):
    if ledger.engine.dialect.name == "sqlite":
        return str(ledger.engine.url.database)
    return ledger.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def rows(ledger, table):
    with ledger.read() as connection:
        return connection.execute(select(table).order_by(table.c.seq)).mappings().all()


@pytest.fixture
def record(ledger):
    made = []

    def make(station="line-1", spool=None):
        made.append(Recorder(address_of(ledger), station, spool, report=lambda text: None))
        return made[-1]

    yield make
    for each in made:
        each.close()


def pictures(folder, count):
    return [
        (path.name, path.read_bytes())
        for path in (draw_sheet(folder / f"s{n:03}.jpg", n) for n in range(count))
    ]


def test_a_verdict_in_the_ledger_is_the_inspectors(inspector, ledger, record, tmp_path):
    items = pictures(tmp_path / "sheets", 5)
    report = Line(inspector, record()).run(IterableSource(items))
    assert report.sheets == 5
    written = rows(ledger, schema.verdicts)
    for (name, content), sheet, verdict in zip(items, rows(ledger, schema.sheets), written, strict=True):
        expected = inspector.inspect(content)
        assert (sheet["item"], sheet["width"], sheet["height"]) == (name, 160, 96)
        assert verdict["sheet"] == sheet["sheet"]
        assert verdict["label"] == expected.label
        assert verdict["probability"] == pytest.approx(expected.probability, abs=1e-6)
        assert (verdict["state"], verdict["reason"]) == (expected.state.value, expected.reason.value)
        assert verdict["bundle"] == inspector.bundle.card.model_id
    assert verify(ledger).clean


def test_a_sheet_is_judged_once(inspector, ledger, record, tmp_path):
    items = pictures(tmp_path / "sheets", 4)
    Line(inspector, record()).run(IterableSource(items[:3]))
    report = again(inspector, ledger, items)
    assert (report.sheets, report.known) == (1, 3)
    assert len(rows(ledger, schema.verdicts)) == 4


def again(inspector, ledger, items):
    """The same command once more, after the first process lost its name."""
    with open_writer(ledger, "line-1", force=True):
        pass
    second = Recorder(address_of(ledger), "line-1", None, report=lambda text: None)
    try:
        return Line(inspector, second).run(IterableSource(items))
    finally:
        second.close()


def test_equal_images_are_judged_each_time_and_marked(inspector, ledger, record, tmp_path):
    ((_, content), (_, other)) = pictures(tmp_path / "sheets", 2)
    store = ImageStore(tmp_path / "images")
    items = [("a", content), ("b", content), ("c", other), ("d", content)]
    report = Line(inspector, record(), store=store).run(IterableSource(items))
    assert report.repeated_images == 1
    assert [row["repeated"] for row in rows(ledger, schema.sheets)] == [False, True, False, False]
    assert len(rows(ledger, schema.verdicts)) == 4
    assert len([path for path in (tmp_path / "images").rglob("*") if path.is_file()]) == 2
    assert store.get(rows(ledger, schema.sheets)[0]["image_hash"]) == content


def test_an_image_that_cannot_be_read_is_on_record(inspector, ledger, record, tmp_path):
    good = pictures(tmp_path / "sheets", 1)
    report = Line(inspector, record()).run(IterableSource([("bad", b"no image"), ("empty", b""), *good]))
    assert report.states == {"bad_image": 2, rows(ledger, schema.verdicts)[-1]["state"]: 1}
    bad = rows(ledger, schema.verdicts)[0]
    assert (bad["label"], bad["probability"], bad["state"]) == ("", None, "bad_image")
    assert bad["detail"]
    assert rows(ledger, schema.sheets)[0]["width"] is None
    assert verify(ledger).clean


def test_a_shadow_judges_the_same_sheets(inspector, ledger, record, make_bundle, tmp_path):
    shadow = load(make_bundle("other", temperature=2.0), threads=1)
    Line(inspector, record(), shadow=shadow).run(IterableSource(pictures(tmp_path / "sheets", 3)))
    written = rows(ledger, schema.verdicts)
    assert [row["mode"] for row in written] == ["live", "shadow"] * 3
    assert {row["bundle"] for row in written} == {each.bundle.card.model_id for each in (inspector, shadow)}
    with pytest.raises(BadInput, match="expected another bundle"):
        Line(inspector, record("line-2"), shadow=inspector)


def test_draws_are_written_with_the_verdict(inspector, ledger, record, tmp_path):
    plan = AuditPlan(b"0123456789abcdef", {"other": 1.0})
    Line(inspector, record(), audit=plan).run(IterableSource(pictures(tmp_path / "sheets", 3)))
    assert len(rows(ledger, schema.draws)) == 3


def test_places_come_from_names(inspector, ledger, record, tmp_path):
    content = pictures(tmp_path / "sheets", 1)[0][1]
    place = Place("C17", 12.5, 1.5, 30.0, "top")
    Line(inspector, record()).run(IterableSource([Arrival("a", content, 1_000, place)]))
    row = rows(ledger, schema.sheets)[0]
    assert (row["coil"], row["position_m"], row["length_m"], row["across_mm"], row["side"]) == (
        *("C17", 12.5, 1.5, 30.0, "top"),
    )
    assert rows(ledger, schema.verdicts)[0]["coil"] == "C17"


def test_a_name_is_used_by_one_station(inspector, record):
    record()
    with pytest.raises(LeaseLost, match="wait, or give this process another name"):
        record()


def test_nothing_is_lost_while_the_database_is_away(inspector, sqlite_ledger, tmp_path, monkeypatch):
    """Sheets go into the spool in their order and into the ledger when it answers again."""
    monkeypatch.setattr(recorder_module, "RETRY_S", 0.0)
    items = pictures(tmp_path / "sheets", 12)
    told = []
    away = {"now": False}
    real = recorder_module.open_ledger

    def open_or_fail(address):
        if away["now"]:
            raise BadLedger("away for the test")
        return real(address)

    def fail(*arguments):
        if away["now"]:
            raise BadLedger("away for the test")
        return real_append(*arguments)

    real_append = Recorder._append
    monkeypatch.setattr(recorder_module, "open_ledger", open_or_fail)
    monkeypatch.setattr(Recorder, "_append", fail)
    recorder = Recorder(address_of(sqlite_ledger), "line-1", Spool(tmp_path / "spool"), report=told.append)

    def arriving():
        for number, (name, content) in enumerate(items):
            away["now"] = 3 <= number < 9
            yield Arrival(name, content, number)
            yield None

    Line(inspector, recorder).run(IterableSource(arriving()))
    recorder.close()
    assert [row["item"] for row in rows(sqlite_ledger, schema.sheets)] == [name for name, _ in items]
    assert recorder.counts.spooled == 6
    assert recorder.counts.replayed == 6
    assert [row["name"] for row in rows(sqlite_ledger, schema.events)] == ["bundle", "database_back"]
    assert "is away" in told[0]
    assert "6 sheets replayed" in told[1]
    assert verify(sqlite_ledger).clean
    assert (tmp_path / "spool").read_bytes() == b""


def test_without_a_spool_a_database_that_is_away_ends_the_line(tmp_path):
    with pytest.raises(BadLedger, match="found none"):
        Recorder(str(tmp_path / "none.db"), "line-1", None)


def test_a_line_starts_while_the_database_is_away(inspector, tmp_path, sqlite_ledger):
    address = address_of(sqlite_ledger)
    moved = tmp_path / "moved.db"
    sqlite_ledger.close()
    Path(address).rename(moved)
    recorder = Recorder(address, "line-1", Spool(tmp_path / "spool"), report=lambda text: None)
    Line(inspector, recorder).run(IterableSource(pictures(tmp_path / "sheets", 3)))
    recorder.close()
    moved.rename(address)
    Recorder(address, "line-1", Spool(tmp_path / "spool"), report=lambda text: None).close()
    assert len(rows(sqlite_ledger, schema.sheets)) == 3


CODE = """
import sys
from pathlib import Path
from steelsight.runtime.engine.inspector import load
from steelsight.service.station.folder import FolderSource
from steelsight.service.station.line import Line
from steelsight.service.station.recorder import Recorder
from steelsight.service.station.spool import Spool
bundle, folder, address, spool = sys.argv[1:]
recorder = Recorder(address, "line-1", Spool(Path(spool)))
print("ready", flush=True)
line = Line(load(bundle, threads=1, batch=2), recorder)
line.run(FolderSource(Path(folder), idle_s=1.0, poll_s=0.02))
recorder.close()
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_line_goes_on_without_loss_or_repetition(make_bundle, sqlite_ledger, tmp_path):
    folder = tmp_path / "sheets"
    pictures(folder, 60)
    command = [sys.executable, "-c", CODE, str(make_bundle()), str(folder), address_of(sqlite_ledger)]
    command.append(str(tmp_path / "spool"))
    counts = []
    for _ in range(3):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"ready\n"
        start = counts[-1] if counts else 0
        deadline = time.monotonic() + 120
        while _count(sqlite_ledger) < start + 6 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        counts.append(_count(sqlite_ledger))
    assert 0 < counts[0] <= counts[1] <= counts[2]
    assert subprocess.run(command, capture_output=True).returncode == 0
    items = [row["item"].partition("@")[0] for row in rows(sqlite_ledger, schema.sheets)]
    assert sorted(items) == sorted(path.name for path in folder.iterdir())
    assert len(rows(sqlite_ledger, schema.verdicts)) == 60
    assert verify(sqlite_ledger).clean


def _count(ledger):
    with ledger.read() as connection:
        return connection.execute(select(func.count()).select_from(schema.sheets)).scalar_one()


def test_a_folder_yields_each_file_once_it_is_whole(tmp_path):
    folder = tmp_path / "sheets"
    content = draw_sheet(folder / "a.jpg", 1).read_bytes()
    growing = folder / "b.jpg"
    growing.write_bytes(content[:100])
    source = iter(FolderSource(folder, poll_s=0.0))
    seen = [next(source) for _ in range(2)]
    growing.write_bytes(content)  # written to between two polls
    seen += [next(source) for _ in range(4)]
    arrived = [each for each in seen if each is not None]
    assert sorted(each.item.partition("@")[0] for each in arrived)[-1] == "b.jpg"
    assert all(each.content in (content, content[:100]) for each in arrived)
    assert [each.content for each in arrived if each.item.startswith("b.jpg")][-1] == content


def test_masks_beside_the_images_are_no_sheets(tmp_path):
    """As `scan` does: a mask is known by its values."""
    folder = tmp_path / "sheets"
    for number in range(3):
        draw_sheet(folder / f"s{number}.jpg", number)
        mask = np.zeros((96, 160), dtype=np.uint8)
        mask[10:20, 20:40] = 255
        Image.fromarray(mask).save(folder / f"s{number}_mask.png")
    source = iter(FolderSource(folder, poll_s=0.0))
    items = {each.item.partition("@")[0] for each in (next(source) for _ in range(8)) if each}
    assert items == {"s0.jpg", "s1.jpg", "s2.jpg"}


def test_a_name_that_is_used_again_is_another_sheet(tmp_path):
    folder = tmp_path / "sheets"
    path = draw_sheet(folder / "a.jpg", 1)
    source = iter(FolderSource(folder, poll_s=0.0, recheck_s=0.0))
    items = {each.item for each in (next(source) for _ in range(4)) if each}
    draw_sheet(path, 2)
    os.utime(path, (2_000_000_000, 2_000_000_000))
    items |= {each.item for each in (next(source) for _ in range(4)) if each}
    assert len(items) == 2
    assert "a.jpg@2033-05-18T03:33:20.000000Z" in items


def test_a_folder_reads_places_from_names_and_files(tmp_path):
    folder = tmp_path / "sheets"
    draw_sheet(folder / "C17_2.5_top.jpg", 1)
    draw_sheet(folder / "other.jpg", 2)
    (folder / "other.json").write_text('{"coil": "C9", "position_m": 4, "more": 1}')
    draw_sheet(folder / "third.jpg", 3)
    (folder / "third.csv").write_text("coil,position_m,side\nC8,7.25,bottom\n")
    draw_sheet(folder / "fourth.jpg", 4)
    (folder / "fourth.json").write_text('{"position_m": "far"}')

    def places(pattern):
        source = FolderSource(folder, pattern=pattern, poll_s=0.0)
        running = iter(source)
        found = {
            each.item.partition("@")[0]: each.place for each in (next(running) for _ in range(8)) if each
        }
        return found, source.warnings

    named, warnings = places(NamePattern("{coil}_{position_m}_{side}.jpg"))
    assert named["C17_2.5_top.jpg"] == Place("C17", 2.5, None, None, "top")
    assert named["other.jpg"] == Place()
    assert "other.jpg: does not match --pattern {coil}_{position_m}_{side}.jpg" in warnings
    beside, warnings = places(None)
    assert beside["other.jpg"] == Place("C9", 4.0)
    assert beside["third.jpg"] == Place("C8", 7.25, side="bottom")
    assert beside["fourth.jpg"] == Place()
    assert len(warnings) == 1
    assert "fourth.json: expected coil, position_m" in warnings[0]
    assert "position_m: expected a number, got 'far'" in warnings[0]


@pytest.mark.parametrize("text", ["", "x.jpg", "{coil}{coil}", "{colour}.jpg", "{}", "{coil", "{*}.jpg"])
def test_an_impossible_pattern_is_refused(text):
    with pytest.raises(BadInput, match="expected at least one of"):
        NamePattern(text)


@pytest.mark.parametrize(
    ("pattern", "name", "place"),
    [
        ("{coil}_{position_m}.jpg", "a/b/C1_-2.5.jpg", Place("C1", -2.5)),
        ("{coil}/{*}_{across_mm}.png", "a/C1/cam3_40.png", Place("C1", across_mm=40.0)),
        ("{coil}_{position_m}.jpg", "C1_2.5.jpg.bak", None),
        ("{coil}_{position_m}.jpg", "C1_far.jpg", None),
        ("(a+)+{coil}.jpg", "(a+)+C1.jpg", Place("C1")),
    ],
)
def test_a_pattern_reads_names(pattern, name, place):
    assert NamePattern(pattern).read(name) == place


def tar_of(items, mode="w"):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in items:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), 1_700_000_000
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_stream_is_judged_in_its_order(inspector, ledger, record, tmp_path, mode):
    items = pictures(tmp_path / "sheets", 3)
    stream = io.BytesIO(tar_of([*items, items[0]], mode))
    Line(inspector, record()).run(TarSource(stream))
    assert [row["item"] for row in rows(ledger, schema.sheets)] == [
        *(f"{name}#{number}" for number, (name, _) in enumerate([*items, items[0]])),
    ]
    assert rows(ledger, schema.sheets)[0]["captured_us"] == 1_700_000_000_000_000


def test_a_stream_that_is_cut_off_keeps_what_came(inspector, ledger, record, tmp_path):
    items = pictures(tmp_path / "sheets", 20)
    whole = tar_of(items)
    with pytest.raises(BadSource, match="expected a tar stream"):
        Line(inspector, record()).run(TarSource(io.BytesIO(whole[: len(whole) // 2])))
    assert 0 < len(rows(ledger, schema.sheets)) < 20
    with pytest.raises(BadSource, match="expected a tar stream"):
        list(TarSource(io.BytesIO(b"no tar stream" * 100)))


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(BadSource, match="expected a folder that the camera writes into"):
        FolderSource(tmp_path / "none")
