"""`steelsight line` ends at Ctrl-C and at SIGTERM with what it did, and gives up its place in the ledger."""

import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra [serve]")

from steelsight.ledger.database import schema
from steelsight.ledger.database.open import create_ledger
from steelsight.runtime.bundle.default import default_bundle


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_line_with_what_it_did(tmp_path, number):
    (tmp_path / "camera").mkdir()
    ledger = create_ledger(str(tmp_path / "ledger.db"))
    words = ["line", str(default_bundle()), str(tmp_path / "camera")]
    words += ["--ledger", str(tmp_path / "ledger.db"), "--station", "line-1", "--threads", "1"]
    program = "from steelsight.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        until = time.monotonic() + 60
        while not _has_writer(ledger):
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
        ledger.close()
    assert process.returncode == 0, errors
    assert "0 sheets judged" in output + errors
    assert "Traceback" not in errors


def _has_writer(ledger):
    with ledger.read() as connection:
        return bool(connection.execute(schema.writers.select()).all())
