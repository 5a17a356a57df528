"""What is told of a cluster that cannot be used, and where Ray listens."""

import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.cluster.processes import processes_of

from steelsight.errors import BadCluster

ray = pytest.importorskip("ray", reason="the extra [cluster] is not installed")

from steelsight.cluster import connect as connect_module  # noqa: E402
from steelsight.cluster.connect import connect  # noqa: E402


@pytest.mark.parametrize(
    "address", ["", "ray://host:10001", "host", "host:port", "host:1:2", "a b:1", "h:123456", "a..b:1"]
)
def test_an_address_of_another_form_is_refused(address):
    with pytest.raises(BadCluster, match=r"expected auto |no Ray cluster answers"), connect(address):
        pytest.fail("connected")


def test_a_port_where_nothing_listens_is_told_at_once():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with (
        pytest.raises(BadCluster, match=rf"127.0.0.1:{port}: no Ray cluster answers there"),
        connect(f"127.0.0.1:{port}"),
    ):
        pytest.fail("connected")


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.0 400 Bad request\r\n\r\n", b"\0\0"], ids=["none", "http", "short"]
)
def test_a_port_where_something_else_listens_is_told_soon(answer, monkeypatch):
    monkeypatch.setattr(connect_module, "ANSWER_S", 0.2)
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray tries without end"))
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        accepted = pool.submit(lambda: server.accept()[0])
        accepted.add_done_callback(lambda connection: connection.result().sendall(answer))
        with (
            pytest.raises(BadCluster, match=f"{address}: something listens there that is not Ray"),
            connect(address),
        ):
            pytest.fail("connected")
        accepted.result().close()


def test_a_head_whose_node_has_ended_or_that_wants_a_token_is_told(monkeypatch):
    def init(**options):
        raise ConnectionError("ray client connection timeout")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(connect_module, "_try_port", lambda address, name: ("10.0.0.1", 6379))
    monkeypatch.setattr(connect_module, "_is_on_loopback", lambda host, port: False)
    with (
        pytest.raises(BadCluster, match=r"the node there has ended .*`ray status`.*RAY_AUTH_MODE=token"),
        connect("10.0.0.1:6379"),
    ):
        pytest.fail("connected")


def test_auto_without_a_cluster_names_how_to_start_one(monkeypatch):
    def init(**options):
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(connect_module, "_find_auto", lambda: None)
    with (
        pytest.raises(BadCluster, match=r"start one with `ray start --head`, or use --ray local"),
        connect("auto"),
    ):
        pytest.fail("connected")


def test_auto_tries_the_port_of_a_cluster_that_has_ended(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray tries for half a minute"))
    with pytest.raises(BadCluster, match=f"^RAY_ADDRESS {address}: no Ray cluster"), connect("auto"):
        pytest.fail("connected")


@pytest.mark.parametrize("address", ["ray://host:10001", "host", "a b:1"])
def test_an_address_of_the_environment_has_the_same_form(address, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(BadCluster, match=r"^RAY_ADDRESS '.*': expected HOST:PORT"), connect("auto"):
        pytest.fail("connected")


def test_the_token_that_ray_makes_is_this_users_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    token = tmp_path / ".ray" / "auth_token"
    token.parent.mkdir()
    with connect_module._own_token():
        token.write_text("secret")
    assert token.stat().st_mode & 0o777 == 0o600
    token.chmod(0o640)  # as the user wants it
    with connect_module._own_token():
        pass
    assert token.stat().st_mode & 0o777 == 0o640


def test_the_token_of_a_ray_that_does_not_start_is_this_users_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    token = tmp_path / ".ray" / "auth_token"
    token.parent.mkdir()

    def init(**options):
        token.write_text("secret")
        token.chmod(0o644)
        raise RuntimeError("no memory")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(BadCluster, match=r"--ray local: .*no memory"), connect("local"):
        pytest.fail("connected")
    assert token.stat().st_mode & 0o777 == 0o600


def test_a_ray_that_does_not_start_in_time_is_told(monkeypatch):
    def init(**options):
        raise Exception("The current node timed out during startup.")  # noqa: TRY002 -- as Ray does

    monkeypatch.setattr(ray, "init", init)
    with (
        pytest.raises(BadCluster, match=r"--ray local: Ray did not start within its time; .* again"),
        connect("local"),
    ):
        pytest.fail("connected")


def test_another_ray_or_python_is_told(monkeypatch):
    def init(**options):
        raise RuntimeError(
            "Version mismatch: The cluster was started with:\n    Ray: 2.9.0\n    Python: 3.9.1\n"
            "This process on node 10.0.0.1 was started with:\n    Ray: 2.60.0\n    Python: 3.11.7\n"
        )

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(connect_module, "_find_auto", lambda: None)
    expected = (
        rf"a cluster of Ray {ray.__version__} with Python .*, got Ray 2\.9\.0 with Python 3\.9\.1; install"
    )
    with pytest.raises(BadCluster, match=expected), connect("auto"):
        pytest.fail("connected")


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads /proc")
def test_a_local_ray_listens_on_the_loopback_interface_alone():
    # In a process of its own: one that had a local Ray cannot use the cluster of the other tests any more.
    code = "from tests.cluster.test_connect import listen_on_loopback; listen_on_loopback()"
    path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr


def listen_on_loopback():
    with connect("local"):
        assert ray.util.get_node_ip_address() == "127.0.0.1"
        listening = sockets_of([*processes_of([ray._private.worker._global_node]), os.getpid()])
        assert listening
        assert listening <= {"0100007F", "0" * 16 + "FFFF00000100007F", "0" * 24 + "01000000"}
        with pytest.raises(BadCluster, match="connected to a cluster already"), connect("local"):
            pytest.fail("connected twice")
    assert not ray.is_initialized()


def sockets_of(numbers):
    """Addresses, in the form of /proc/net/tcp, on which some processes listen."""
    inodes = set()
    for number in numbers:
        for handle in Path(f"/proc/{number}/fd").glob("*"):
            try:
                inodes.add(str(handle.readlink()))
            except OSError:
                continue  # closed meanwhile
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                found.add(fields[1].partition(":")[0])
    return found


def test_nothing_of_ray_is_imported_without_the_option(tmp_path):
    code = (
        "import sys; from steelsight.cli import main\n"
        "try: main()\n"
        "finally: assert not [name for name in sys.modules if name.partition('.')[0] == 'ray']"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, "scan", "fast", str(tmp_path), "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 2, told.stderr
    assert "expected at least one image" in " ".join(told.stderr.split())


@pytest.mark.parametrize(
    ("end", "told"), [("os._exit(1)", True), ("os.kill(os.getpid(), 9)", True), ("pass", False)]
)
def test_a_sudden_end_is_told_on_stderr(end, told):
    code = (
        "import os; from steelsight.cluster.exit_notice import notice_of_sudden_exit\n"
        f"with notice_of_sudden_exit(): {end}"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ("and the same command goes on" in ended.stderr) is told
    assert ended.stdout == ""
