"""Results in object storage: what a folder would hold, each part written once, by a local S3 server."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
from tests.runtime.scan.object_store import BUCKET, serve_objects, upload
from tests.runtime.scan.output_scans import (
    OUT,
    PARTS,
    PER_PART,
    QUICK,
    SHEETS,
    draw_sheets,
    here,
    in_folder,
    scan,
    stored,
    times_written,
)
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.errors import BadOutput
from steelsight.files import take_lock
from steelsight.runtime.scan import run as scan_module
from steelsight.runtime.scan.objects import store as store_module
from steelsight.runtime.scan.options import ScanOptions
from steelsight.runtime.scan.outputs.choose import remove_left_folders
from steelsight.runtime.scan.watch import watch


@pytest.fixture
def served(monkeypatch):
    monkeypatch.setattr(store_module, "StoreLimits", lambda: QUICK)
    monkeypatch.setattr(scan_module, "PART", PER_PART)
    with serve_objects(monkeypatch) as (client, troubles):
        yield client, troubles


@pytest.fixture
def folder(tmp_path):
    return draw_sheets(tmp_path / "in")


def test_a_bucket_holds_what_a_folder_would(served, folder, make_bundle, tmp_path):
    client, _ = served
    bundle, seen = make_bundle(), []
    report = scan(bundle, folder, OUT, workers=2, page=True, progress=lambda *done: seen.append(done))
    scan(bundle, folder, tmp_path / "local", run_parts=here, page=True)
    found, local = stored(client), in_folder(tmp_path / "local")
    lock = json.loads(found.pop(".lock"))
    assert lock["released"] is True
    assert set(found) == set(local) - {".lock", ".workers"}
    same = set(found) - {"report.html", "report.json"}
    assert {name: found[name] for name in same} == {name: local[name] for name in same}
    assert b"Sheets to check" in found["report.html"]
    assert sorted(total for _, total in seen) == [SHEETS] * PARTS
    assert (report.scanned, report.kept, str(report.out)) == (SHEETS, 0, OUT)
    assert str(report.page) == f"{OUT}/report.html"
    assert report.as_dict()["out"] == OUT


def test_the_command_prints_addresses(served, folder, make_bundle, monkeypatch):
    client, _ = served
    monkeypatch.setattr(scan_module, "PART", 512)
    line = ["scan", str(make_bundle()), str(folder), "--out", OUT, "--json", "--partition", "{coil}.png"]
    done = CliRunner().invoke(app, line)
    assert done.exit_code == 2  # an image could not be read
    assert f"set aside: 1, with reasons in {OUT}/quarantine.csv" in " ".join(done.stderr.split())
    assert f"report: {OUT}/report.html" in " ".join(done.stderr.split())
    facts = json.loads(done.stdout)
    assert (facts["out"], facts["report"]) == (OUT, f"{OUT}/report.html")
    assert facts["partitions"] == {"pattern": "{coil}.png", "folders": SHEETS, "unmatched": 0}
    assert "partitions/coil=07/part-00000.parquet" in stored(client)


def test_the_same_command_goes_on_and_writes_no_part_twice(served, folder, make_bundle, monkeypatch):
    client, troubles = served
    bundle = make_bundle()

    def stop(done, _total):
        if done >= 2 * PER_PART:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(bundle, folder, OUT, run_parts=here, progress=stop)
    begun = stored(client)
    assert 2 <= sum(name.startswith("verdicts/") for name in begun) < PARTS
    assert "summary.json" not in begun
    with monkeypatch.context() as patch:
        patch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")  # pages of the listing
        report = scan(bundle, folder, OUT, run_parts=here)
    assert report.kept == PER_PART * sum(name.startswith("verdicts/") for name in begun)
    assert report.kept + report.scanned == report.summary.sheets == SHEETS
    assert times_written(troubles) == [1] * PARTS
    finished = stored(client)
    again = scan(bundle, folder, OUT, run_parts=here)
    assert (again.kept, again.scanned, again.later) == (SHEETS, 0, ())
    assert {**stored(client), ".lock": finished[".lock"]} == finished
    (folder / "zz.png").write_bytes((folder / "00.png").read_bytes())
    assert [name[-6:] for name in scan(bundle, folder, OUT, run_parts=here).later] == ["zz.png"]


def test_another_scan_there_is_refused_and_fresh_replaces_it(served, folder, make_bundle):
    client, _ = served
    bundle = make_bundle()
    scan(bundle, folder, OUT, run_parts=here)
    client.put_object(Bucket=BUCKET, Key="results/line30/other", Body=b"of a prefix that begins alike")
    with pytest.raises(
        BadOutput, match=f"{OUT}: expected a folder of this scan, got one of another: heatmaps was false"
    ):
        scan(bundle, folder, OUT, run_parts=here, heatmaps=True)
    before = stored(client)
    report = scan(bundle, folder, OUT, run_parts=here, heatmaps=True, fresh=True)
    assert (report.scanned, report.kept) == (SHEETS, 0)
    assert set(stored(client)) == set(before)
    assert stored(client, "results/line30/") == {"other": b"of a prefix that begins alike"}


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("photo.jpg", "found photo.jpg; choose another --out"),
        ("verdicts/part-00000.parquet", "found verdicts/ without scan.json; choose another --out"),
    ],
)
def test_a_prefix_with_other_objects_is_refused_and_left_alone(served, folder, make_bundle, key, words):
    client, _ = served
    client.put_object(Bucket=BUCKET, Key=f"results/line3/{key}", Body=b"x")
    with pytest.raises(BadOutput, match=f"{OUT}: expected a new prefix or an earlier scan, {words}"):
        scan(make_bundle(), folder, OUT)
    assert stored(client) == {key: b"x"}


def test_markers_of_folders_and_foreign_parts(served, folder, make_bundle):
    client, _ = served
    bundle = make_bundle()
    for key in ("results/line3/", "results/line3/verdicts/"):
        client.put_object(Bucket=BUCKET, Key=key, Body=b"")
    scan(bundle, folder, f"{OUT}/", run_parts=here)  # with a slash it is the same place
    client.put_object(Bucket=BUCKET, Key="results/line3/verdicts/notes.txt", Body=b"x")
    with pytest.raises(BadOutput, match=f"{OUT}/verdicts/notes.txt: expected parts of this scan alone"):
        scan(bundle, folder, OUT, run_parts=here)


def test_a_damaged_part_is_replaced_in_its_own_place_alone(served, folder, make_bundle):
    client, _ = served
    bundle = make_bundle()
    scan(bundle, folder, OUT, run_parts=here)
    whole = stored(client)
    key = "results/line3/verdicts/part-00001.parquet"
    client.put_object(Bucket=BUCKET, Key=key, Body=b"damaged")
    report = scan(bundle, folder, OUT, run_parts=here)
    assert report.rewritten == (1,)
    assert {**stored(client), ".lock": whole[".lock"]} == whole
    client.put_object(Bucket=BUCKET, Key=key, Body=b"damaged")

    def meanwhile(job):
        client.put_object(Bucket=BUCKET, Key=key, Body=b"of another process")
        yield from here(job)

    with pytest.raises(
        BadOutput, match=r"part-00001.parquet: another process wrote it since .*5 parts are there"
    ):
        scan(bundle, folder, OUT, run_parts=meanwhile)
    assert stored(client)["verdicts/part-00001.parquet"] == b"of another process"
    client.put_object(Bucket=BUCKET, Key="results/line3/plan.parquet", Body=b"x")
    with pytest.raises(
        BadOutput, match=f"{OUT}/plan.parquet: expected the plan of a scan, got .*; use --fresh$"
    ):
        scan(bundle, folder, OUT, run_parts=here)
    client.delete_object(Bucket=BUCKET, Key="results/line3/plan.parquet")
    with pytest.raises(
        BadOutput, match=f"{OUT}/plan.parquet: expected the plan of a scan, got none; use --fresh"
    ):
        scan(bundle, folder, OUT, run_parts=here)


def test_sheets_that_could_not_be_read_then_are_scanned_again(served, folder, make_bundle):
    client, troubles = served
    upload(client, folder, "in/")
    bundle, source = make_bundle(), f"s3://{BUCKET}/in/"
    troubles.rule = lambda method, path: "denied" if path.endswith("in/07.png") else None
    assert scan(bundle, source, OUT, run_parts=here).transient == 1
    troubles.rule = lambda method, path: None
    report = scan(bundle, source, OUT, run_parts=here)
    assert (report.transient, report.scanned, report.rewritten) == (0, PER_PART, ())


def test_sources_and_results_in_one_bucket(served, folder, make_bundle):
    client, _ = served
    upload(client, folder)
    bundle, source = make_bundle(), f"s3://{BUCKET}/"
    first = scan(bundle, source, OUT, run_parts=here)
    again = scan(bundle, source, OUT, run_parts=here)
    assert (first.scanned, again.scanned, again.kept, again.later) == (SHEETS, 0, SHEETS, ())
    with pytest.raises(BadOutput, match=r"expected a new prefix or an earlier scan, found 00\.png"):
        scan(bundle, source, f"s3://{BUCKET}", run_parts=here)


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("s3://nowhere/x", "s3://nowhere/x: there is no such bucket; check its name"),
        ("s3://", "got no bucket name"),
        ("S3://mill/x", r"'S3://mill/x': expected a folder or s3://BUCKET/PREFIX"),
        ("gs://mill/x", r"expected a folder or s3://BUCKET/PREFIX, got another address"),
        (f"s3://{BUCKET}/" + "k" * 1025, "a key of at most 1024 bytes"),
    ],
)
def test_an_output_that_cannot_be_is_one_line(served, folder, make_bundle, out, words):
    with pytest.raises(BadOutput, match=words) as caught:
        scan(make_bundle(), folder, out)
    assert "\n" not in str(caught.value)


def test_what_writes_to_folders_alone_says_so(served, folder, make_bundle):
    with pytest.raises(BadOutput, match=f"{OUT}: the verdicts of a watched folder are written to a folder"):
        watch(make_bundle(), [folder], OUT)
    with pytest.raises(BadOutput, match="an address of object storage is given as text"):
        scan(make_bundle(), folder, Path(OUT))


def test_a_full_disk_of_this_machine_is_told_from_the_store(served, folder, make_bundle, monkeypatch):
    def full(path, content, **_):
        raise BadOutput(f"{path}: could not be written (No space left on device); free space")

    monkeypatch.setattr("steelsight.runtime.scan.parts.replace_file", full)
    with pytest.raises(
        BadOutput, match=r"No space left on device.*; TMPDIR may name a folder with more space"
    ):
        scan(make_bundle(), folder, OUT, run_parts=here)


def test_a_disk_that_is_full_before_the_first_part_is_told_too(served, folder, make_bundle, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    bundle = make_bundle()
    scan(bundle, folder, OUT, run_parts=here)
    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(
        BadOutput, match=r"scan.json: could not be written \(No space .*; TMPDIR may name a folder"
    ):
        scan(bundle, folder, OUT, run_parts=here)


@pytest.mark.parametrize("fresh", [False, True])
def test_an_empty_out_is_not_the_current_folder(folder, make_bundle, fresh, tmp_path, monkeypatch):
    bundle, here = make_bundle(), tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with pytest.raises(BadOutput, match=r"^--out: expected a folder or s3://BUCKET/PREFIX, got nothing$"):
        scan_module.scan(bundle, [folder], "", ScanOptions(fresh=fresh, page=False))
    assert not list(here.iterdir())


def test_folders_of_killed_scans_are_removed_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names = ("killed", "runs", "young", "unlocked", "linked")
    folders = {name: tmp_path / f"steelsight-scan-{name}" for name in names}
    for name in ("killed", "runs", "young", "unlocked"):
        folders[name].mkdir()
    for name in ("killed", "runs", "young"):
        (folders[name] / ".lock").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / ".lock").touch()
    folders["linked"].symlink_to(tmp_path / "elsewhere")
    for name in ("killed", "runs", "unlocked", "linked"):
        os.utime(folders[name], (0, 0), follow_symlinks=False)
    with (folders["runs"] / ".lock").open("rb") as lock:
        assert take_lock(lock.fileno())
        remove_left_folders()
    assert [name for name in names if not folders[name].exists()] == ["killed"]
    assert (tmp_path / "elsewhere" / ".lock").exists()
