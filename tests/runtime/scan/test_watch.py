"""A watched folder: files are scanned as they arrive, when complete, and once."""

from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from steelsight.errors import BadOutput, BadSource
from steelsight.runtime.scan import watch as watch_module
from steelsight.runtime.scan.options import ScanOptions


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
