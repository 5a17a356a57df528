"""Troubles of a store that a scan writes to: it completes with the same bytes, or ends in one clear line."""

import errno
import itertools
import os
import subprocess
import sys
import time

import pytest
from tests.runtime.scan.object_store import BUCKET, serve_objects
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

from steelsight.errors import BadOutput, BadSource
from steelsight.runtime.scan import run as scan_module
from steelsight.runtime.scan.objects import store as store_module
from steelsight.runtime.scan.objects.address import ObjectAddress
from steelsight.runtime.scan.objects.faults import ObjectFault
from steelsight.runtime.scan.objects.writing import WritableStore

pytest.importorskip("boto3", reason="needs boto3")
ADDRESS = ObjectAddress(BUCKET, "x")


@pytest.fixture
def served(monkeypatch):
    monkeypatch.setattr(store_module, "StoreLimits", lambda: QUICK)
    monkeypatch.setattr(scan_module, "PART", PER_PART)
    with serve_objects(monkeypatch) as (client, troubles):
        yield client, troubles


@pytest.fixture
def folder(tmp_path):
    return draw_sheets(tmp_path / "in")


def make_trouble(troubles, nth):
    """Troubles at every nth request, other ones for writes than for reads; a second try has none."""
    count, troubled = itertools.count(1), set()
    of_writes = itertools.cycle(["slow_down", "lost", "conflict", "error", ("stall", 0.05)])
    of_others = itertools.cycle(["slow_down", "error", ("stall", 0.05)])

    def rule(method, path):
        if (method, path) in troubled:
            troubled.remove((method, path))
            return None
        if next(count) % nth:
            return None
        troubled.add((method, path))
        return next(of_writes if method == "PUT" else of_others)

    troubles.rule = rule


def test_faults_of_every_kind_change_no_byte(served, folder, make_bundle, tmp_path):
    client, troubles = served
    bundle = make_bundle()
    make_trouble(troubles, 2)
    report = scan(bundle, folder, OUT, run_parts=here)
    again = scan(bundle, folder, OUT, run_parts=here)
    assert (report.scanned, again.scanned, again.kept) == (SHEETS, 0, SHEETS)
    assert troubles.made >= 10
    troubles.rule = lambda *_: None
    scan(bundle, folder, tmp_path / "local", run_parts=here)
    found, local = stored(client), in_folder(tmp_path / "local")
    assert set(found) == set(local) - {".workers"}
    assert all(found[name] == local[name] for name in set(found) - {".lock"})
    assert times_written(troubles) == [1] * PARTS


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (
            "denied",
            "permission denied; allow these credentials s3:PutObject and s3:GetObject below the output",
        ),
        ("slow_down", "the store is too busy or failed, again after retries"),
        ("expired", "the store refused the credentials; renew them"),
        ("skewed", "the clocks of this computer and of the store differ"),
    ],
)
def test_a_fault_in_the_middle_is_one_line_and_the_same_command_goes_on(
    served, folder, make_bundle, trouble, words
):
    _, troubles = served
    bundle = make_bundle()

    def rule(method, path):
        return trouble if method == "PUT" and path.endswith(("3.parquet", "4.parquet")) else None

    troubles.rule = rule
    with pytest.raises(BadOutput) as caught:
        scan(bundle, folder, OUT, run_parts=here)
    message = str(caught.value)
    assert message.startswith(f"{OUT}/verdicts/part-00003.parquet: {words}")
    assert "3 parts are there and are kept" in message
    assert message.count("run the same command again") == 1
    assert "\n" not in message
    troubles.rule = lambda *_: None
    report = scan(bundle, folder, OUT, run_parts=here)
    assert (report.kept, report.scanned) == (3 * PER_PART, SHEETS - 3 * PER_PART)
    assert times_written(troubles) == [1] * PARTS


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (".lock", "s3:PutObject"),
        ("plan.parquet", "line3/plan.parquet: permission denied"),
        ("summary.json", "5 parts"),
    ],
)
def test_a_refused_file_is_named(served, folder, make_bundle, ending, words):
    _, troubles = served
    bundle = make_bundle()
    troubles.rule = lambda method, path: "denied" if method == "PUT" and path.endswith(ending) else None
    with pytest.raises(BadOutput, match=words):
        scan(bundle, folder, OUT, run_parts=here)
    troubles.rule = lambda *_: None
    assert scan(bundle, folder, OUT, run_parts=here).summary.sheets == SHEETS


def test_parts_that_cannot_be_read_now_are_not_taken_as_damaged(served, folder, make_bundle):
    _, troubles = served
    bundle = make_bundle()
    scan(bundle, folder, OUT, run_parts=here)
    troubles.rule = lambda method, path: (
        "slow_down" if method == "GET" and path.endswith("2.parquet") else None
    )
    with pytest.raises(BadOutput, match=r"part-00002\.parquet: the store is too busy"):
        scan(bundle, folder, OUT, run_parts=here)
    assert times_written(troubles) == [1] * PARTS


@pytest.mark.parametrize("ignored", [("IF_NONE_MATCH",), ("IF_MATCH",)])
def test_a_store_without_conditional_writes_is_refused(served, folder, make_bundle, ignored):
    client, troubles = served
    troubles.ignored = ignored
    words = "does not keep the conditions If-None-Match and If-Match of a write.*choose a folder as --out"
    with pytest.raises(BadOutput, match=words):
        scan(make_bundle(), folder, OUT)
    assert set(stored(client)) == {".lock"}


def test_a_store_that_does_not_know_conditions_is_refused(served, folder, make_bundle):
    client, troubles = served
    troubles.rule = lambda method, path: "unknown" if method == "PUT" else None
    with pytest.raises(BadOutput, match="does not keep the conditions"):
        scan(make_bundle(), folder, OUT)
    assert stored(client) == {}


def test_the_extra_is_named(monkeypatch, folder, make_bundle):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(BadSource, match=r"needs boto3.*pip install 'steelsight\[s3\]'"):
        scan(make_bundle(), folder, OUT)


def test_a_write_is_conditional_and_knows_its_own_attempt(served, tmp_path):
    client, troubles = served
    store = WritableStore(QUICK)
    first = store.write(ADDRESS, b"1")
    with pytest.raises(ObjectFault) as caught:
        store.write(ADDRESS, b"2")
    assert caught.value.errno == errno.ESTALE
    assert store.write(ADDRESS, b"1") == first  # the same bytes are there
    path = tmp_path / "file"
    path.write_bytes(b"22")
    lost = iter(["conflict", "lost"])
    troubles.rule = lambda method, _: next(lost, None) if method == "PUT" else None
    second = store.write(ADDRESS, path, replaces=first)
    assert client.get_object(Bucket=BUCKET, Key="x")["Body"].read() == b"22"
    with pytest.raises(ObjectFault) as caught:
        store.write(ADDRESS, b"3", replaces=first)
    assert caught.value.errno == errno.ESTALE
    troubles.rule = lambda *_: "conflict"
    with pytest.raises(ObjectFault, match="being written by another process"):
        store.write(ADDRESS, b"3", replaces=second)
    troubles.rule = lambda *_: None
    etag, age_s = store.age(ADDRESS)
    assert (etag, 0 <= age_s < 60) == (second, True)
    store.remove(BUCKET, ["x", "gone"])
    with pytest.raises(ObjectFault) as caught:
        store.write(ADDRESS, b"3", replaces=second)
    assert caught.value.errno == errno.ENOENT
    store.close()


@pytest.mark.long
def test_a_scan_that_is_killed_is_continued_when_its_lease_ends(served, folder, make_bundle):
    """As the command does it, with worker processes and a lease of a few seconds."""
    client, troubles = served
    bundle = make_bundle()
    program = (
        "import sys\nfrom steelsight.runtime.scan import run\n"
        "from steelsight.runtime.scan.outputs import lease\n"
        "from steelsight.runtime.scan.options import ScanOptions\n"
        f"run.PART = {PER_PART}; lease.LEASE_S = 20.0; lease.RENEW_S = 1.0\n"
        "run.scan(sys.argv[1], [sys.argv[2]], sys.argv[3], ScanOptions(page=False), workers=1)"
    )
    last = ("2.parquet", "3.parquet", "4.parquet")
    troubles.rule = lambda method, path: "slow_down" if method == "PUT" and path.endswith(last) else None
    victim = subprocess.Popen(
        [sys.executable, "-c", program, str(bundle), str(folder), OUT],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    while sum(times_written(troubles)) < 2:
        assert victim.poll() is None
        time.sleep(0.01)
    with pytest.raises(BadOutput, match=rf"another scan writes there \(process {victim.pid} on "):
        scan(bundle, folder, OUT, run_parts=here)
    victim.kill()
    victim.wait()
    troubles.rule = lambda *_: None
    report = scan(bundle, folder, OUT, run_parts=here)
    assert (report.kept, report.scanned) == (2 * PER_PART, SHEETS - 2 * PER_PART)
    assert times_written(troubles) == [1] * PARTS
    assert ".lock" in stored(client)
