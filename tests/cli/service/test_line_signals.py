"""`steelsight line` ends at Ctrl-C and at SIGTERM with what it did, and gives up its place in the ledger."""

import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra [serve]")

from tests.service.conftest import draw_sheet

from steelsight.ledger.database import schema
from steelsight.ledger.database.open import create_ledger
from steelsight.runtime.bundle.default import default_bundle


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_line_with_what_it_did(tmp_path, number):
    draw_sheet(tmp_path / "camera" / "a.jpg", 1)
    ledger = create_ledger(str(tmp_path / "ledger.db"))
    words = ["line", str(default_bundle()), str(tmp_path / "camera")]
    words += ["--ledger", str(tmp_path / "ledger.db"), "--station", "line-1", "--threads", "1"]
    program = "from steelsight.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_sigint,
    )
    try:
        until = time.monotonic() + 60
        while not _has_sheet(ledger):
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
        ledger.close()
    assert process.returncode == 0, errors
    assert "1 sheet judged" in output + errors
    assert "Traceback" not in errors


def _heed_sigint():
    """Tests that a shell started in the background ignore it, and so would their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _has_sheet(ledger):
    with ledger.read() as connection:
        return bool(connection.execute(schema.sheets.select()).all())
