"""`steelsight serve` as a process: it needs nothing else, keeps its station alive, ends within seconds."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

pytest.importorskip("fastapi", reason="needs the extra [serve]")

import typer
from tests.service.api.conftest import jpeg
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.ledger.database.open import create_ledger, opened
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.writing.writer import open_writer
from steelsight.service.serving import station
from steelsight.service.serving.station import StationProcess, line_words
from steelsight.service.settings.load import Settings

PATIENCE_S = 60.0  # of a busy machine


def wait_for(condition, what):
    for _ in range(int(PATIENCE_S / 0.05)):
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE_S:.0f} s for {what}")


class Served:
    """A running service, and what it printed."""

    def __init__(self, process, log):
        self.process = process
        self.log = log
        line = wait_for(lambda: self.lines("Steelsight on "), "the service")[0]
        self.address = line.split()[2].rstrip(";")

    def lines(self, words):
        assert self.process.poll() is None, self.log.read_text()
        return [line for line in self.log.read_text().splitlines() if words in line]

    def get(self, path):
        return httpx.get(self.address + path, timeout=PATIENCE_S)

    def end(self, number=signal.SIGTERM):
        """The exit code, and the text."""
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_S), self.log.read_text()


@contextmanager
def serve(folder, *words):
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "from steelsight.cli import main; main()", "serve", "--port", "0", *words],
            cwd=folder,
            stdout=output,
            stderr=output,
            env={**os.environ, "COLUMNS": "300"},
        )
    try:
        yield Served(process, log)
    finally:
        process.kill()
        process.wait()


def children(parent):
    """Process ids of the children of a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


@pytest.fixture
def camera(tmp_path):
    folder = tmp_path / "camera"
    folder.mkdir()
    return folder


def test_one_command_judges_a_folder_and_answers(tmp_path, camera):
    with serve(tmp_path, "--watch", str(camera), "--open") as served:
        (camera / "a.jpg").write_bytes(jpeg())
        rows = wait_for(lambda: served.get("/api/v1/verdicts").json()["items"], "a verdict of the station")
        assert [row["station"] for row in rows] == ["line-1"]
        assert served.get(f"/api/v1/sheets/{rows[0]['sheet']}/image").content == jpeg()
        ready = served.get("/health/ready").json()
        assert (ready["status"], ready["parts"]["station"]["state"]) == ("ok", "ok")
        assert "steelsight_sheets_total" in served.get("/metrics").text
        code, text = served.end()
    assert code == 0, text
    assert "ended; " in text
    assert "1 sheet judged" in text
    with opened(str(tmp_path / "steelsight.db")) as ledger:
        assert verify(ledger).clean


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_station_that_is_killed_starts_again_and_ends_with_its_service(tmp_path, camera):
    with serve(tmp_path, "--watch", str(camera), "--open") as served:
        (camera / "a.jpg").write_bytes(jpeg())
        wait_for(lambda: served.get("/api/v1/verdicts").json()["items"], "the first verdict")
        (first,) = children(served.process.pid)
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: served.lines("the station ended with code -9"), "the report")
        (camera / "b.jpg").write_bytes(jpeg(1))
        wait_for(lambda: len(served.get("/api/v1/verdicts").json()["items"]) == 2, "the second verdict")
        assert served.get("/health/ready").json()["parts"]["station"]["state"] == "ok"
        (second,) = children(served.process.pid)
        assert second != first
        served.process.kill()
        served.process.wait()
        wait_for(lambda: not Path(f"/proc/{second}").exists() or is_zombie(second), "the station's end")


def is_zombie(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_first_login_is_offered_and_nothing_is_anonymous(tmp_path):
    with serve(tmp_path) as served:
        line = wait_for(lambda: served.lines("first login, once: "), "the link")[0]
        link = line.partition("once: ")[2].strip()
        assert link.startswith(served.address)
        assert served.get("/health/live").status_code == 200
        for path in ("/api/v1/sheets", "/metrics", "/api/v1/openapi.json", "/api/v1/bundles"):
            assert served.get(path).status_code == 401
        given = {"link": link.rpartition("=")[2], "password": "four words are better"}
        headers = {"Sec-Fetch-Site": "same-origin"}
        with httpx.Client(base_url=served.address, headers=headers, timeout=PATIENCE_S) as client:
            assert client.post("/api/v1/links/redeem", json=given).status_code == 200
            assert client.get("/api/v1/sheets").status_code == 200
        code, text = served.end(signal.SIGINT)
    assert code == 0, text
    with serve(tmp_path) as served:  # an administrator can log in: no link is offered again
        wait_for(lambda: served.get("/health/live").status_code == 200, "the service")
        assert not served.lines("first login")


def test_an_open_stream_does_not_keep_the_service_from_ending(tmp_path):
    with serve(tmp_path, "--open") as served:
        with httpx.stream("GET", f"{served.address}/api/v1/events/stream", timeout=PATIENCE_S) as stream:
            assert next(stream.iter_lines())
            code, text = served.end()
        assert code == 0, text
        assert "ERROR" not in text


def refuse(*words):
    """The message of a command that ends with exit code 2."""
    done = CliRunner().invoke(app, ["serve", "--port", "0", *map(str, words)])
    assert done.exit_code == 2, done.output
    return done.output


def test_open_is_refused_on_a_network_in_words(tmp_path):
    text = refuse("--open", "--host", "0.0.0.0", "--ledger", tmp_path / "a.db")
    assert "--open: admits everybody without login, so it needs a loopback address" in text
    assert not (tmp_path / "a.db").exists()


def test_what_cannot_be_used_is_refused_before_anything_listens(tmp_path):
    other = tmp_path / "other.db"
    other.write_bytes(b"no database at all, but words")
    assert "other.db" in refuse("--ledger", other)
    assert "--set 'x'" in refuse("--set", "x")
    assert "unknown setting 'colour'" in refuse("--set", "colour=red")
    assert "nothing.toml" in refuse("--config", tmp_path / "nothing.toml")
    assert "expected a folder" in refuse("--watch", tmp_path / "nothing")
    assert "card.json: cannot be read" in refuse("--bundle", tmp_path, "--ledger", tmp_path / "a.db")
    assert not (tmp_path / "a.db").exists()


def test_a_port_in_use_is_told(tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        text = refuse("--port", taken.getsockname()[1], "--ledger", tmp_path / "a.db")
    assert "cannot listen there" in text
    assert "choose another --port" in " ".join(text.split())


def test_a_second_service_on_one_ledger_is_told(tmp_path):
    address = tmp_path / "a.db"
    ledger = create_ledger(str(address))
    with open_writer(ledger, "console"):
        done = CliRunner().invoke(app, ["serve", "--port", "0", "--ledger", str(address)])
    ledger.close()
    assert done.exit_code == 1
    assert "writes as 'console'" in " ".join(done.output.split())


def test_a_database_of_another_program_is_left_as_it_is(tmp_path):
    import sqlite3

    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE orders (id INTEGER)")
    other.close()
    assert "expected a ledger, found the table orders of something else" in refuse("--ledger", path)
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("orders",)]
    other.close()


def test_the_words_of_a_station_follow_from_the_settings(tmp_path):
    settings = Settings(
        ledger="postgresql://a:secret@b/c",
        bundle=tmp_path,
        watch=tmp_path,
        images="i",
        pattern="{coil}.jpg",
        sidecar_wait=1.5,
        calibration=Path("c.toml"),
        audit=0.25,
        audit_key=Path("k"),
        shadow=Path("s"),
    )
    words = line_words(settings)
    assert words[:3] == ["line", str(tmp_path), str(tmp_path)]
    given = dict(zip(words[3::2], words[4::2], strict=True))
    assert given == {
        "--ledger": "postgresql://a:secret@b/c",
        "--station": "line-1",
        "--engine": "openvino",
        "--images": "i",
        "--pattern": "{coil}.jpg",
        "--sidecar-wait": "1.5",
        "--calibration": "c.toml",
        "--audit": "0.25",
        "--audit-key": "k",
        "--shadow": "s",
    }
    known = {flag for option in typer.main.get_command(app).commands["line"].params for flag in option.opts}
    assert set(given) <= known


def test_what_a_station_cannot_start_with_is_refused(tmp_path, camera):
    bad = tmp_path / "bad.toml"
    bad.write_text("version = 1\nmm_per_px_along = -1.0\nmm_per_px_across = 0.5\n")
    words = ("--watch", camera, "--ledger", tmp_path / "a.db")
    assert "mm_per_px_along" in refuse(*words, "--calibration", bad)
    assert "cannot be read" in refuse(*words, "--calibration", tmp_path / "none.toml")
    assert "--pattern" in refuse(*words, "--pattern", "{colour}.jpg")
    assert "expected audit_key" in refuse(*words, "--set", "audit=0.5")
    assert "--sidecar-wait" in refuse(*words, "--sidecar-wait", "61")
    assert not (tmp_path / "a.db").exists()


def test_the_station_of_a_service_has_its_calibration(tmp_path, camera):
    (tmp_path / "c.toml").write_text("version = 1\nmm_per_px_along = 0.25\nmm_per_px_across = 0.5\n")
    words = ("--watch", camera, "--calibration", "c.toml", "--sidecar-wait", "30", "--open")
    with serve(tmp_path, *map(str, words)) as served:
        path = "/api/v1/events?name=calibration"
        events = wait_for(lambda: served.get(path).json()["items"], "the calibration on record")
        assert events[0]["details"]["mm_per_px_along"] == 0.25
        (camera / "a.jpg").write_bytes(jpeg())
        (camera / "a.json").write_text('{"coil": "C1", "position_m": 2.5}')
        rows = wait_for(lambda: served.get("/api/v1/sheets").json()["items"], "the sheet")
        assert (rows[0]["coil"], rows[0]["position_m"]) == ("C1", 2.5)
        assert served.get("/api/v1/coils/C1/defects").status_code == 200


def test_a_process_ends_without_a_search_for_cycles():
    """The search takes a second and more where many modules are loaded."""
    program = (
        "import atexit, gc; atexit.register(lambda: print('frozen', gc.get_freeze_count() > 1000)); "
        "from steelsight.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program, "--version"], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "frozen True"


def test_a_station_that_ignores_signals_is_killed(tmp_path, monkeypatch):
    ready = tmp_path / "ready"
    program = (
        "import signal, time, pathlib; "
        "[signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)]; "
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(600)"
    )
    monkeypatch.setattr(station, "PROGRAM", program)
    monkeypatch.setattr(station, "END_S", 0.3)
    process = StationProcess(["line"], lambda _: None)
    process.stop()  # before it has started
    others = set(children(os.getpid()))  # of earlier tests, such as a server
    process = StationProcess(["line"], lambda _: None)
    process.start()
    wait_for(ready.exists, "the child")
    (child,) = set(children(os.getpid())) - others
    process.begin_stop()
    wait_for(lambda: is_zombie(child), "its end")
    process.stop()
    assert process.restarts == 0


def test_a_station_that_cannot_start_is_tried_again_after_longer_and_longer_waits(tmp_path, monkeypatch):
    monkeypatch.setattr(station, "PROGRAM", "raise SystemExit(7)")
    said = []
    process = StationProcess(["line"], said.append, first_wait_s=0.05)
    process.start()
    wait_for(lambda: len(said) >= 4, "four attempts")
    assert process.state().state == "down"
    assert "code 7" in process.state().detail
    process.stop()
    assert process.restarts >= 3
    assert process._wait_s >= 0.05 * 2**3


def test_a_station_for_which_there_is_no_process_is_tried_again(monkeypatch):
    def fail(*_arguments, **_options):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(station.subprocess, "Popen", fail)
    said = []
    process = StationProcess(["line"], said.append, first_wait_s=0.05)
    process.start()
    wait_for(lambda: len(said) >= 2, "two attempts")
    assert process.state().state == "down"
    assert "could not be started (Cannot allocate memory)" in process.state().detail
    process.stop()


def test_a_stations_address_is_not_on_its_command_line(tmp_path, monkeypatch):
    out = tmp_path / "argv.json"
    program = (
        "import json, os, sys; "
        f"json.dump([sys.argv, os.environ['STEELSIGHT_STATION']], open({str(out)!r}, 'w'))"
    )
    monkeypatch.setattr(station, "PROGRAM", program)
    process = StationProcess(["line", "--ledger", "postgresql://a:secret@b/c"], lambda _: None)
    process.start()
    wait_for(lambda: out.exists() and out.read_text().endswith("]"), "the child")
    process.stop()
    words, variable = json.loads(out.read_text())
    assert "secret" not in " ".join(words)
    assert json.loads(variable) == [os.getpid(), ["line", "--ledger", "postgresql://a:secret@b/c"]]


def test_a_station_starts_again_at_once_with_the_words_of_now(tmp_path, monkeypatch):
    """As after a promotion: its new process has the bundle that judges from then on."""
    out = tmp_path / "words"
    program = (
        "import json, os, pathlib, time; "
        f"file = open({str(out)!r}, 'a'); "
        "file.write(json.loads(os.environ['STEELSIGHT_STATION'])[1][0] + ' '); file.close(); time.sleep(600)"
    )
    monkeypatch.setattr(station, "PROGRAM", program)
    words = ["first"]
    process = StationProcess(lambda: words, lambda _: None)
    process.start()
    wait_for(lambda: out.exists() and out.read_text() == "first ", "the first process")
    words = ["second"]
    process.restart()
    wait_for(lambda: out.read_text() == "first second ", "the second process")
    assert process.restarts == 0
    assert process.state().state == "ok"
    process.stop()
