"""`steelsight console`: one command, and the pages show a coil that runs."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

pytest.importorskip("fastapi", reason="needs the extra [serve]")
pytest.importorskip("scipy", reason="needs the extra [synth]")

PROGRAM = "from steelsight.cli import main; main()"


def read(address):
    with urllib.request.urlopen(address, timeout=60) as answer:
        return answer.read().decode()


@pytest.mark.skipif(sys.platform == "win32", reason="ended by SIGTERM")
def test_with_login_a_link_for_the_administrator_is_printed_and_pages_ask_for_it(tmp_path):
    told = tmp_path / "out.txt"
    words = ["console", "--out", str(tmp_path / "demo"), "--port", "0", "--rate", "1", "--login"]
    with told.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words], stdout=out, stderr=subprocess.STDOUT
        )
    try:
        until = time.monotonic() + 180
        while not (
            link := re.search(r"first login, once: (http://127\.0\.0\.1:\d+)(/\S+)", told.read_text())
        ):
            assert time.monotonic() < until, told.read_text()
            assert process.poll() is None, told.read_text()
            time.sleep(0.2)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            read(f"{link[1]}/api/v1/sheets")
        assert "<form" in read(link[1] + link[2])
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="ended by SIGTERM")
def test_the_coil_runs_until_a_signal_ends_it(tmp_path):
    words = ["console", "--out", str(tmp_path / "demo"), "--port", "0", "--rate", "10"]
    with (tmp_path / "out.txt").open("w") as told:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words], stdout=told, stderr=subprocess.STDOUT
        )
    try:
        address, sheets = None, []
        until = time.monotonic() + 180
        while len(sheets) < 3:
            assert time.monotonic() < until, (tmp_path / "out.txt").read_text()
            assert process.poll() is None, (tmp_path / "out.txt").read_text()
            time.sleep(0.2)
            found = re.search(r"http://127\.0\.0\.1:\d+", (tmp_path / "out.txt").read_text())
            if found:
                address = found[0]
                sheets = json.loads(read(f"{address}/api/v1/sheets?limit=10"))["items"]
        assert all(re.fullmatch(r"G\d{4}-\d{6}-0001", sheet["coil"]) for sheet in sheets)
        assert "Steelsight" in read(f"{address}/line")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert (tmp_path / "out.txt").read_text().rstrip().endswith("ended")
