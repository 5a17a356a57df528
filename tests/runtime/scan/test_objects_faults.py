"""Troubles of an object store: the scan completes with the same rows, or ends in one clear line."""

import errno
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.runtime.scan.object_store import BUCKET, serve_objects, upload

from steelsight.errors import BadSource
from steelsight.runtime.engine.reading import ImageRefused
from steelsight.runtime.scan import planning
from steelsight.runtime.scan import run as scan_module
from steelsight.runtime.scan.objects import store as store_module
from steelsight.runtime.scan.objects.address import ObjectAddress
from steelsight.runtime.scan.objects.faults import ObjectFault
from steelsight.runtime.scan.objects.reading import ObjectReader
from steelsight.runtime.scan.objects.store import ObjectStore, StoreLimits
from steelsight.runtime.scan.options import ScanOptions
from steelsight.runtime.scan.sources import SourceReader, list_sources

StreamingBody = pytest.importorskip("botocore.response", reason="needs boto3").StreamingBody
QUICK = StoreLimits(connect_s=2.0, read_s=2.0, attempts=3, pause_s=0.01, most_pause_s=0.05)
ADDRESS = ObjectAddress(BUCKET, "x.jpg")


@pytest.fixture
def served(monkeypatch):
    monkeypatch.setattr(store_module, "StoreLimits", lambda: QUICK)
    with serve_objects(monkeypatch) as (client, troubles):
        yield client, troubles


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for number in range(8):
        Image.fromarray(rng.integers(0, 255, (64, 96)).astype(np.uint8)).save(tmp_path / f"in/{number}.png")
    return tmp_path / "in"


def scan(bundle, source, out, **more):
    return scan_module.scan(bundle, [source], out, ScanOptions(page=False), **more)


def rows_of(out):
    rows = pa.concat_tables(pq.read_table(path) for path in sorted((out / "verdicts").iterdir())).to_pylist()
    return [{**row, "name": row["name"].rpartition("/")[2]} for row in rows]


def by_name(out):
    return {row["name"]: row for row in rows_of(out)}


def test_rows_are_the_same_under_faults_cut_bodies_and_stalls(served, folder, make_bundle, tmp_path):
    client, troubles = served
    upload(client, folder)
    bundle = make_bundle()
    scan(bundle, folder, tmp_path / "local")
    troubles.at_every(3, ["slow_down", "error", "cut", ("stall", 0.1)])
    scan(bundle, f"s3://{BUCKET}/", tmp_path / "stored")
    assert troubles.made >= 3
    assert rows_of(tmp_path / "stored") == rows_of(tmp_path / "local")


@pytest.mark.parametrize(
    ("trouble", "words", "number"),
    [
        ("slow_down", "the store is too busy or failed, again after retries", errno.EBUSY),
        ("error", "the store is too busy or failed, again after retries", errno.EBUSY),
        ("cut", "the answer stalled or broke off, again after retries", errno.ETIMEDOUT),
        (("stall", 3.0), "the answer stalled or broke off, again after retries", errno.ETIMEDOUT),
        ("denied", "permission denied; allow these credentials s3:GetObject", errno.EACCES),
        ("expired", "the store refused the credentials; renew them", errno.EPERM),
        ("skewed", "the clocks of this computer and of the store differ", errno.EPERM),
    ],
)
def test_a_fault_that_stays_is_one_line(served, trouble, words, number):
    client, troubles = served
    client.put_object(Bucket=BUCKET, Key="x.jpg", Body=b"x" * 5000)
    troubles.rule = lambda method, path: trouble
    store, before = ObjectStore(QUICK), len(troubles.requests)
    with pytest.raises(ObjectFault, match=words) as caught:
        store.read(ADDRESS, most_bytes=10_000)
    assert len(troubles.requests) - before <= QUICK.attempts  # tries are not multiplied
    assert (caught.value.errno, "\n" in caught.value.strerror) == (number, False)
    store.close()


def test_a_broken_answer_goes_on_where_it_stopped(served):
    client, troubles = served
    content = np.random.default_rng(0).bytes(3 * 2**20)
    client.put_object(Bucket=BUCKET, Key="x.jpg", Body=content)
    cuts = iter(["cut", "cut"])
    troubles.rule = lambda method, path: next(cuts, None)
    store = ObjectStore(QUICK)
    assert store.read(ADDRESS, most_bytes=2**22) == content
    assert [wanted for method, _, wanted in troubles.requests[-3:]] == [
        None,
        "bytes=1572864-",  # half came
        "bytes=2359296-",  # and half of the rest
    ]
    store.close()


class WithoutRanges:
    """Stands for a client whose store ignores ranges, and whose first answer is cut."""

    def __init__(self, content, **more):
        self.content, self.cut, self.more = content, True, more

    def get_object(self, **wanted):
        content, self.cut = self.content[: 5 if self.cut else None], False
        body = StreamingBody(io.BytesIO(content), len(self.content))
        return {"Body": body, "ContentLength": len(self.content), **self.more}

    def close(self):
        pass


@pytest.mark.parametrize("more", [{}, {"ETag": '"1"'}])
def test_a_store_without_ranges_or_etags_gives_the_whole_object_again(more):
    content = b"0123456789"
    assert ObjectStore(QUICK, WithoutRanges(content, **more)).read(ADDRESS, most_bytes=10) == content
    with pytest.raises(ObjectFault, match="the range that was asked for"):
        ObjectStore(QUICK, WithoutRanges(content, **more)).read_range(ADDRESS, 2, 4, "")
    with pytest.raises(ObjectFault, match="10 bytes, more than 9"):
        ObjectStore(QUICK, WithoutRanges(content, **more)).read(ADDRESS, most_bytes=9)


def test_an_object_replaced_while_it_is_read_is_read_whole_once_more(served):
    client, troubles = served
    first, second = b"a" * 3 * 2**20, b"b" * 3 * 2**20
    client.put_object(Bucket=BUCKET, Key="x.jpg", Body=first)
    cut = iter(["cut"])
    store = ObjectStore(QUICK)
    real = store._pause

    def replace_meanwhile(attempt):
        client.put_object(Bucket=BUCKET, Key="x.jpg", Body=second)
        real(attempt)

    store._pause = replace_meanwhile
    troubles.rule = lambda method, path: next(cut, None) if method == "GET" else None
    assert store.read(ADDRESS, most_bytes=2**22) == second
    store.close()


def test_an_image_that_may_not_be_read_is_a_row_and_is_tried_again(served, folder, make_bundle, tmp_path):
    client, troubles = served
    upload(client, folder)
    bundle, out = make_bundle(), tmp_path / "out"
    troubles.rule = lambda method, path: "denied" if path.endswith("/3.png") else None
    report = scan(bundle, f"s3://{BUCKET}/", out)
    row = by_name(out)["3.png"]
    assert (row["state"], row["reason"]) == ("bad_image", "missing")
    assert row["detail"].startswith("3.png: permission denied; allow these credentials s3:GetObject")
    assert (report.transient, report.summary.states["bad_image"]) == (1, 1)
    assert scan(bundle, f"s3://{BUCKET}/", out).scanned == 0  # still denied: nothing to do
    troubles.rule = lambda method, path: None
    assert scan(bundle, f"s3://{BUCKET}/", out).summary.states["bad_image"] == 0


def test_an_image_that_is_gone_or_too_large_is_a_row(served, folder, make_bundle, tmp_path, monkeypatch):
    client, _ = served
    upload(client, folder)
    monkeypatch.setattr("steelsight.runtime.scan.objects.reading.MAX_FILE_BYTES", 7000)
    client.put_object(Bucket=BUCKET, Key="large.png", Body=b"x" * 7001)
    source = f"s3://{BUCKET}/"
    real = planning.write_plan

    def remove_one(*arguments):
        plan = real(*arguments)
        client.delete_object(Bucket=BUCKET, Key="3.png")
        return plan

    monkeypatch.setattr(planning, "write_plan", remove_one)
    scan(make_bundle(), source, tmp_path / "out")
    rows = by_name(tmp_path / "out")
    assert {
        name: row["reason"] for name, row in rows.items() if row["reason"] in ("missing", "too_large")
    } == {
        "3.png": "missing",
        "large.png": "too_large",
    }
    assert "no such object" in rows["3.png"]["detail"]
    assert rows["large.png"]["detail"] == "large.png: 7001 bytes, more than 7000; is it one image?"


@pytest.mark.parametrize(
    ("trouble", "words"),
    [("slow_down", "too busy or failed"), ("denied", "permission denied"), ("cut", "again after retries")],
)
def test_a_listing_that_breaks_off_ends_the_scan_before_a_plan(
    served, folder, make_bundle, tmp_path, trouble, words
):
    client, troubles = served
    upload(client, folder)
    troubles.rule = lambda method, path: trouble
    with pytest.raises(BadSource, match=words) as caught:
        scan(make_bundle(), f"s3://{BUCKET}/", tmp_path / "out")
    assert str(caught.value).startswith(f"s3://{BUCKET}/: ")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out/plan.parquet").exists()


def test_a_store_that_is_lost_ends_the_scan_and_the_same_command_goes_on(
    served, folder, make_bundle, tmp_path, monkeypatch
):
    client, troubles = served
    upload(client, folder)
    monkeypatch.setattr(scan_module, "PART", 4)
    bundle, out, source = make_bundle(), tmp_path / "out", f"s3://{BUCKET}/"
    troubles.rule = lambda method, path: "expired" if path[-5:-4] in {*"4567"} else None  # all of a part
    with pytest.raises(BadSource, match=r"renew them.*for 3 images in a row.*run the same command again"):
        scan(bundle, source, out, workers=1)
    troubles.rule = lambda method, path: None
    report = scan(bundle, source, out, workers=1)
    assert (report.kept, report.scanned, report.summary.states["bad_image"]) == (4, 4, 0)


def test_images_that_were_asked_for_at_the_same_time_give_one_message(served, monkeypatch):
    """Several are read ahead: which of them is asked for first, and how many failed by then, is chance."""

    def refuse(*_, **__):
        raise ObjectFault(errno.EPERM, "the store refused the credentials")

    monkeypatch.setattr(ObjectStore, "read", refuse)
    reader, told = ObjectReader(ObjectStore(QUICK)), set()
    for name in "abcdefgh":
        with pytest.raises((ImageRefused, BadSource)) as caught:
            reader.read(f"s3://{BUCKET}/{name}.png")
        if isinstance(caught.value, BadSource):
            told.add(str(caught.value).replace(f"/{name}.png", ""))
    assert len(told) == 1
    assert "for 3 images in a row" in told.pop()


def test_no_credentials_and_no_store_are_told(monkeypatch, served):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(BadSource, match=r"no credentials \(.*\); set AWS_PROFILE"):
        list_sources([f"s3://{BUCKET}/"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    with pytest.raises(BadSource, match="no credentials"):
        list_sources([f"s3://{BUCKET}/"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(
        BadSource, match=r"the store cannot be reached.*check the network and AWS_ENDPOINT_URL"
    ):
        list_sources([f"s3://{BUCKET}/"])
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(BadSource, match="no credentials"):
        list_sources([f"s3://{BUCKET}/"])


def test_an_archive_that_cannot_be_read_is_one_row_or_ends_the_listing(served, folder):
    client, troubles = served
    client.put_object(Bucket=BUCKET, Key="a.zip", Body=b"PK\3\4" + b"x" * 2000)
    troubles.rule = lambda method, path: "denied" if method == "GET" and path.endswith("a.zip") else None
    with pytest.raises(BadSource, match=r"a\.zip: permission denied"):  # the only source, so there is nothing
        list_sources([f"s3://{BUCKET}/a.zip"])
    sheets = list_sources([f"s3://{BUCKET}/a.zip", folder]).sheets
    assert (sheets[0].reason.value, len(sheets)) == ("missing", 9)
    with pytest.raises(ImageRefused, match="permission denied"):
        SourceReader().read(sheets[0])
    troubles.rule = lambda method, path: "slow_down" if method == "GET" and path.endswith("a.zip") else None
    with pytest.raises(BadSource, match=r"a\.zip: the store is too busy"):
        list_sources([f"s3://{BUCKET}/a.zip", folder])


def test_credentials_are_written_nowhere(served, folder, make_bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-value")
    upload(served[0], folder)
    scan(make_bundle(), f"s3://{BUCKET}/", tmp_path / "out")
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or b"very-secret-value" not in path.read_bytes()
    assert json.loads((tmp_path / "out/scan.json").read_text())["sources"] == [f"s3://{BUCKET}/"]
