"""What a source reads, keeps and waits for is bounded, and what it cannot read is on record."""

import io
import os
import tarfile

import pytest
from sqlalchemy import select
from tests.service.conftest import draw_sheet

from steelsight.errors import BadSource
from steelsight.ledger.database import schema
from steelsight.ledger.proof.verify import verify
from steelsight.runtime.engine import reading
from steelsight.runtime.scan.archives.guarded_stream import MAX_HEADER
from steelsight.runtime.scan.archives.tar_headers import MAX_CHAIN
from steelsight.service.station import archive, folder
from steelsight.service.station.archive import TarSource
from steelsight.service.station.folder import FolderSource
from steelsight.service.station.line import Line
from steelsight.service.station.recorder import Recorder
from steelsight.service.station.source import Arrival, IterableSource, Place, SourceNotice


@pytest.fixture
def run(inspector, sqlite_ledger):
    """Run a line over a source that `make` builds for it; the next call is the next process."""

    def call(make):
        recorder = Recorder(str(sqlite_ledger.engine.url.database), "line-1", None, report=lambda text: None)
        line = Line(inspector, recorder)
        try:
            return line.run(make(line))
        finally:
            recorder.close()

    return call


def rows(ledger, table):
    with ledger.read() as connection:
        return connection.execute(select(table).order_by(table.c.seq)).mappings().all()


def polled(source, polls=6):
    running = iter(source)
    return [each for each in (next(running) for _ in range(polls)) if each is not None]


def watched(place, **settings):
    return FolderSource(place, poll_s=0.0, **settings)


def test_an_unreadable_file_is_on_record_once_and_judged_when_it_can_be_read(run, sqlite_ledger, tmp_path):
    place = tmp_path / "sheets"
    draw_sheet(place / "a.jpg", 1)
    os.mkfifo(place / "b.jpg")

    def some_polls(line):
        return IterableSource(polled(watched(place, known=line.known), 9))

    run(some_polls)
    run(some_polls)
    (event,) = (row for row in rows(sqlite_ledger, schema.events) if row["name"] != "bundle")
    assert (event["name"], event["subject"]) == ("unreadable", "b.jpg")
    assert "expected a file, got a folder or a device" in event["details"]
    (place / "b.jpg").unlink()
    draw_sheet(place / "b.jpg", 2)
    run(some_polls)
    items = [row["item"].partition("@")[0] for row in rows(sqlite_ledger, schema.sheets)]
    assert items == ["a.jpg", "b.jpg"]
    assert verify(sqlite_ledger).clean


def test_a_file_that_is_too_large_is_a_bad_image(run, sqlite_ledger, tmp_path, monkeypatch):
    path = draw_sheet(tmp_path / "sheets" / "a.jpg", 1)
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", path.stat().st_size - 1)
    report = run(lambda line: IterableSource(polled(watched(path.parent))))
    assert report.states == {"bad_image": 1}
    (sheet,), (verdict,) = rows(sqlite_ledger, schema.sheets), rows(sqlite_ledger, schema.verdicts)
    assert (sheet["image_hash"], sheet["width"], sheet["repeated"]) == (None, None, False)
    assert (verdict["state"], verdict["reason"]) == ("bad_image", "too_large")
    assert "is it one image?" in verdict["detail"]


def test_files_that_the_ledger_has_are_not_read_again(run, sqlite_ledger, tmp_path, monkeypatch):
    place = tmp_path / "sheets"
    for number in range(5):
        draw_sheet(place / f"s{number}.jpg", number)
    run(lambda line: IterableSource(polled(watched(place, known=line.known), 9)))
    draw_sheet(place / "new.jpg", 9)
    read = []
    real = folder.read_file
    monkeypatch.setattr(folder, "read_file", lambda path: read.append(path.name) or real(path))
    report = run(lambda line: IterableSource(polled(watched(place, known=line.known), 9)))
    assert read == ["new.jpg"]
    assert (report.sheets, report.known) == (1, 5)


def test_warnings_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "MOST_WARNINGS", 3)
    for number in range(8):
        os.mkfifo(tmp_path / f"p{number}.jpg")
    told = []
    source = watched(tmp_path, report=told.append)
    notices = polled(source, 40)
    assert len(told) == len(source.warnings) == 4
    assert told[-1] == "3 warnings; no more are told until the next start"
    assert len(notices) == 3


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(folder.time, "monotonic", lambda: now[0])
    return now


def test_a_file_beside_the_image_is_waited_for(tmp_path, clock):
    image = draw_sheet(tmp_path / "a.jpg", 1)
    running = iter(watched(tmp_path, sidecar_s=5.0))
    beside = image.with_suffix(".json")
    assert [next(running) for _ in range(4)] == [None] * 4
    beside.write_text('{"coil": "C')  # still being written
    assert [next(running) for _ in range(2)] == [None] * 2
    beside.write_text('{"coil": "C7", "position_m": 3.5}')
    assert next(running).place == Place("C7", 3.5)


@pytest.mark.parametrize("content", [None, "{"])
def test_the_wait_for_a_file_beside_the_image_ends(tmp_path, clock, content):
    image = draw_sheet(tmp_path / "a.jpg", 1)
    if content:
        image.with_suffix(".json").write_text(content)
    told = []
    running = iter(watched(tmp_path, sidecar_s=5.0, report=told.append))
    assert [next(running) for _ in range(4)] == [None] * 4
    clock[0] += 5.0
    assert next(running).place == Place()
    assert len(told) == 1
    assert ("no file beside it after 5 s" in told[0]) == (content is None)


def test_without_the_setting_nothing_is_waited_for(tmp_path, clock):
    draw_sheet(tmp_path / "a.jpg", 1)
    running = iter(watched(tmp_path))
    assert isinstance([next(running) for _ in range(2)][-1], Arrival)


def header(kind, size, name=b"x"):
    entry = tarfile.TarInfo(name.decode())
    entry.type, entry.size = kind, size
    return entry.tobuf(tarfile.GNU_FORMAT)


def stream_of(*parts):
    return io.BytesIO(b"".join(parts) + b"\0" * 1024)


LAST = header(b"0", 3, b"last.jpg") + b"abc".ljust(512, b"\0")


@pytest.mark.parametrize("kind", [b"x", b"L", b"K", b"g"])
def test_a_chain_of_headers_is_bounded(kind):
    record = b"12 path=abc\n".ljust(512, b"\0")
    chain = (header(kind, 12) + record) * (MAX_CHAIN + 1)
    with pytest.raises(BadSource, match=f"more than {MAX_CHAIN} headers before one file"):
        list(TarSource(stream_of(chain, LAST)))
    assert len(list(TarSource(stream_of((header(kind, 12) + record) * MAX_CHAIN, LAST)))) == 1


def test_the_length_of_a_header_is_bounded():
    with pytest.raises(BadSource, match=r"a header of \d+ bytes, more than the"):
        list(TarSource(stream_of(header(b"x", 2 * MAX_HEADER), b"\0" * 4 * MAX_HEADER)))


def test_an_entry_that_is_too_large_is_passed_over(monkeypatch):
    monkeypatch.setattr(archive, "MAX_FILE_BYTES", 1000)
    large = header(b"0", 200_000, b"large.jpg") + b"\0" * -(-200_000 // 512) * 512
    found = list(TarSource(stream_of(large, LAST)))
    assert [each.item for each in found] == ["large.jpg#0", "last.jpg#1"]
    assert found[0].refused.reason.value == "too_large"
    assert (found[0].content, found[1].content) == (b"", b"abc")


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"6"])
def test_an_entry_without_content_is_on_record(kind):
    found = list(TarSource(stream_of(header(kind, 0, b"a.jpg"), header(b"5", 0, b"folder"), LAST)))
    assert isinstance(found[0], SourceNotice)
    assert (found[0].subject, [each.item for each in found[1:]]) == ("a.jpg#0", ["last.jpg#2"])


def test_a_stream_that_ends_between_two_files_has_ended():
    whole = header(b"0", 3, b"first.jpg") + b"abc".ljust(512, b"\0") + LAST
    assert len(list(TarSource(io.BytesIO(whole)))) == 2
    for cut in (510, 511, 512, 600, 1000):  # inside of the last file or of its header
        with pytest.raises(BadSource, match="expected a tar stream of images"):
            list(TarSource(io.BytesIO(whole[: len(whole) - cut])))
    with pytest.raises(BadSource, match="no end mark"):
        list(TarSource(io.BytesIO(b"")))


class Trickle(io.RawIOBase):
    """A pipe that gives a few bytes at each read."""

    def __init__(self, content):
        self.content = io.BytesIO(content)

    def readable(self):
        return True

    def readinto(self, buffer):
        part = self.content.read(min(len(buffer), 7))
        buffer[: len(part)] = part
        return len(part)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_slow_pipe_gives_the_same_sheets(mode):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as made:
        for number in range(3):
            entry = tarfile.TarInfo(f"s{number}.jpg")
            entry.size, entry.mtime = 1000 + number, 5
            made.addfile(entry, io.BytesIO(bytes([number]) * entry.size))
    found = list(TarSource(io.BufferedReader(Trickle(packed.getvalue()))))
    assert [each.content for each in found] == [bytes([number]) * (1000 + number) for number in range(3)]
    assert {each.captured_us for each in found} == {5_000_000}
    assert found == list(TarSource(io.BytesIO(packed.getvalue())))
