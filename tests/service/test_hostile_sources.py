"""Names, times, places and files that no camera should write: the line goes on, and says what is wrong."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.service.conftest import draw_sheet

from steelsight.errors import BadInput
from steelsight.ledger.chain.entries import SheetSeen
from steelsight.service.station.archive import TarSource
from steelsight.service.station.folder import FolderSource
from steelsight.service.station.places import NamePattern, read_sidecar
from steelsight.service.station.source import Arrival, Place, SourceNotice, bounded_us, item_name


def entered(arrival):
    """The entry of an arrival; raises where the ledger refuses it."""
    return SheetSeen(
        station="line-1",
        item=arrival.item,
        image=arrival.image,
        captured_us=arrival.captured_us,
        **vars(arrival.place),
    )


def polled(source, polls=4):
    running = iter(source)
    return [each for each in (next(running) for _ in range(polls)) if isinstance(each, Arrival)]


@given(st.text())
def test_every_text_becomes_a_name_that_the_ledger_holds(text):
    name = item_name(text)
    assert entered(Arrival(name, b"", 0)).item == name
    assert item_name(name) == name


@given(st.binary(min_size=1, max_size=200), st.binary(min_size=1, max_size=200))
def test_different_file_names_stay_different(one, other):
    names = [item_name(os.fsdecode(each)) for each in (one, other)]
    assert (names[0] == names[1]) == (one == other)


@pytest.mark.parametrize("text", ["", "a\nb", "a\x00b", "a\udcff", "x" * 5000, "\u202ea"])
def test_an_arrival_that_the_ledger_cannot_hold_is_refused(text):
    with pytest.raises(BadInput, match="printable characters"):
        Arrival(text, b"", 0)
    Arrival(item_name(text), b"", 0)


@pytest.mark.parametrize("time_us", [2**53, -(2**53), 10**30])
def test_a_time_that_the_ledger_cannot_hold_is_refused(time_us):
    with pytest.raises(BadInput, match="within 285 years of 1970"):
        Arrival("a", b"", time_us)
    assert entered(Arrival("a", b"", bounded_us(time_us)))


@pytest.mark.parametrize(
    "values",
    [
        {"coil": ""},
        {"coil": "a\nb"},
        {"coil": "x" * 201},
        {"position_m": float("nan")},
        {"across_mm": float("inf")},
        {"length_m": -1.0},
    ],
)
def test_an_impossible_place_is_refused(values):
    with pytest.raises(BadInput, match="expected"):
        Place(**values)


@pytest.mark.parametrize("name", [b"a\nb.jpg", b"a\x1b[2J.jpg", b"gr\xfcn.jpg", b"\xe2\x80\xaea.jpg"])
@pytest.mark.parametrize("seconds", [0, -1_000_000_000, 10_413_792_000, 300_000_000_000])
def test_a_file_of_any_name_and_time_arrives(tmp_path, name, seconds):
    folder = tmp_path / "sheets"
    content = draw_sheet(folder / "plain.jpg", 1).read_bytes()
    path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
    path.write_bytes(content)
    try:
        os.utime(path, (seconds, seconds))
    except OverflowError:
        pytest.skip("this file system holds no such time")
    arrived = polled(FolderSource(folder, poll_s=0.0))
    assert len({entered(each).item for each in arrived}) == 2


def test_files_whose_escaped_names_agree_are_two_sheets(tmp_path):
    folder = tmp_path / "sheets"
    content = draw_sheet(folder / "a\\x0ab.jpg", 1).read_bytes()
    (folder / "a\nb.jpg").write_bytes(content)
    for path in folder.iterdir():
        os.utime(path, (5, 5))
    assert len({each.item for each in polled(FolderSource(folder, poll_s=0.0))}) == 2


@pytest.mark.parametrize("kind", ["pipe", "folder", "huge", "loop"])
def test_a_file_beside_an_image_that_is_no_file_is_told(tmp_path, kind):
    image = draw_sheet(tmp_path / "sheets" / "a.jpg", 1)
    beside = image.with_suffix(".json")
    if kind == "pipe":
        os.mkfifo(beside)
    elif kind == "folder":
        beside.mkdir()
    elif kind == "huge":
        beside.write_bytes(b" " * (2**20 + 1))
    else:
        beside.symlink_to(beside.name)
    with pytest.raises(BadInput, match=r"a\.json: cannot be read"):
        read_sidecar(image)
    source = FolderSource(image.parent, poll_s=0.0)
    assert [each.place for each in polled(source)] == [Place()]
    assert len(source.warnings) == 1


@pytest.mark.parametrize(
    "content",
    [
        '{"position_m": NaN}',
        '{"position_m": 1e999}',
        '{"position_m": ' + "1" * 400 + "}",
        '{"length_m": -1}',
        '{"coil": "a\\nb"}',
        '{"coil": "\\ud800"}',
        '{"coil": "' + "x" * 300 + '"}',
        '{"side": []}',
        '{"coil": {}, "coil": [' + "[" * 100_000,
        "[1]",
        "5",
    ],
)
def test_a_file_beside_an_image_with_an_impossible_place_is_told(tmp_path, content):
    image = draw_sheet(tmp_path / "sheets" / "a.jpg", 1)
    image.with_suffix(".json").write_text(content)
    source = FolderSource(image.parent, poll_s=0.0)
    assert [entered(each).coil for each in polled(source)] == [None]
    assert len(source.warnings) == 1


def test_a_file_that_cannot_be_read_is_told_once(tmp_path):
    folder = tmp_path / "sheets"
    draw_sheet(folder / "a.jpg", 1)
    os.mkfifo(folder / "b.jpg")
    told = []
    assert len(polled(FolderSource(folder, poll_s=0.0, report=told.append), polls=9)) == 1
    assert told == ["b.jpg: expected a file, got a folder or a device; it is tried again"]


def test_a_folder_that_vanished_is_told_and_read_when_it_is_back(tmp_path):
    folder = tmp_path / "sheets"
    draw_sheet(folder / "a.jpg", 1)
    told = []
    running = iter(FolderSource(folder, poll_s=0.0, report=told.append))
    arrived = [next(running) for _ in range(4)]
    folder.rename(tmp_path / "away")
    arrived += [next(running) for _ in range(4)]
    (tmp_path / "away").rename(folder)
    draw_sheet(folder / "b.jpg", 2)
    arrived += [next(running) for _ in range(6)]
    items = {each.item.partition("@")[0] for each in arrived if isinstance(each, Arrival)}
    assert items == {"a.jpg", "b.jpg"}
    notices = [each for each in arrived if isinstance(each, SourceNotice)]
    assert [(each.name, each.subject) for each in notices] == [("unreadable", f"{folder}/./")]
    assert len(told) == 1


def tar_with(name, **headers):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for each in (name, "last.jpg"):
            entry = tarfile.TarInfo(each)
            entry.size = 3
            entry.pax_headers = headers if each == name else {}
            archive.addfile(entry, io.BytesIO(b"abc"))
    stream.seek(0)
    return stream


@pytest.mark.parametrize("name", ["a\nb", "x/" * 4000, "../etc/passwd", "/abs", "\udcff", "1" * 400 + ".jpg"])
@pytest.mark.parametrize("mtime", ["0", "1e300", "inf", "nan", "-1e18"])
def test_an_entry_of_any_name_and_time_arrives(name, mtime):
    pattern = NamePattern("{position_m}.jpg")
    arrived = list(TarSource(tar_with(name, mtime=mtime), pattern=pattern))
    assert [entered(each).item.endswith("#1") for each in arrived] == [False, True]


@pytest.mark.parametrize("anything", ["{*}" * 12, "{*}1" * 12, "{coil}{position_m}{length_m}{across_mm}{*}"])
def test_a_pattern_takes_bounded_time(anything, monkeypatch):
    """Every part is tried once at every place of the name at most."""
    from steelsight import name_fields

    calls = []
    ends = name_fields._ends
    monkeypatch.setattr(name_fields, "_ends", lambda *given: calls.append(given) or ends(*given))
    name = "top" + "1" * 240 + ".jpg"
    assert NamePattern("{side}" + anything + ".png").read(name) is None
    assert len(calls) <= 30 * len(name)


FIELDS = st.fixed_dictionaries(
    {
        "coil": st.from_regex(r"[A-Z0-9.-]{1,8}", fullmatch=True),
        "position_m": st.floats(-1e4, 1e4).map(lambda value: round(value, 2)),
        "side": st.sampled_from(["top", "bottom"]),
    }
)


@settings(deadline=None)
@given(FIELDS, st.permutations(["coil", "position_m", "side"]))
def test_a_pattern_reads_what_a_name_was_made_of(values, order):
    text = "_".join(f"{{{name}}}" for name in order) + "{*}.png"
    name = "_".join(f"{values[name]}" for name in order) + "_cam.png"
    if order[-1] == "coil":
        text = text.replace("{*}", "_{*}")
    if order[-1] == "position_m":
        text = text.replace("{*}", "_cam")
    found = NamePattern(text).read(f"a/{name}")
    assert found == Place(**values)
