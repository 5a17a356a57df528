"""A watched folder: files are scanned as they arrive, when complete, and once."""

import errno
import os
import shutil
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from steelsight.errors import BadOutput, BadSource
from steelsight.runtime.engine.reading import ImageRefused
from steelsight.runtime.scan import sources
from steelsight.runtime.scan import watch as watch_module
from steelsight.runtime.scan.options import ScanOptions
from steelsight.types import Reason


def watch(bundle, sources, out, *, idle=None, progress=None, **options):
    """A watch, its options written one by one."""
    return watch_module.watch(bundle, sources, out, ScanOptions(**options), idle=idle, progress=progress)


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch):
    monkeypatch.setattr(watch_module, "POLL_S", 0.05)


def between_polls(monkeypatch, *steps):
    """Take one step after each poll, in place of the pause; then polls go on without a pause."""
    waiting = iter(steps)
    monkeypatch.setattr(watch_module, "_pause", lambda: next(waiting, lambda: None)())


def until(count):
    """Ends a watch, as Ctrl-C does, once so many files are judged."""

    def progress(done, total):
        if done >= count:
            raise KeyboardInterrupt  # not a signal: test workers ignore those

    return progress


@pytest.fixture
def line(tmp_path):
    folder = tmp_path / "line"
    folder.mkdir()
    return folder


def put(folder, name, level=90):
    (folder / name).parent.mkdir(exist_ok=True)
    Image.new("L", (96, 64), level).save(folder / name)


def names_of(out):
    tables = [pq.read_table(path) for path in sorted((out / "verdicts").iterdir())]
    rows = pa.concat_tables(tables).to_pylist() if tables else []
    assert [row["index"] for row in rows] == list(range(len(rows)))
    return [row["name"].rpartition("/")[2] for row in rows]


def test_files_are_scanned_once_as_they_arrive(make_bundle, line, tmp_path, monkeypatch):
    bundle, out = make_bundle(), tmp_path / "out"
    put(line, "a.png")
    between_polls(
        monkeypatch, *(partial(put, line, name) for name in ("b.png", "deep/c.png")), *(3 * [lambda: None])
    )
    report = watch(bundle, [line], out, progress=until(3))
    assert names_of(out) == ["a.png", "b.png", "c.png"]
    assert report.scanned == report.summary.sheets == 3
    assert (out / "report.html").exists()

    put(line, "d.png")
    again = watch(bundle, [line], out, progress=until(4), page=False)
    assert (again.scanned, again.kept) == (1, 3)
    assert names_of(out) == ["a.png", "b.png", "c.png", "d.png"]
    put(line, "a.png", level=200)  # another picture under an old name
    assert watch(bundle, [line], out, progress=until(5), page=False).scanned == 1
    assert names_of(out)[-1] == "a.png"
    assert watch(bundle, [line], out, idle=0.2, page=False).scanned == 0


def test_a_file_that_is_still_written_is_scanned_later(make_bundle, line, tmp_path, monkeypatch):
    put(tmp_path, "whole.png")
    content = (tmp_path / "whole.png").read_bytes()

    def write_more():
        with (line / "slow.png").open("ab") as file:
            file.write(content[file.tell() :][:10])

    write_more()
    between_polls(monkeypatch, *([write_more] * (len(content) // 10)))
    report = watch(make_bundle(), [line], tmp_path / "out", idle=0.0, progress=until(1), page=False)
    assert (line / "slow.png").read_bytes() == content
    assert report.summary.states["decided"] == report.scanned == 1


def test_bad_files_get_rows_and_removed_files_are_forgotten(make_bundle, line, tmp_path):
    (line / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    (line / "gone.jpg").symlink_to("nowhere")
    put(line, "a.png")

    def leave(done, total):
        (line / "a.png").unlink(missing_ok=True)

    report = watch(make_bundle(), [line], tmp_path / "out", idle=0.3, progress=leave)
    assert report.summary.states == {"bad_image": 1, "decided": 1}


def test_an_interrupt_ends_watching_with_a_report(make_bundle, line, tmp_path):
    put(line, "a.png")
    report = watch(make_bundle(), [line], tmp_path / "out", page=False, progress=until(1))
    assert report.scanned == 1


def test_unusable_sources_and_folders_are_refused(make_bundle, line, tmp_path):
    bundle, out = make_bundle(), tmp_path / "out"
    put(line, "a.png")
    with pytest.raises(BadSource, match="expected a folder to watch"):
        watch(bundle, [line / "a.png"], out)
    watch(bundle, [line], out, idle=0.3, page=False)
    with pytest.raises(BadOutput, match="heatmaps was false, now true"):
        watch(bundle, [line], out, heatmaps=True)
    part = out / "verdicts/part-00000.parquet"
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(BadOutput, match="damaged"):
        watch(bundle, [line], out)
    part.rename(part.with_name("part-00003.parquet"))
    with pytest.raises(BadOutput, match="expected parts without a gap"):
        watch(bundle, [line], out)
    assert watch(bundle, [line], out, idle=0.3, fresh=True, page=False).scanned == 1


def test_a_share_that_goes_away_and_comes_back_is_not_scanned_again(make_bundle, line, tmp_path, monkeypatch):
    """It comes back with other inodes and change times, as after a remount."""
    put(line, "a.png")
    put(line, "b.png", level=140)
    away = tmp_path / "away"

    def leave():
        shutil.copytree(line, away, copy_function=shutil.copy2)
        shutil.rmtree(line)

    def come_back():
        shutil.copytree(away, line, copy_function=shutil.copy2)

    nothing = [lambda: None] * 3
    between_polls(monkeypatch, *nothing, leave, *nothing, come_back, *nothing, partial(until(0), 0, 0))
    report = watch(make_bundle(), [line], tmp_path / "out", page=False)
    assert report.scanned == 2
    assert report.passed_over == len(report.passed_over_named) == 1  # the folder, while it was away
    again = watch(make_bundle("again"), [line], tmp_path / "out", idle=0.0, page=False)
    assert (again.scanned, again.kept) == (0, 2)


def test_other_content_of_the_same_size_and_time_is_scanned(make_bundle, line, tmp_path):
    bundle, out = make_bundle(), tmp_path / "out"
    Image.new("L", (96, 64), 90).save(line / "a.bmp")
    watch(bundle, [line], out, progress=until(1), page=False)
    before = (line / "a.bmp").stat()
    Image.new("L", (96, 64), 160).save(line / "a.bmp")
    os.utime(line / "a.bmp", ns=(before.st_atime_ns, before.st_mtime_ns))
    after = (line / "a.bmp").stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert watch(bundle, [line], out, progress=until(2), page=False).scanned == 1


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX alone")
def test_names_that_differ_in_undecodable_bytes_are_two_files(make_bundle, line, tmp_path):
    bundle, out = make_bundle(), tmp_path / "out"
    for byte, level in ((b"\xe8", 90), (b"\xe9", 150)):
        Image.new("L", (96, 64), level).save(line / "x.png")
        (line / "x.png").rename(line / os.fsdecode(b"caf" + byte + b".png"))
    assert watch(bundle, [line], out, progress=until(2)).scanned == 2
    assert names_of(out) == [r"caf\xe8.png", r"caf\xe9.png"]
    assert "caf\\xe9.png" in (out / "report.html").read_text()
    assert watch(bundle, [line], out, idle=0.0, page=False).scanned == 0


def test_a_time_beyond_64_bits_does_not_stop_a_watch(make_bundle, line, tmp_path):
    bundle, out = make_bundle(), tmp_path / "out"
    put(line, "a.png")
    os.utime(line / "a.png", ns=(0, 10_413_792_000 * 10**9))  # the year 2300
    assert watch(bundle, [line], out, progress=until(1), page=False).scanned == 1
    assert watch(bundle, [line], out, idle=0.0, page=False).scanned == 0


def test_a_folder_that_cannot_be_listed_is_refused_or_named(make_bundle, line, tmp_path, monkeypatch):
    bundle, out = make_bundle(), tmp_path / "out"
    put(line, "deep/a.png")
    real = os.scandir

    def refuse(place):
        def scandir(path):
            if os.fspath(path) == str(place):
                raise PermissionError(errno.EACCES, "Permission denied")
            return real(path)

        monkeypatch.setattr(os, "scandir", scandir)

    refuse(line)
    with pytest.raises(BadSource, match="no permission to read it"):
        watch(bundle, [line], out, idle=0.0)
    refuse(line / "deep")
    report = watch(bundle, [line], out, idle=0.0)
    assert report.passed_over == 1
    assert "no permission to read it" in (out / "report.html").read_text()


def test_a_file_that_could_not_be_read_is_tried_again(make_bundle, line, tmp_path, monkeypatch):
    bundle, out = make_bundle(), tmp_path / "out"
    put(line, "a.png")

    def refuse(path):
        raise ImageRefused(Reason.MISSING, "a.png: no permission to read it")

    with monkeypatch.context() as patch:
        patch.setattr(sources, "read_file", refuse)
        report = watch(bundle, [line], out, idle=0.0, page=False)
    assert (report.scanned, report.transient) == (1, 1)  # not at every poll
    again = watch(bundle, [line], out, idle=0.0, page=False)
    assert again.summary.states == {"bad_image": 1, "decided": 1}
