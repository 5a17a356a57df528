"""`steelsight line`: the whole way from files to verdicts in the ledger."""

import io
import json
import sys
import tarfile
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra [serve]")

from tests.service.conftest import draw_sheet
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.ledger.database import schema
from steelsight.ledger.database.open import opened

BUNDLE = Path(__file__).parents[3] / "src" / "steelsight" / "runtime" / "bundles" / "fast"


def call(*line, code=0, **extra):
    done = CliRunner().invoke(app, [*map(str, line)], **extra)
    assert done.exit_code == code, done.output
    return done


@pytest.fixture
def ledger(tmp_path):
    call("ledger", "init", tmp_path / "ledger.db")
    return tmp_path / "ledger.db"


def sheets(ledger):
    with opened(str(ledger)) as found, found.read() as connection:
        return connection.execute(schema.sheets.select()).mappings().all()


def test_a_folder_is_judged_once(ledger, tmp_path):
    for number in range(4):
        draw_sheet(tmp_path / "camera" / f"C1_{number}.5_top.jpg", number)
    (tmp_path / "key").write_bytes(b"0123456789abcdef")
    line = ("line", BUNDLE, tmp_path / "camera", "--ledger", ledger, "--station", "line-1", "--idle", "0.3")
    line += ("--pattern", "{coil}_{position_m}_{side}.jpg", "--images", tmp_path / "images", "--json")
    line += ("--spool", tmp_path / "spool", "--audit", "1", "--audit-key", tmp_path / "key")
    first, second = (json.loads(call(*line).stdout.splitlines()[-1]) for _ in range(2))
    assert (first["sheets"], first["known"], first["written"]) == (4, 0, 4)
    assert (second["sheets"], second["known"], second["written"]) == (0, 4, 0)
    assert sorted(row["position_m"] for row in sheets(ledger)) == [0.5, 1.5, 2.5, 3.5]
    call("ledger", "verify", ledger)


def test_a_tar_stream_is_judged(ledger, tmp_path, monkeypatch):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.add(draw_sheet(tmp_path / "a.jpg", 1), "a.jpg")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stream.getvalue())))
    call("line", BUNDLE, "-", "--ledger", ledger, "--station", "line-1", input=stream.getvalue())
    assert [row["item"] for row in sheets(ledger)] == ["a.jpg#0"]


def test_an_audit_needs_a_key(ledger, tmp_path):
    line = ("line", BUNDLE, tmp_path, "--ledger", ledger, "--station", "line-1", "--audit", ".1")
    assert "expected --audit-key with it" in call(*line, code=2).stderr
    assert "none: cannot be read" in call(*line, "--audit-key", tmp_path / "none", code=2).stderr


def test_a_missing_ledger_is_told(tmp_path):
    (tmp_path / "camera").mkdir()
    line = ("line", BUNDLE, tmp_path / "camera", "--ledger", tmp_path / "none.db", "--station", "line-1")
    done = call(*line, code=2)
    assert "make one with `steelsight ledger init" in " ".join(done.stderr.split())
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("http://", "expected http://HOST:PORT and nothing else"),
        ("http://127.0.0.1", "expected http://HOST:PORT and nothing else"),
        ("http://127.0.0.1:5/sheets", "expected http://HOST:PORT and nothing else"),
        ("http://127.0.0.1:99999", "expected http://HOST:PORT (Port out of range"),
        ("http://0.0.0.0:0", "expected a token, since others than this machine reach it; give --http-token"),
        ("http://192.0.2.1:0", "expected a token"),
    ],
)
def test_an_address_that_cannot_be_listened_at_is_told(ledger, source, message):
    done = call("line", BUNDLE, source, "--ledger", ledger, "--station", "line-1", code=2)
    assert message in done.stderr


def test_sheets_by_http_end_after_idle_seconds(ledger, tmp_path):
    (tmp_path / "token").write_text("0123456789abcdef\n")
    line = ("line", BUNDLE, "http://127.0.0.1:0", "--ledger", ledger, "--station", "line-1", "--idle", "0.1")
    done = call(*line, "--http-token", tmp_path / "token", "--json")
    assert "listening at http://127.0.0.1:0 for POST /v1/sheets?item=NAME" in done.output
    assert json.loads(done.stdout.splitlines()[-1])["sheets"] == 0
    assert "cannot be read as a token" in call(*line, "--http-token", tmp_path / "none", code=2).stderr


def test_a_calibration_is_on_record(ledger, tmp_path):
    draw_sheet(tmp_path / "camera" / "a.jpg", 1)
    line = ("line", BUNDLE, tmp_path / "camera", "--ledger", ledger, "--station", "line-1", "--idle", "0.1")
    path = tmp_path / "camera.toml"
    path.write_text("version = 1\nmm_per_px_along = 0.25\n")
    told = call(*line, "--calibration", path, code=2).stderr
    assert "camera.toml: mm_per_px_across: expected a number of millimetres per pixel, got none" in told
    path.write_text("version = 1\nmm_per_px_along = 0.25\nmm_per_px_across = 0.5\n")
    call(*line, "--calibration", path)
    with opened(str(ledger)) as found, found.read() as connection:
        names = [row.name for row in connection.execute(schema.events.select())]
    assert sorted(names) == ["bundle", "calibration"]
