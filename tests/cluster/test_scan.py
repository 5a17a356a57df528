"""A scan on a Ray cluster of several nodes: rows to the bit, deaths, refused nodes."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from unittest.mock import Mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.cluster.conftest import FAULTS, NODE_IP, PATH, PER_PART
from tests.cluster.processes import processes_of
from tests.runtime.scan.object_store import BUCKET, serve_objects, upload
from tests.runtime.scan.test_run import break_some, bytes_of, draw_sheets
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.errors import BadCluster, BadOutput, ScanIncomplete
from steelsight.runtime.bundle.default import default_bundle
from steelsight.runtime.engine.engine import open_engine
from steelsight.runtime.scan import run as scan_module
from steelsight.runtime.scan.job import FinishedPart, ScanJob
from steelsight.runtime.scan.objects.address import is_address
from steelsight.runtime.scan.options import ScanOptions
from steelsight.runtime.scan.output import lock_output
from steelsight.runtime.scan.part_scanner import PartScanner
from steelsight.runtime.scan.parts import write_part
from steelsight.runtime.scan.worker_settings import WORKER_ENVIRONMENT

pytest.importorskip("ray", reason="the extra [cluster] is not installed")

from steelsight.cluster import nodes as nodes_module
from steelsight.cluster import scan as cluster_scan
from steelsight.cluster.connect import connect
from steelsight.cluster.scan import on_cluster

pytestmark = pytest.mark.usefixtures("small_parts")
SHEETS = 18
PARTS = -(-SHEETS // PER_PART)
QUICK = {"engine": "onnxruntime"}  # it compiles a graph in a fraction of the time


@pytest.fixture
def folder(tmp_path):
    return draw_sheets(tmp_path / "sheets", SHEETS)


@pytest.fixture
def scan(ray_head, make_bundle, folder, tmp_path):
    """Scan the folder on the cluster."""
    own = make_bundle()

    def run(
        name="out",
        *,
        source=folder,
        bundle=own,
        mixed=False,
        progress=None,
        said=None,
        workers=None,
        **options,
    ):
        with connect(ray_head.address):
            return scan_module.scan(
                bundle,
                [source],
                name if is_address(name) else tmp_path / name,
                ScanOptions(page=False, **QUICK | options),
                progress=progress,
                run_parts=on_cluster(workers=workers, say=[].append if said is None else said.append),
                mixed=mixed,
            )

    return run


@pytest.fixture
def local(make_bundle, folder, tmp_path):
    """The bytes of the parts of a scan by this machine alone: in this process, or with `workers`."""

    def run(bundle=None, source=folder, workers=None, **options):
        scan_module.scan(
            bundle or make_bundle(),
            [source],
            tmp_path / "local",
            ScanOptions(page=False, **QUICK | options),
            workers=workers,
            run_parts=None if workers else scan_in_this_process,
        )
        return bytes_of(tmp_path / "local")

    return run


def scan_in_this_process(job):
    engine = open_engine(job.bundle, job.options.engine, threads=1, batch=job.options.batch)
    with closing(PartScanner(job.bundle, engine, job.rows)) as scanner:
        for number in job.parts:
            sheets = job.plan.part(number)
            write_part(job.out, number, scanner(number, sheets))
            yield FinishedPart(number, len(sheets))


def test_all_nodes_write_the_bytes_of_one_machine(nodes, scan, local, folder, tmp_path):
    break_some(folder)
    for node in nodes:
        node.have("tells")
    counts = []
    report = scan(heatmaps=True, engine="openvino", progress=lambda *n: counts.append(n))
    assert report.scanned == SHEETS == counts[-1][0]
    for node in nodes:
        [environment] = node.told()  # each had a worker, with the settings of every worker of a scan
        assert WORKER_ENVIRONMENT.items() <= environment.items()
    expected = local(heatmaps=True, engine="openvino", workers=1)
    assert bytes_of(tmp_path / "out") == expected
    (tmp_path / "local" / "verdicts" / "part-00002.parquet").unlink()
    assert scan("local", heatmaps=True, engine="openvino").scanned == PER_PART  # a local scan is continued
    assert bytes_of(tmp_path / "local") == expected


def test_workers_bound_the_processes_of_a_command(nodes, ray_head, make_bundle, folder, tmp_path):
    for node in nodes:
        node.have("tells")
    command = ["scan", make_bundle(), folder, "--out", tmp_path / "out", "--workers", "1", "--ray"]
    result = CliRunner().invoke(app, [*map(str, command), ray_head.address])
    assert result.exit_code == 0, result.output
    assert len([told for node in nodes for told in node.told()]) == 1
    assert len(bytes_of(tmp_path / "out")) == PARTS


@pytest.mark.long
@pytest.mark.usefixtures("nodes")  # begun before the store: they have no address and credentials of it
def test_the_driver_alone_writes_to_object_storage(scan, local, monkeypatch):
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
def test_a_node_that_leaves_and_one_that_joins(nodes, ray_head, add_node, scan, local, tmp_path):
    for node in nodes:
        node.have("other version")
    leaving = add_node("slow")

    def exchange():
        ray_head.remove_node(leaving.node, allow_graceful=False)
        add_node()

    assert killed_during(scan, exchange).scanned == SHEETS
    assert bytes_of(tmp_path / "out") == local()


def test_a_worker_that_is_killed_is_replaced(nodes, scan, local, tmp_path):
    for node in nodes:
        node.have("slow")
    workers = lambda: processes_of([node.node for node in nodes], b"ray::NodeScanner")  # noqa: E731
    killed_during(scan, lambda: os.kill(workers()[0], signal.SIGKILL))
    assert bytes_of(tmp_path / "out") == local()


@pytest.mark.long
def test_a_driver_that_is_killed_goes_on(nodes, ray_head, scan, local, make_bundle, folder, tmp_path):
    for node in nodes:
        node.have("slow")
    program = (
        "import sys; from steelsight.runtime.scan import run as s; s.PART = int(sys.argv[1])\n"
        "from steelsight.runtime.scan.options import ScanOptions\n"
        "from steelsight.cluster.connect import connect\n"
        "from steelsight.cluster.scan import on_cluster\n"
        "with connect(sys.argv[2]):\n"
        "    s.scan(sys.argv[3], [sys.argv[4]], sys.argv[5], ScanOptions(engine='onnxruntime', page=False), "
        "run_parts=on_cluster())"
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
    nodes, scan, local, tmp_path, monkeypatch
):
    monkeypatch.setattr(nodes_module, "NODE_DEATH_S", 0.1)
    for node in nodes:
        node.have("dies")
    with pytest.raises(ScanIncomplete, match=r"^part 1: 3 workers died at it \(.*\); all other parts"):
        scan(workers=1)
    expected = local()
    assert bytes_of(tmp_path / "out") == {k: v for k, v in expected.items() if k != "part-00001.parquet"}
    for node in nodes:
        node.have()
    assert scan().scanned == PER_PART  # the same command, on nodes without the fault
    assert bytes_of(tmp_path / "out") == expected


REFUSALS = {
    "other processor": "results are equal to the bit on equal machines only: expected processor ",
    "other version": "expected steelsight ",
    "no onnxruntime": "onnxruntime is not installed",
    "no steelsight": "3 workers died there before they began (",
    "sees nothing": "s000.jpg: not seen there as by the driver (No such file or directory); mount the folder",
}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("other processor", "no onnxruntime"),
        pytest.param("no steelsight", "other version", marks=pytest.mark.long),
    ],
)
def test_a_scan_ends_in_one_line_where_every_node_is_refused(one, other, nodes, scan, tmp_path):
    for node, fault in zip(nodes, (one, other), strict=True):
        node.have(fault)
    with pytest.raises(BadCluster, match=r"^no node can be used: ") as told:
        scan()
    for fault in (one, other):
        assert REFUSALS[fault] in str(told.value)
    assert "\n" not in str(told.value)


def test_a_node_that_cannot_be_used_is_named_and_the_other_scans(nodes, scan, local, tmp_path):
    nodes[0].have("sees nothing")
    nodes[1].have("tells")
    said = []
    assert scan(said=said).scanned == SHEETS
    [line] = said
    assert re.match(r"node \S+ is not used: ", line)
    assert REFUSALS["sees nothing"] in line
    assert nodes[1].told()
    assert bytes_of(tmp_path / "out") == local()


def test_other_processors_are_written_into_each_row(nodes, scan, local, tmp_path):
    nodes[0].have("other processor")
    nodes[1].have("breaks parity")
    of_bf16, said = {"bundle": default_bundle(), "engine": "openvino"}, []  # it carries probe sheets
    assert scan(**of_bf16, mixed=True, said=said).scanned == SHEETS
    assert len(said) == 1
    assert "does not agree with its model there: logits differ by 3; leave" in said[0]  # of one engine
    rows = pa.concat_tables(pq.read_table(each) for each in sorted((tmp_path / "out/verdicts").iterdir()))
    assert {each.partition(";")[0] for each in rows["processor"].to_pylist()} == {"another"}
    local(**of_bf16)
    here = pa.concat_tables(pq.read_table(each) for each in sorted((tmp_path / "local/verdicts").iterdir()))
    assert rows.drop_columns("processor").equals(here)
    with pytest.raises(BadOutput, match="mixed was true, now null"):
        scan(**of_bf16)
    with pytest.raises(BadCluster, match=r"probes\.npz: the bundle carries no probe sheets"):
        scan("other", mixed=True, workers=1)


def test_sheets_in_object_storage_and_clocks_apart(nodes, scan, local, folder, tmp_path, monkeypatch):
    with serve_objects(monkeypatch) as (client, troubles):
        upload(client, folder, "in/")
        source = f"s3://{BUCKET}/in/"
        for node in nodes:
            settings = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
            node.have("", **settings, AWS_MAX_ATTEMPTS="1")
        troubles.rule = lambda method, path: "skewed" if path.endswith(".jpg") else None
        with pytest.raises(BadCluster, match=r"no node can be used: .*(clock|RequestTimeTooSkewed)"):
            scan(source=source)
        troubles.rule = lambda method, path: None
        assert scan(source=source, workers=1).scanned == SHEETS  # the same command
        assert bytes_of(tmp_path / "out") == local(source=source)


def test_permission_denied_in_the_middle_is_told_and_the_same_command_goes_on(
    nodes, scan, local, tmp_path, monkeypatch
):
    def deny(descriptor):
        raise PermissionError(13, "Permission denied")

    for node in nodes:  # so that parts come one after the other
        node.have("slow")

    with monkeypatch.context() as patch, pytest.raises(BadOutput, match=r"verdicts.*Permission denied"):
        scan(progress=lambda done, total: patch.setattr(os, "fsync", deny), workers=1)
    assert 0 < len(bytes_of(tmp_path / "out")) < PARTS
    assert scan(workers=1).kept > 0
    assert bytes_of(tmp_path / "out") == local()


def test_a_place_that_another_scan_writes_to_is_refused(nodes, scan, tmp_path):
    with (
        lock_output(tmp_path / "out", fresh=False),
        pytest.raises(
            BadOutput, match=r"out: another scan writes there; wait for it or choose another --out"
        ),
    ):
        scan()


@pytest.mark.parametrize(("parts", "compared"), [(0, 0), (1, 1), (8, 8), (9, 5), (15, 8), (1000, 8)])
def test_few_files_from_all_over_the_plan_are_compared(parts, compared):
    plan = Mock(part=lambda number: [Mock(reason=None, path=f"{number}.jpg")] * 2)
    job = Mock(spec=ScanJob, parts=range(parts), plan=plan)
    files = list(cluster_scan._some_files(job))
    assert len(files) == len(set(files)) == compared
    assert files[:1] == ["0.jpg"][:parts]


def test_the_faults_are_on_the_path_of_nodes_alone():
    assert str(FAULTS) not in sys.path


@pytest.mark.long
def test_a_scan_whose_cluster_ends_is_told_and_goes_on_here(make_bundle, folder, local, tmp_path):
    """With the head ends the node of the driver, and Ray ends the driver with it."""
    from ray.cluster_utils import Cluster

    (tmp_path / "fault").write_text('{"fault": "slow", "environment": {}}')
    environment = {"PYTHONPATH": PATH, "FAULT_FILE": str(tmp_path / "fault")}
    arguments = {"include_dashboard": False, "node_ip_address": NODE_IP, "env_vars": environment}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **arguments})
    out = tmp_path / "local"
    driver = command_begun([make_bundle(), folder, "--out", out, "--ray", cluster.address], out)
    cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)
    _, told = driver.communicate(timeout=300)
    assert driver.returncode
    assert "the Ray node of this machine ended" in " ".join(told.split())
    assert local()
    assert len(list(out.glob("verdicts/*.parquet"))) == PARTS


def command_begun(arguments, out):
    """`steelsight scan` in a process of its own that has written a part."""
    code = (
        f"from steelsight.runtime.scan import run; run.PART = {PER_PART}\n"
        "from steelsight.cli import main; main()"
    )
    driver = subprocess.Popen(
        [sys.executable, "-c", code, "scan", *map(str, arguments), "--engine", "onnxruntime"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    while not list(out.glob("verdicts/*.parquet")):
        assert driver.poll() is None, driver.communicate()
        time.sleep(0.01)
    return driver


def test_a_command_that_is_stopped_says_how_to_go_on(
    nodes, ray_head, scan, local, make_bundle, folder, tmp_path
):
    for node in nodes:
        node.have("slow")
    out = tmp_path / "out"
    driver = command_begun([make_bundle(), folder, "--out", out, "--ray", ray_head.address], out)
    driver.send_signal(signal.SIGTERM)
    _, told = driver.communicate(timeout=300)
    assert driver.returncode == 130
    assert " ".join(told.split()) == f"stopped; every part in {out} is whole; the same command goes on"
    scan()
    assert bytes_of(out) == local()
