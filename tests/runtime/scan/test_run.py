"""Scans: rows equal to Inspector.stream, the same bytes after a restart, complete or refused output."""

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import steelsight
from steelsight import files
from steelsight.errors import BadBundle, BadInput, BadOutput, BadSource, ScanIncomplete
from steelsight.runtime.drift import LEVELS
from steelsight.runtime.scan import job, output, workers
from steelsight.runtime.scan import run as scan_module
from steelsight.runtime.scan.options import ScanOptions
from steelsight.runtime.scan.parts import read_maps

PER_PART = 12  # sheets, so that small scans have parts


def scan(bundle, sources, out, *, workers=None, progress=None, **options):
    """A scan, its options written one by one."""
    return scan_module.scan(bundle, sources, out, ScanOptions(**options), workers=workers, progress=progress)


def draw_sheets(folder, count, *, size=(128, 192), start=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(start, start + count):
        rng = np.random.default_rng(number)
        gray = rng.normal(110, 25, size)
        if number % 3:  # a bright or dark place, so that verdicts differ
            gray[10:90, 20 : 60 + 30 * (number % 5)] += 90 if number % 3 == 1 else -90
        if number % 7 == 1:
            gray[:] = 126  # the network of make_bundle calls this one defect-free
        Image.fromarray(np.clip(gray, 0, 255).astype(np.uint8)).save(
            folder / f"s{number:03d}.jpg", quality=90
        )
    return folder


@pytest.fixture
def sheets_folder(tmp_path):
    return draw_sheets(tmp_path / "sheets", 20)


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(scan_module, "PART", PER_PART)


def rows_of(out):
    return pa.concat_tables(pq.read_table(path) for path in sorted((out / "verdicts").iterdir())).to_pylist()


def bytes_of(out):
    return {path.name: path.read_bytes() for path in sorted((out / "verdicts").iterdir())}


def break_some(folder):
    (folder / "s003.jpg").write_bytes((folder / "s003.jpg").read_bytes()[:900])
    (folder / "s005.jpg").write_bytes(b"")
    (folder / "s007.jpg").write_text("a letter")
    (folder / "s009.jpg").unlink()
    (folder / "s009.jpg").symlink_to("nowhere")
    return {3: "damaged", 5: "damaged", 7: "not_an_image", 9: "missing"}


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_rows_equal_the_verdicts_of_the_stream(make_bundle, sheets_folder, tmp_path, task):
    break_some(sheets_folder)
    bundle = make_bundle(
        task=task, class_names=("none", "type 1", "type 2") if task == "multiclass" else ("a", "b", "c")
    )
    paths = sorted(sheets_folder.iterdir())
    report = scan(bundle, [sheets_folder], tmp_path / "out", heatmaps=True)
    table = pq.read_table(tmp_path / "out/verdicts/part-00000.parquet")
    rows, maps = table.to_pylist(), read_maps(table)
    verdicts = list(steelsight.load(bundle, threads=1).stream(paths))
    assert report.summary.sheets == len(rows) == len(verdicts) == 20
    assert [Path(row["name"]).name for row in rows] == [path.name for path in paths]
    for row, verdict, each in zip(rows, verdicts, maps, strict=True):
        told = verdict.as_dict()
        for name in ("label", "state", "reason", "detail", "model_id"):
            assert row[name] == told[name]
        for name in ("probability", "distance", "probabilities"):  # a lone last sheet has a graph of its own
            np.testing.assert_allclose(row[name] or 0, told[name] or 0, rtol=1e-4)
        assert [(r["left"], r["top"], r["right"], r["bottom"]) for r in row["regions"]] == [
            tuple(r["box"]) for r in told["regions"]
        ]
        assert [r["area_px"] for r in row["regions"]] == [r["area_px"] for r in told["regions"]]
        assert np.isnan(each).all() == (row["state"] == "bad_image")
    assert len({row["label"] for row in rows}) > 2  # or the comparison shows little


def test_rows_hold_maps_and_gray_levels(make_bundle, sheets_folder, tmp_path):
    bundle = make_bundle()
    scan(bundle, [sheets_folder], tmp_path / "out", heatmaps=True, page=False)
    table = pq.read_table(tmp_path / "out/verdicts/part-00000.parquet")
    inspector = steelsight.load(bundle, threads=1)
    grays = np.stack([reading_of(inspector, path) for path in sorted(sheets_folder.iterdir())])
    np.testing.assert_allclose(table["gray_mean"].to_numpy(), grays.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(table["gray_spread"].to_numpy(), grays.std(axis=(1, 2)), rtol=1e-5)
    expected = inspector.engine(grays).maps
    np.testing.assert_allclose(read_maps(table), expected, rtol=1e-3, atol=1e-6)  # half floats
    assert table["height"].to_pylist() == [128] * 20
    metadata = {key.decode(): json.loads(value) for key, value in table.schema.metadata.items()}
    assert metadata["steelsight.class_names"] == ["none", "type 1", "type 2"]
    assert metadata["steelsight.maps_shape"] == [3, 3, 5]


def test_the_documented_code_reads_the_maps(make_bundle, sheets_folder, tmp_path, monkeypatch):
    (sheets_folder / "s004.jpg").write_text("no image")
    scan(make_bundle(), [sheets_folder], tmp_path / "results", heatmaps=True, page=False)
    text = (Path(__file__).parents[3] / "docs" / "maps.md").read_text(encoding="utf-8")
    code = text.partition("## `steelsight scan")[2].partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(code, "docs/maps.md", "exec"), names)
    table = names["table"]
    expected = dict(zip(table["name"].to_pylist(), read_maps(table), strict=True))
    assert len(names["heatmaps"]) == 19
    for name, maps in names["heatmaps"].items():
        np.testing.assert_array_equal(maps, expected[name])
    for key in names["about"]:
        assert key in text


def reading_of(inspector, path):
    from steelsight.runtime.engine.reading import read_image

    return read_image(path, inspector.bundle.card.input).gray


def test_bad_images_are_set_aside_with_their_reason(make_bundle, sheets_folder, tmp_path):
    reasons = break_some(sheets_folder)
    report = scan(make_bundle(), [sheets_folder], tmp_path / "out")
    with (tmp_path / "out/quarantine.csv").open() as file:
        found = list(csv.DictReader(file))
    assert {int(row["index"]): row["reason"] for row in found} == reasons
    assert "its name does not make it an image" in found[2]["detail"]
    assert report.summary.states["bad_image"] == 4
    row = rows_of(tmp_path / "out")[3]
    assert row["probability"] is row["distance"] is row["height"] is row["gray_mean"] is None
    assert row["probabilities"] == row["regions"] == []
    page = (tmp_path / "out/report.html").read_text()
    assert all(words in page for words in ("Bad images", "s007.jpg", "a letter", "no verdict"))


def test_a_scan_of_bad_images_alone_has_a_report(make_bundle, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jpg").write_bytes(b"")
    report = scan(make_bundle(), [tmp_path / "in"], tmp_path / "out")
    assert report.as_dict()["states"]["bad_image"] == 1
    assert report.summary.labels == {}


def test_a_file_replaced_while_it_is_read_is_set_aside(make_bundle, sheets_folder, tmp_path, monkeypatch):
    real, moments = os.fstat, iter(range(10**6))

    def restless(handle):
        found = list(real(handle))
        found[6] = max(found[6], 1)
        return type(
            "Stat",
            (),
            {
                "st_mode": found[0],
                "st_size": found[6],
                "st_mtime_ns": next(moments),
            },
        )()

    monkeypatch.setattr("steelsight.runtime.engine.reading.os.fstat", restless)
    report = scan(make_bundle(), [sheets_folder / "s000.jpg"], tmp_path / "out", page=False)
    assert report.summary.reasons == {"changed": 1}


def test_archives_and_folders_give_the_same_rows(make_bundle, sheets_folder, tmp_path):
    import tarfile
    import zipfile

    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as tar, zipfile.ZipFile(tmp_path / "x.zip", "w") as zip_:
        for path in sorted(sheets_folder.iterdir()):
            tar.add(path, path.name)
            zip_.write(path, path.name)
    bundle = make_bundle()
    found = []
    for source in (sheets_folder, tmp_path / "x.tar.gz", tmp_path / "x.zip"):
        out = tmp_path / f"out-{source.name}"
        scan(bundle, [source], out, page=False)
        found.append([{k: v for k, v in row.items() if k != "name"} for row in rows_of(out)])
    assert found[0] == found[1] == found[2]


def test_workers_write_the_same_bytes_as_this_process(
    make_bundle, sheets_folder, tmp_path, small_parts, monkeypatch
):
    break_some(sheets_folder)
    bundle, told = make_bundle(), []
    report = scan(
        bundle, [sheets_folder], tmp_path / "a", workers=2, progress=lambda *n: told.append(n), heatmaps=True
    )
    assert told[-1] == (20, 20)
    assert report.scanned == 20
    monkeypatch.setattr(scan_module, "run_in_processes", in_this_process(bundle))
    scan(bundle, [sheets_folder], tmp_path / "b", heatmaps=True)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
    assert len(bytes_of(tmp_path / "a")) == 2


def in_this_process(bundle):
    """A stand-in for run_parts without processes."""
    from steelsight.runtime.scan.parts import write_part
    from steelsight.runtime.scan.plan import open_plan
    from steelsight.runtime.scan.worker import open_scanner

    def run(settings, numbers, count):
        judge, out = open_scanner(settings), Path(settings["out"])
        for number in numbers:
            sheets = open_plan(out).part(number)
            write_part(out, number, judge(number, sheets))
            yield job.FinishedPart(number, len(sheets))

    return run


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_scan_run_again_writes_the_same_bytes(make_bundle, tmp_path, small_parts, monkeypatch):
    bundle, folder = make_bundle(), draw_sheets(tmp_path / "sheets", 84, size=(256, 1600))
    program = (
        "import sys; from steelsight.runtime.scan import run as s; s.PART = int(sys.argv[1]); "
        "s.scan(sys.argv[2], [sys.argv[3]], sys.argv[4], workers=2)"
    )
    out = tmp_path / "killed"
    victim = subprocess.Popen(
        [sys.executable, "-c", program, str(PER_PART), str(bundle), str(folder), str(out)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    while not list(out.glob("verdicts/*.parquet")):
        assert victim.poll() is None
        time.sleep(0.005)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert 1 <= len(list(out.glob("verdicts/*.parquet"))) < 7  # its workers may still finish one more
    monkeypatch.setattr(scan_module, "run_in_processes", in_this_process(bundle))
    report = scan(bundle, [folder], out, page=False)
    whole = scan(bundle, [folder], tmp_path / "whole", page=False)
    assert bytes_of(out) == bytes_of(tmp_path / "whole")
    assert report.kept >= PER_PART
    assert report.kept + report.scanned == whole.scanned == 84
    assert not list(out.rglob(f"*{files.PARTIAL}"))


def test_a_scan_waits_for_the_workers_of_a_killed_one(make_bundle, sheets_folder, tmp_path):
    fcntl = pytest.importorskip("fcntl")
    bundle, out = make_bundle(), tmp_path / "out"
    scan(bundle, [sheets_folder], out, page=False)
    orphan = (out / output.WORKERS_LOCK).open("ab")
    fcntl.flock(orphan.fileno(), fcntl.LOCK_SH)
    threading.Timer(0.3, orphan.close).start()
    assert scan(bundle, [sheets_folder], out, fresh=True, page=False).scanned == 20
    assert orphan.closed


def test_workers_that_do_not_end_stop_the_next_scan(make_bundle, sheets_folder, tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(output, "WAIT_SECONDS", 0.1)
    out = tmp_path / "out"
    out.mkdir()
    with (out / output.WORKERS_LOCK).open("ab") as orphan:
        fcntl.flock(orphan.fileno(), fcntl.LOCK_SH)
        with pytest.raises(BadOutput, match="workers of an earlier scan still write"):
            scan(make_bundle(), [sheets_folder], out, page=False)


def test_a_worker_whose_scan_has_ended_writes_nothing(tmp_path):
    with (
        pytest.raises(BadOutput, match="that this worker belongs to has ended"),
        output.lock_for_worker(tmp_path, parent=os.getppid() + 1),
    ):
        pytest.fail("entered")


def test_a_continued_scan_names_files_that_came_later(make_bundle, sheets_folder, tmp_path):
    bundle, out = make_bundle(), tmp_path / "out"
    first = scan(bundle, [sheets_folder], out, page=False)
    written = bytes_of(out)
    draw_sheets(sheets_folder, 2, start=90)
    again = scan(bundle, [sheets_folder], out, page=False)
    assert (again.scanned, again.kept, len(again.later)) == (0, 20, 2)
    assert again.later[0].endswith("s090.jpg")
    assert again.summary.as_dict() == first.summary.as_dict()
    assert bytes_of(out) == written
    assert scan(bundle, [sheets_folder], out, fresh=True, page=False).scanned == 22


def test_another_scan_is_refused_with_its_differences(make_bundle, sheets_folder, tmp_path):
    bundle, out = make_bundle(), tmp_path / "out"
    scan(bundle, [sheets_folder], out, page=False)
    for words, other in {
        "heatmaps was false, now true": {"heatmaps": True},
        "batch was 8, now 4": {"batch": 4},
    }.items():
        with pytest.raises(BadOutput, match=rf"{words}; choose another --out, or use --fresh"):
            scan(bundle, [sheets_folder], out, **other)
    with pytest.raises(BadOutput, match=r"checksum was .*, now "):
        scan(make_bundle("other", temperature=2.0), [sheets_folder], out)
    with pytest.raises(BadOutput, match="sources was"):
        scan(bundle, [sheets_folder / "s000.jpg"], out)


@pytest.mark.parametrize("harm", ["cut", "flip", "empty", "other part"])
def test_damaged_parts_are_written_again(
    make_bundle, sheets_folder, tmp_path, small_parts, monkeypatch, harm
):
    bundle, out = make_bundle(), tmp_path / "out"
    monkeypatch.setattr(scan_module, "run_in_processes", in_this_process(bundle))
    scan(bundle, [sheets_folder], out, page=False)
    whole = bytes_of(out)
    part = out / "verdicts/part-00001.parquet"
    data = bytearray(part.read_bytes())
    if harm == "cut":
        del data[len(data) // 2 :]
    elif harm == "flip":
        data[60] ^= 0xFF  # of a column's page
    elif harm == "empty":
        data.clear()
    else:
        data = bytearray(whole["part-00000.parquet"])
    part.write_bytes(data)
    again = scan(bundle, [sheets_folder], out, page=False)
    assert again.rewritten == (1,)
    assert bytes_of(out) == whole


def test_a_changed_plan_and_foreign_files_are_refused(make_bundle, sheets_folder, tmp_path):
    bundle, out = make_bundle(), tmp_path / "out"
    scan(bundle, [sheets_folder], out, page=False)
    (out / "verdicts/part-00007.parquet").write_bytes(b"")
    with pytest.raises(BadOutput, match="expected parts of this scan alone"):
        scan(bundle, [sheets_folder], out)
    (out / "verdicts/part-00007.parquet").unlink()
    plan = (out / "plan.parquet").read_bytes()
    scan(bundle, [sheets_folder / "s000.jpg"], tmp_path / "one", page=False)
    (out / "plan.parquet").write_bytes((tmp_path / "one/plan.parquet").read_bytes())
    with pytest.raises(BadOutput, match=r"expected the plan named in scan\.json, got another"):
        scan(bundle, [sheets_folder], out)
    (out / "plan.parquet").write_bytes(plan[:50])
    with pytest.raises(BadOutput, match="expected the plan of a scan"):
        scan(bundle, [sheets_folder], out)
    (out / "scan.json").write_text("{")
    with pytest.raises(BadOutput, match="use --fresh"):
        scan(bundle, [sheets_folder], out)


def test_a_changed_archive_is_refused_by_a_continued_scan(make_bundle, sheets_folder, tmp_path):
    import zipfile

    path = tmp_path / "x.zip"
    for count in (3, 4):
        with zipfile.ZipFile(path, "w") as archive:
            for sheet in sorted(sheets_folder.iterdir())[:count]:
                archive.write(sheet, sheet.name)
        if count == 3:
            scan(make_bundle(), [path], tmp_path / "out", page=False)
    with pytest.raises(BadOutput, match="the archive was changed"):
        scan(make_bundle(), [path], tmp_path / "out")


def test_folders_that_cannot_be_written_are_refused(make_bundle, sheets_folder, tmp_path):
    bundle = make_bundle()
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/letters.txt").write_text("mine")
    (tmp_path / "parts/verdicts").mkdir(parents=True)
    (tmp_path / "parts/verdicts/part-00000.parquet").write_text("mine")
    for out, words in {
        tmp_path / "file": "could not be written",
        tmp_path / "file/out": "could not be written",
        tmp_path / "full": r"expected a new folder or an earlier scan, found letters\.txt",
        tmp_path / "parts": r"found verdicts/ without scan\.json",
        Path("/proc/steelsight"): "could not be written",
    }.items():
        for fresh in (False, True):
            with pytest.raises(BadOutput, match=words):
                scan(bundle, [sheets_folder], out, fresh=fresh)
    assert (tmp_path / "full/letters.txt").read_text() == "mine"


def test_a_read_only_output_is_refused(make_bundle, sheets_folder, tmp_path, monkeypatch):
    def refuse(self, *args, **options):
        raise PermissionError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(BadOutput, match="Read-only file system"):
        scan(make_bundle(), [sheets_folder], tmp_path / "out")


@pytest.mark.parametrize("calls", [0, 1, 2, 3, 4])
def test_a_full_disk_leaves_no_partly_written_file(make_bundle, sheets_folder, tmp_path, monkeypatch, calls):
    """The disk fills at the plan, scan.json, the part, quarantine.csv or summary.json."""
    bundle, out, real, seen = make_bundle(), tmp_path / "out", os.fsync, []

    def full(handle):
        if os.path.isdir(f"/proc/self/fd/{handle}"):  # noqa: PTH112
            return real(handle)
        seen.append(handle)
        if len(seen) == calls + 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle)

    monkeypatch.setattr("steelsight.files.os.fsync", full)
    with pytest.raises(BadOutput, match="No space left on device"):
        scan(bundle, [sheets_folder], out, page=False)
    assert not list(out.rglob(f"*{files.PARTIAL}"))
    assert len(bytes_of(out)) == (calls > 2)
    monkeypatch.undo()
    scan(bundle, [sheets_folder], out, page=False)
    assert len(rows_of(out)) == 20


def test_a_full_disk_in_a_worker_is_reported(make_bundle, sheets_folder, tmp_path, small_parts, monkeypatch):
    full = "def full(handle): raise OSError(28, 'No space left on device')\n"
    (tmp_path / "full_disk.py").write_text(f"import os\n{full}os.fsync = full\n")
    monkeypatch.setattr(workers, "_COMMAND", f"import full_disk; {workers._COMMAND}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(BadOutput, match="No space left on device"):
        scan(make_bundle(), [sheets_folder], tmp_path / "out", workers=1)
    assert bytes_of(tmp_path / "out") == {}


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_worker_that_dies_loses_its_part_only(make_bundle, tmp_path, small_parts, monkeypatch):
    folder = draw_sheets(tmp_path / "sheets", 36)
    deadly = (
        "import os; from steelsight.runtime.scan import part_scanner as judge; real = judge.decode\n"
        "def decode(content, name, spec):\n"
        "    if name == 's013.jpg': os.kill(os.getpid(), 9)\n"
        "    return real(content, name, spec)\n"
        "judge.decode = decode\n"
    )
    (tmp_path / "deadly.py").write_text(deadly)
    begin, end = workers._COMMAND.split("from steelsight", 1)
    monkeypatch.setattr(workers, "_COMMAND", f"{begin}import deadly; from steelsight{end}")
    monkeypatch.syspath_prepend(tmp_path)
    bundle, out = make_bundle(), tmp_path / "out"
    with pytest.raises(ScanIncomplete, match="the worker of part 1 was killed, as when memory runs out"):
        scan(bundle, [folder], out, workers=1)
    assert sorted(bytes_of(out)) == ["part-00000.parquet", "part-00002.parquet"]
    monkeypatch.setattr(scan_module, "run_in_processes", in_this_process(bundle))
    assert scan(bundle, [folder], out, page=False).scanned == PER_PART


def test_a_worker_that_cannot_start_ends_the_scan(
    make_bundle, sheets_folder, tmp_path, small_parts, monkeypatch
):
    monkeypatch.setattr(workers, "_COMMAND", "raise SystemExit(3)")
    with pytest.raises(ScanIncomplete, match="a worker ended with code 3 before its first part"):
        scan(make_bundle(), [sheets_folder], tmp_path / "out")


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_an_interrupt_stops_the_workers(make_bundle, sheets_folder, tmp_path, small_parts, monkeypatch):
    """The worker has written half of the second part when the interrupt comes, and waits there for ever."""
    waiting = (
        "import os, time; from steelsight import files; real = files._sync\n"
        "def sync(path):\n"
        "    if path.name.startswith('part-00001'):\n"
        "        (path.parents[2] / 'worker').write_text(str(os.getpid()))\n"
        "        time.sleep(3600)\n"
        "    real(path)\n"
        "files._sync = sync\n"
    )
    (tmp_path / "waiting.py").write_text(waiting)
    begin, end = workers._COMMAND.split("from steelsight", 1)
    monkeypatch.setattr(workers, "_COMMAND", f"{begin}import waiting; from steelsight{end}")
    monkeypatch.syspath_prepend(tmp_path)
    out, pid = tmp_path / "out", tmp_path / "worker"

    def interrupt(done, total):
        while not (pid.exists() and pid.read_text()):
            time.sleep(0.005)
        assert any(path.name.endswith(files.PARTIAL) for path in (out / "verdicts").iterdir())
        raise KeyboardInterrupt("by the test")

    with pytest.raises(KeyboardInterrupt, match="by the test"):
        scan(make_bundle(), [sheets_folder], out, workers=1, progress=interrupt)
    assert list(bytes_of(out)) == ["part-00000.parquet"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_two_scans_into_one_folder_are_refused(make_bundle, sheets_folder, tmp_path):
    def meanwhile(done, total):
        with pytest.raises(BadOutput, match="another scan writes there"):
            scan(bundle, [sheets_folder], tmp_path / "out")

    bundle = make_bundle()
    scan(bundle, [sheets_folder], tmp_path / "out", progress=meanwhile, page=False)


def test_input_that_is_refused_leaves_no_scan(make_bundle, tmp_path):
    (tmp_path / "empty").mkdir()
    bundle, out = make_bundle(), tmp_path / "out"
    with pytest.raises(BadSource, match="found none"):
        scan(bundle, [tmp_path / "empty"], out)
    with pytest.raises(BadBundle, match="expected a BUNDLE folder"):
        scan(tmp_path / "no", [tmp_path], out)
    with pytest.raises(BadInput, match="workers: expected at least 1"):
        scan(bundle, [tmp_path], out, workers=0)
    assert not (out / "scan.json").exists()
    draw_sheets(tmp_path / "empty", 1)
    assert scan(bundle, [tmp_path / "empty"], out, page=False).scanned == 1


def test_a_bundle_replaced_during_a_scan_is_refused(make_bundle, tmp_path):
    from steelsight.runtime.scan.worker import open_scanner

    with pytest.raises(BadBundle, match="replaced while the scan began"):
        open_scanner({"bundle": str(make_bundle()), "checksum": "another"})


def test_the_report_sorts_by_confidence_and_reports_drift(make_bundle, sheets_folder, tmp_path):
    usual = {
        "sheets": 500,
        "gray_mean": np.linspace(10, 20, len(LEVELS)).tolist(),
        "gray_spread": np.linspace(10, 40, len(LEVELS)).tolist(),
        "confidence": np.linspace(0.3, 1, len(LEVELS)).tolist(),
        "distance": [],
        "shares": [0.9, 0.05, 0.05],
    }
    bundle = make_bundle(usual=usual, threshold=0.9, threshold_by="cost")
    report = scan(bundle, [sheets_folder], tmp_path / "out")
    shown = report.summary.shown
    ranks = [(each.state != "doubtful", each.probability) for each in shown]
    assert ranks == sorted(ranks)
    assert len(shown) == 20
    told = {each.name: each.reading for each in report.summary.drift}
    assert told["gray_mean"] == "brighter than the calibration sheets"
    page = (tmp_path / "out/report.html").read_text()
    assert "This bundle records no groups of its calibration sheets" in page
    assert all(
        words in page
        for words in ("Sheets to check", "brighter than the calibration sheets", "a person should decide")
    )
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["sheets"] == 20
    assert summary["drift"][0]["level"] == "clear"


def test_a_scan_of_few_sheets_says_why_nothing_is_told(make_bundle, sheets_folder, tmp_path):
    usual = {
        "sheets": 26,
        "groups": 5,
        "gray_mean": np.linspace(10, 20, len(LEVELS)).tolist(),
        "gray_spread": np.linspace(10, 40, len(LEVELS)).tolist(),
        "confidence": np.linspace(0.3, 1, len(LEVELS)).tolist(),
        "distance": [],
        "shares": [1.0, 0.0, 0.0],
    }
    report = scan(make_bundle(usual=usual), [sheets_folder], tmp_path / "out")
    assert {each.level for each in report.summary.drift} == {"undecided"}
    page = (tmp_path / "out/report.html").read_text()
    assert page.count("26 calibration sheets of 5 groups are too few") == 1
    assert "than the calibration sheets" not in page
    assert "of the scanned sheets" not in page
    assert "records no groups" not in page


def test_sheets_removed_after_the_scan_are_not_shown(make_bundle, sheets_folder, tmp_path, monkeypatch):
    bundle, out = make_bundle(), tmp_path / "out"
    scan(bundle, [sheets_folder], out, page=False)
    (sheets_folder / "s004.jpg").write_bytes(b"")
    (sheets_folder / "s005.jpg").unlink()
    scan(bundle, [sheets_folder], out)
    assert "2 of them can no longer be read" in (out / "report.html").read_text()


def test_rows_do_not_depend_on_the_batch(make_bundle, sheets_folder, tmp_path, monkeypatch):
    """A sheet's row is the same whether it is scanned alone or among others."""
    bundle = make_bundle()
    scan(bundle, [sheets_folder], tmp_path / "all", page=False)
    scan(bundle, [sheets_folder / "s011.jpg"], tmp_path / "one", page=False)
    among, alone = rows_of(tmp_path / "all")[11], rows_of(tmp_path / "one")[0]
    assert {**among, "index": 0} == alone
