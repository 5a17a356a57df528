"""Serving in Python: settings are those of the verb; what cannot be opened is told before anything starts."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("fastapi", reason="needs the extra [serve]")
pytest.importorskip("scipy", reason="needs the extra [synth]")

from steelsight.api.plant import serving
from steelsight.errors import BadBundle, BadInput
from steelsight.service.serving.run import ServiceSummary


def test_settings_come_before_those_of_the_file(tmp_path, monkeypatch):
    seen = []

    def run(settings, report):
        seen.append(settings)
        report("listening")
        return ServiceSummary("http://127.0.0.1:1", 7, 0)

    monkeypatch.setattr("steelsight.service.serving.run.serve", run)
    config = tmp_path / "serve.toml"
    config.write_text('port = 9\nwriter = "other"\n')
    told: list[str] = []
    done = serving.serve({"port": 0, "bundle": None}, config=config, report=told.append)
    assert (done.requests, told) == (7, ["listening"])
    (settings,) = seen
    assert (settings.port, settings.writer, settings.bundle) == (0, "other", None)
    with pytest.raises(BadInput, match="prot"):
        serving.serve({"prot": 0})


def test_a_live_coil_is_drawn_while_the_service_runs(tmp_path, monkeypatch):
    arrived = []

    def run(settings, report):
        assert (settings.open, settings.watch) == (True, tmp_path / "demo" / "incoming")
        until = time.monotonic() + 120
        while not arrived:
            assert time.monotonic() < until, "no sheet was drawn"
            time.sleep(0.05)
            arrived.extend(settings.watch.glob("*_top.jpg"))
        return ServiceSummary("http://127.0.0.1:1", 0, 0)

    monkeypatch.setattr("steelsight.service.serving.run.serve", run)
    told: list[str] = []
    serving.serve_live_coil(tmp_path / "demo", rate=20.0, port=0, report=told.append)
    assert arrived
    assert "--login prints a link" in told[0]


def test_a_bundle_that_cannot_be_used_is_told_before_anything_is_written(tmp_path):
    with pytest.raises(BadBundle):
        serving.serve_live_coil(tmp_path / "demo", bundle=tmp_path / "none")
    assert not (tmp_path / "demo").exists()
