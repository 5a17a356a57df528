"""A scan on a Ray cluster of several nodes: rows to the bit, deaths, refused nodes."""

import os
import re
import signal
import subprocess
import sys
import threading
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.cluster.conftest import FAULTS, NODE_IP, PER_PART
from tests.runtime.scan.object_store import BUCKET, serve_objects
from tests.runtime.scan.test_run import break_some, bytes_of, draw_sheets

from steelsight.errors import BadCluster, BadOutput, ScanIncomplete
from steelsight.runtime.bundle.default import default_bundle
from steelsight.runtime.scan import run as scan_module
from steelsight.runtime.scan.objects.address import is_address
from steelsight.runtime.scan.options import ScanOptions

pytest.importorskip("ray", reason="the extra [cluster] is not installed")

from steelsight.cluster import nodes as nodes_module
from steelsight.cluster.connect import connect
from steelsight.cluster.scan import on_cluster

pytestmark = pytest.mark.usefixtures("small_parts")
SHEETS = 30


@pytest.fixture
def folder(tmp_path):
    return draw_sheets(tmp_path / "sheets", SHEETS)


@pytest.fixture
def scan(ray_head, make_bundle, folder, tmp_path):
    """Scan the folder on the cluster."""
    bundle = make_bundle()

    def run(name="out", *, bundle=bundle, mixed=False, workers=None, progress=None, **options):
        with connect(ray_head.address):
            return scan_module.scan(
                bundle,
                [folder],
                name if is_address(name) else tmp_path / name,
                ScanOptions(page=False, **options),
                progress=progress,
                run_parts=on_cluster(workers=workers),
                mixed=mixed,
            )

    return run


@pytest.fixture
def local(make_bundle, folder, tmp_path):
    """The bytes of the parts of a scan by this machine alone."""

    def run(bundle=None, **options):
        scan_module.scan(
            bundle or make_bundle(),
            [folder],
            tmp_path / "local",
            ScanOptions(page=False, **options),
            workers=1,
        )
        return bytes_of(tmp_path / "local")

    return run


def test_three_nodes_write_the_bytes_of_one_machine(add_node, scan, local, folder, tmp_path):
    break_some(folder)
    for _ in range(3):
        add_node()
    told = []
    report = scan(heatmaps=True, progress=lambda *n: told.append(n))
    assert report.scanned == SHEETS == told[-1][0]
    assert bytes_of(tmp_path / "out") == local(heatmaps=True)
    assert scan(heatmaps=True).kept == SHEETS  # nothing is left to do


def test_a_local_scan_is_continued_on_the_cluster(add_node, scan, local, tmp_path):
    add_node()
    expected = local()
    (tmp_path / "local" / "verdicts" / "part-00002.parquet").unlink()
    report = scan("local")
    assert report.scanned == PER_PART
    assert bytes_of(tmp_path / "local") == expected


@pytest.mark.long
def test_the_driver_alone_writes_to_object_storage(add_node, scan, local, monkeypatch):
    add_node(cores=2)  # before the store is there: it has neither its address nor its credentials
    with serve_objects(monkeypatch) as (client, troubles):
        troubles.at_every(4, ["slow_down", "error"])
        assert scan(f"s3://{BUCKET}/out").scanned == SHEETS
        assert scan(f"s3://{BUCKET}/out").kept == SHEETS
        keys = [path for path in troubles.written if path.endswith(".parquet") and "/verdicts/" in path]
        assert len(keys) == len(set(keys)) == -(-SHEETS // PER_PART)
        found = {
            key.rpartition("/")[2]: client.get_object(Bucket=BUCKET, Key=key.removeprefix(f"/{BUCKET}/"))
            for key in keys
        }
        assert {name: reply["Body"].read() for name, reply in found.items()} == local()


def killed_during(scan, act, after=2):
    """Scan, and act once so many parts are written; returns the report."""
    happened = threading.Event()

    def progress(done, total):
        if done >= after * PER_PART and not happened.is_set():
            happened.set()
            act()

    report = scan(progress=progress)
    assert happened.is_set()
    return report


@pytest.mark.long
def test_a_node_that_leaves_and_one_that_joins(ray_head, add_node, scan, local, tmp_path):
    leaving = add_node("slow")

    def exchange():
        ray_head.remove_node(leaving, allow_graceful=False)
        add_node()

    assert killed_during(scan, exchange).scanned == SHEETS
    assert bytes_of(tmp_path / "out") == local()


def test_a_worker_that_is_killed_is_replaced(add_node, scan, local, tmp_path):
    add_node("slow", cores=2)
    killed_during(scan, lambda: os.kill(worker_processes()[0], signal.SIGKILL))
    assert bytes_of(tmp_path / "out") == local()


def worker_processes():
    """Process numbers of actors that scan."""
    found = subprocess.run(["pgrep", "-f", "ray::NodeScanner"], capture_output=True, text=True, check=False)
    return [int(each) for each in found.stdout.split()]


@pytest.mark.long
def test_a_driver_that_is_killed_goes_on(ray_head, add_node, scan, local, make_bundle, folder, tmp_path):
    add_node("slow")
    program = (
        "import sys; from steelsight.runtime.scan import run as s; s.PART = int(sys.argv[1])\n"
        "from steelsight.runtime.scan.options import ScanOptions\n"
        "from steelsight.cluster.connect import connect\n"
        "from steelsight.cluster.scan import on_cluster\n"
        "with connect(sys.argv[2]):\n"
        "    s.scan(sys.argv[3], [sys.argv[4]], sys.argv[5], ScanOptions(page=False), run_parts=on_cluster())"
    )
    out = tmp_path / "out"
    victim = subprocess.Popen(
        [sys.executable, "-c", program, str(PER_PART), ray_head.address, make_bundle(), folder, out],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    while len(list(out.glob("verdicts/*.parquet"))) < 2:
        assert victim.poll() is None
        time.sleep(0.01)
    with pytest.raises(BadOutput, match="another scan writes there"):
        scan()
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    report = scan()
    assert 0 < report.kept < SHEETS == report.kept + report.scanned
    assert bytes_of(out) == local()


def test_a_part_that_kills_its_workers_is_named_and_the_others_are_whole(
    ray_head, add_node, scan, local, tmp_path, monkeypatch
):
    monkeypatch.setattr(nodes_module, "NODE_DEATH_S", 0.1)
    node = add_node("dies")
    with pytest.raises(ScanIncomplete, match=r"part 1: 3 workers died at it \(.*\); all other parts"):
        scan()
    expected = local()
    assert bytes_of(tmp_path / "out") == {k: v for k, v in expected.items() if k != "part-00001.parquet"}
    ray_head.remove_node(node, allow_graceful=False)
    add_node()
    assert scan().scanned == PER_PART  # the same command, on a node without the fault
    assert bytes_of(tmp_path / "out") == expected


REFUSALS = {
    "other processor": "rows are equal on equal machines only, and it differs from the driver: processor ",
    "other version": "expected the versions of the driver, got steelsight 0.0.1, there ",
    "no onnxruntime": "onnxruntime is not installed",
    "no pyarrow": "3 workers died there before their first part (",
    "sees nothing": "s000.jpg: not seen there as by the driver (No such file or directory); mount the folder",
}


def test_nodes_that_cannot_be_used_are_refused_and_others_scan(ray_head, add_node, scan, local, tmp_path):
    for fault, words in REFUSALS.items():
        node = add_node(fault)
        with pytest.raises(BadCluster, match=re.escape(words)):
            scan(engine="onnxruntime")
        if fault != "sees nothing":
            ray_head.remove_node(node, allow_graceful=False)
    add_node()
    assert scan(engine="onnxruntime").scanned == SHEETS
    assert bytes_of(tmp_path / "out") == local(engine="onnxruntime")


def test_other_processors_are_written_into_each_row(add_node, scan, local, tmp_path):
    add_node("other processor")
    bundle = default_bundle()  # it carries probe sheets
    assert scan(bundle=bundle, mixed=True).scanned == SHEETS
    rows = pa.concat_tables(pq.read_table(each) for each in sorted((tmp_path / "out/verdicts").iterdir()))
    assert {each.partition(";")[0] for each in rows["processor"].to_pylist()} == {"another"}
    local(bundle)
    here = pa.concat_tables(pq.read_table(each) for each in sorted((tmp_path / "local/verdicts").iterdir()))
    assert rows.drop_columns("processor").equals(here)
    with pytest.raises(BadOutput, match="mixed was true, now null"):
        scan(bundle=bundle)
    with pytest.raises(BadCluster, match=r"probes\.npz: the bundle carries no probe sheets"):
        scan("other", mixed=True)


def test_a_node_that_breaks_parity_is_refused_also_when_mixed(add_node, scan):
    add_node("breaks parity")
    with pytest.raises(BadCluster, match="does not agree with its model there: logits differ by 3"):
        scan(mixed=True)


def test_the_faults_are_on_the_path_of_nodes_alone():
    assert str(FAULTS) not in sys.path


@pytest.mark.long
def test_a_scan_whose_cluster_ends_is_told_and_goes_on_here(make_bundle, folder, local, tmp_path):
    """With the head ends the node of the driver, and Ray ends the driver with it."""
    from ray.cluster_utils import Cluster

    arguments = {"include_dashboard": False, "node_ip_address": NODE_IP}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **arguments})
    out = tmp_path / "local"
    code = "from steelsight.runtime.scan import run; run.PART = 4; from steelsight.cli import main; main()"
    command = ["scan", make_bundle(), folder, "--out", out, "--ray", cluster.address]
    path = os.pathsep.join([str(FAULTS), *filter(None, sys.path)])
    driver = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "FAULT": ""},
    )
    while not list(out.glob("verdicts/*.parquet")):
        assert driver.poll() is None, driver.communicate()
        time.sleep(0.01)
    cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)
    _, told = driver.communicate(timeout=300)
    assert driver.returncode
    assert "the Ray node of this machine ended" in " ".join(told.split())
    assert local()
    assert len(list(out.glob("verdicts/*.parquet"))) == -(-SHEETS // PER_PART)
