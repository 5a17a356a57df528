"""Rows by day and coil: the rows of the parts, as other programs read such folders."""

import os
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.runtime.scan.object_store import BUCKET, serve_objects
from tests.runtime.scan.output_scans import (
    OUT,
    PER_PART,
    QUICK,
    SHEETS,
    draw_sheets,
    here,
    in_folder,
    scan,
    stored,
)

from steelsight.errors import BadInput, BadOutput
from steelsight.runtime.scan import partitions as partitions_module
from steelsight.runtime.scan import run as scan_module
from steelsight.runtime.scan.objects import store as store_module
from steelsight.runtime.scan.options import ScanOptions
from steelsight.runtime.scan.partitions import UNKNOWN, PartitionPattern
from steelsight.runtime.scan.watch import watch

PATTERN = "{day}/{coil}_{*}.png"
COILS = ("0815", "A 7/8", "Ü%")  # of days 20261129 and later; a slash cannot be in a name
HIVE = ds.partitioning(pa.schema([("day", pa.date32()), ("coil", pa.string())]), flavor="hive")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Sheets of two days and three coils, and one whose name says neither."""
    monkeypatch.setattr(scan_module, "PART", PER_PART)
    drawn = draw_sheets(tmp_path / "drawn")
    sheets = tmp_path / "in"
    for number, path in enumerate(sorted(drawn.iterdir())[:-1]):
        target = (
            sheets
            / f"2026112{8 + number // 10}"
            / f"{COILS[number % 7 // 3].replace('/', '-')}_{number:02d}.png"
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    next(drawn.iterdir()).rename(sheets / "bad.png")
    return sheets


def rows_of(dataset):
    return dataset.to_table().sort_by("index").to_pylist()


def expected(rows):
    """Rows of parts, with what their names say."""
    for row in rows:
        *_, day, name = row["name"].split("/")
        known = day.startswith("2026")
        row["day"] = f"{day[:4]}-{day[4:6]}-{day[6:]}" if known else None
        row["coil"] = name.partition("_")[0] if known else None
    return rows


def shown(rows):
    return [{**row, "day": row["day"] and row["day"].isoformat()} for row in rows]


def test_rows_by_day_and_coil_are_those_of_the_parts(folder, make_bundle, tmp_path):
    out, bundle = tmp_path / "out", make_bundle()
    report = scan(bundle, folder, out, run_parts=here, partition=PATTERN)
    parts = rows_of(ds.dataset(out / "verdicts", format="parquet"))
    table = ds.dataset(out / "partitions", format="parquet", partitioning=HIVE)
    assert shown(rows_of(table)) == expected(parts)
    assert (report.partitions.folders, report.partitions.unmatched) == (7, 1)
    assert report.as_dict()["partitions"]["pattern"] == PATTERN
    one = table.to_table(
        filter=(ds.field("coil") == "0815") & (ds.field("day") == pa.scalar("2026-11-29").cast(pa.date32()))
    )
    assert {row["name"].rpartition("/")[2][:4] for row in one.to_pylist()} == {"0815"}
    folders = {
        path.relative_to(out / "partitions").parent.as_posix()
        for path in out.rglob("partitions/**/*.parquet")
    }
    assert "day=2026-11-28/coil=A%207-8" in folders
    assert f"day={UNKNOWN}/coil={UNKNOWN}" in folders


def test_the_same_command_goes_on_and_keeps_what_is_there(folder, make_bundle, tmp_path, monkeypatch):
    out, bundle = tmp_path / "out", make_bundle()
    scan(bundle, folder, out, run_parts=here)
    real, count = partitions_module.seal_part, []

    def stop(table):
        count.append(1)
        if len(count) == 5:
            raise KeyboardInterrupt
        return real(table)

    with monkeypatch.context() as patch:
        patch.setattr(partitions_module, "seal_part", stop)
        with pytest.raises(KeyboardInterrupt):
            scan(bundle, folder, out, run_parts=here, partition=PATTERN)  # of a scan that is finished
    left = out / "partitions/day=2026-11-28" / "x.parquet.1-2.part"
    left.write_bytes(b"of a process that was killed")
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("partitions/**/*.parquet")}
    assert len(stamps) == 4
    scan(bundle, folder, out, run_parts=here)  # the pattern is known
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert not left.exists()
    scan(bundle, folder, tmp_path / "whole", run_parts=here, partition=PATTERN)
    assert {**in_folder(out), ".workers": b""} == {**in_folder(tmp_path / "whole"), ".workers": b""}
    (out / "partitions/notes.txt").write_text("mine")
    with pytest.raises(
        BadOutput, match=r"expected --partition '\{day\}.*by which partitions/ was written, got '\{coil"
    ):
        scan(bundle, folder, out, run_parts=here, partition="{coil}_{*}.png")
    scan(bundle, folder, out, run_parts=here, partition="{coil}_{*}.png", fresh=True)
    below = {path.name for path in (out / "partitions").iterdir()}
    assert below == {"coil=0815", "coil=A%207-8", "coil=%C3%9C%25", f"coil={UNKNOWN}", "notes.txt"}
    scan(bundle, folder, out, run_parts=here, fresh=True)
    assert [path.name for path in (out / "partitions").iterdir()] == ["notes.txt"]


def test_rows_that_are_scanned_again_replace_the_earlier_ones(folder, make_bundle, tmp_path):
    out, bundle = tmp_path / "out", make_bundle()
    victim = next(folder.rglob("*_07.png"))
    content = victim.read_bytes()

    def without_one(job):
        victim.unlink()
        yield from here(job)

    first = scan(bundle, folder, out, run_parts=without_one, partition=PATTERN)
    victim.write_bytes(content)
    second = scan(bundle, folder, out, run_parts=here, partition=PATTERN)
    assert (first.transient, second.transient) == (1, 0)
    parts = rows_of(ds.dataset(out / "verdicts", format="parquet"))
    rows = rows_of(ds.dataset(out / "partitions", format="parquet", partitioning=HIVE))
    assert shown(rows) == expected(parts)


def test_object_storage_holds_the_same_files(folder, make_bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "StoreLimits", lambda: QUICK)
    bundle = make_bundle()
    scan(bundle, folder, tmp_path / "local", run_parts=here, partition=PATTERN)
    with serve_objects(monkeypatch) as (client, troubles):
        scan(bundle, folder, OUT, run_parts=here, partition=PATTERN)
        found, local = stored(client), in_folder(tmp_path / "local")
        assert set(found) == set(local) - {".workers"}
        assert all(found[name] == local[name] for name in set(found) - {".lock"})
        writes = len([path for path in troubles.written if "/partitions/" in path])
        scan(bundle, folder, OUT, run_parts=here)
        assert len([path for path in troubles.written if "/partitions/" in path]) == writes
        endpoint = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
        store = pyarrow.fs.S3FileSystem(endpoint_override=endpoint, scheme="http")
        table = ds.dataset(
            f"{BUCKET}/results/line3/partitions", filesystem=store, format="parquet", partitioning=HIVE
        )
        assert len(rows_of(table)) == SHEETS
        scan(bundle, folder, OUT, run_parts=here, fresh=True)
        assert not any("partitions" in name for name in stored(client))


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("{side}.png", r"expected \{day\}, \{coil\} or both"),
        ("{*}.png", r"expected \{day\}, \{coil\} or both"),
        ("{coil}_{coil}", "each at most once"),
        ("{day}.png", r"matches none of 19 sheets, such as '.*\.png'; a pattern is compared with the end"),
    ],
)
def test_patterns_that_cannot_be_are_refused_before_the_scan(folder, make_bundle, tmp_path, pattern, words):
    with pytest.raises(BadInput, match=words):
        scan(make_bundle(), folder, tmp_path / "out", run_parts=here, partition=pattern)
    assert not list((tmp_path / "out").rglob("*.parquet"))[1:]  # the plan at most


def test_too_many_folders_are_refused(folder, make_bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(partitions_module, "MOST", 5)
    with pytest.raises(BadInput, match="more than 5 folders; its fields differ from sheet to sheet"):
        scan(make_bundle(), folder, tmp_path / "out", run_parts=here, partition=PATTERN)


def test_a_watched_folder_is_not_partitioned(folder, make_bundle, tmp_path):
    with pytest.raises(BadInput, match="--partition: the rows of a watched folder are not partitioned"):
        watch(make_bundle(), [folder], tmp_path / "out", ScanOptions(partition=PATTERN))


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/_"), min_size=1, max_size=40)
)
def test_any_name_of_a_coil_is_one_folder_that_tells_it(coil):
    folder = PartitionPattern("{coil}_{*}").folder(f"line/{coil}_1.png")
    assert folder.isascii()
    assert "/" not in folder
    assert unquote(folder.removeprefix("coil=")) in (coil, UNKNOWN)
    assert (folder == f"coil={UNKNOWN}") == (len(folder) > 205 or len(coil.encode()) > 66)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("2026-11-30.png", "day=2026-11-30"),
        ("a/20261130.png", "day=2026-11-30"),
        ("20261330.png", f"day={UNKNOWN}"),
        ("2026-02-30.png", f"day={UNKNOWN}"),
        ("x20261130.png", f"day={UNKNOWN}"),
    ],
)
def test_days_are_dates(name, folder):
    assert PartitionPattern("{day}.png").folder(name) == folder


def test_duckdb_reads_the_folders(folder, make_bundle, tmp_path):
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    scan(make_bundle(), folder, tmp_path / "out", run_parts=here, partition=PATTERN)
    query = f"""SELECT coil, count(*) FROM read_parquet('{tmp_path}/out/partitions/**/*.parquet',
        hive_partitioning = true, hive_types = {{'day': DATE, 'coil': VARCHAR}}) GROUP BY coil"""
    assert dict(duckdb.sql(query).fetchall())["0815"] > 0


def test_polars_reads_the_folders(folder, make_bundle, tmp_path):
    polars = pytest.importorskip("polars", reason="Polars is not installed")
    scan(make_bundle(), folder, tmp_path / "out", run_parts=here, partition=PATTERN)
    schema = {"day": polars.Date, "coil": polars.String}
    table = polars.scan_parquet(tmp_path / "out/partitions", hive_schema=schema, hive_partitioning=True)
    assert table.filter(polars.col("coil") == "0815").collect().height > 0
