"""Health of each part, and figures for Prometheus that are those of the ledger."""

import math
from collections import namedtuple
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.ledger.conftest import judged, sheet, verdict
from tests.service.api.conftest import jpeg, refused, send
from tests.service.api.test_lists import enter

from steelsight.errors import BadLedger
from steelsight.ledger.database.open import Ledger
from steelsight.ledger.writing.writer import open_writer
from steelsight.runtime.bundle.card import CertificationSheets
from steelsight.service.api import health
from steelsight.service.api.health import PartState

Usage = namedtuple("Usage", "total used free")


def parts(client, status=200):
    answer = client.get("/health/ready")
    assert answer.status_code == status
    body = answer.json()
    return body["status"], {name: part["state"] for name, part in body["parts"].items()}


def test_every_part_is_told(client):
    assert client.get("/health/live").json() == {"status": "ok"}
    status, states = parts(client)
    assert status == "ok"
    names = ("database", "lease", "engine", "disk", "queue", "deliveries", "releases")
    assert states == dict.fromkeys(names, "ok")


def test_a_ledger_that_is_away_is_told_and_refused(lite, lite_client, monkeypatch):
    def away(self):
        raise BadLedger("ledger postgresql://user@host: the database refused")

    monkeypatch.setattr(Ledger, "read", away)
    status, states = parts(lite_client, 503)
    assert (status, states["database"]) == ("down", "down")
    assert "host" not in lite_client.get("/health/ready").text
    error = refused(lite_client.get("/api/v1/sheets"), 503, "ledger_away")
    assert "host" not in error["message"]
    assert lite_client.get("/health/live").status_code == 200
    assert figures(lite_client)[("steelsight_ledger_up", ())] == 0
    monkeypatch.undo()
    assert parts(lite_client)[0] == "ok"
    assert figures(lite_client)[("steelsight_ledger_up", ())] == 1


def test_a_name_that_another_process_took_is_told(lite, lite_client):
    with open_writer(lite.ledger, "console", force=True):
        answer = send(lite_client, jpeg(), "?record=true")
        refused(answer, 503, "lease_lost")
        assert answer.headers["retry-after"]
        lite.console.trouble = "another process has the name"  # as the next renewal finds
        assert parts(lite_client, 503)[1]["lease"] == "down"


def test_a_disk_that_is_nearly_full_is_told_and_requests_are_answered(lite_client, monkeypatch):
    monkeypatch.setattr(health.shutil, "disk_usage", lambda place: Usage(1, 1, 1000))
    status, states = parts(lite_client)
    assert (status, states["disk"]) == ("degraded", "degraded")
    assert send(lite_client, jpeg()).status_code == 200


def test_a_station_that_is_down_leaves_the_service_ready(lite_client):
    lite_client.app.state.health.more["station"] = lambda: PartState("down", "ended with code 1")
    status, states = parts(lite_client)
    assert (status, states["station"]) == ("degraded", "down")


def test_deliveries_that_fail_or_do_not_run_are_told(sqlite_ledger, make_service, connect):
    client = connect(make_service(sqlite_ledger, deliver=False))
    client.app.state.delivery.failing = 2
    answer = client.get("/health/ready").json()
    assert answer["status"] == "degraded"
    assert answer["parts"]["deliveries"]["detail"] == "2 destinations accept nothing; what waits is kept"
    client = connect(make_service(sqlite_ledger))
    client.app.state.delivery.stop()
    assert "does not run" in client.get("/health/ready").json()["parts"]["deliveries"]["detail"]


def test_an_engine_that_ended_is_told(lite, lite_client):
    assert send(lite_client, jpeg()).status_code == 200
    (queue,) = lite_client.app.state.judges.queues.values()
    queue._decoded.put(None)
    queue._engine.join(30)
    assert parts(lite_client, 503)[1]["engine"] == "down"


def figures(client):
    """Every sample by its name and labels."""
    found = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            found[(sample.name, tuple(sorted(sample.labels.items())))] = sample.value
    return found


def test_sheets_of_every_writer_are_counted_once(service, client):
    enter(service, judged(0, 3))
    first = figures(client)  # what was there before the first look is not counted
    name = "steelsight_sheets_total"
    assert first[(name, (("state", "decided"),))] == 0
    entries = []
    for number in range(3, 10):
        seen = sheet(number)
        entries += [seen, verdict(seen, state="doubtful" if number % 2 else "decided", latency_ms=40.0)]
        entries.append(verdict(seen, mode="shadow", bundle="c" * 16))
    enter(service, entries)
    send(client, jpeg(), "?record=true")
    for _ in range(2):
        found = figures(client)
        decided = found[(name, (("state", "decided"),))]
        doubtful = found[(name, (("state", "doubtful"),))]
        unknown = found[(name, (("state", "unknown_input"),))]
        assert decided + doubtful + unknown == 8
        assert doubtful >= 4
        assert found[("steelsight_sheet_seconds_count", ())] == 8
        assert found[("steelsight_sheet_seconds_bucket", (("le", "0.025"),))] <= 1
        assert found[("steelsight_ledger_entries", (("writer", "line-1"),))] == 6 + 21
        assert 0 <= found[("steelsight_ledger_lag_seconds", (("writer", "line-1"),))] < 600


def test_drift_is_that_of_the_bundles_own_verdicts(lite, lite_client, packaged):
    card = packaged.bundle.card
    figures(lite_client)
    entries = []
    for number in range(60):
        seen = sheet(number)
        state = "decided" if number < 45 else "doubtful"
        entries += [
            seen,
            verdict(seen, "type 1", bundle=card.model_id, state=state, distance=1e6, probability=0.5),
        ]
    enter(lite, entries)
    found = figures(lite_client)
    bundle = ("bundle", card.model_id)
    assert found[("steelsight_abstention_ratio", (bundle,))] == 0.25
    assert found[("steelsight_drift", (bundle, ("property", "distance")))] == pytest.approx(1.0)
    assert found[("steelsight_drift", (bundle, ("property", "shares")))] > 0.25
    assert all(math.isfinite(value) for key, value in found.items() if key[0].startswith("steelsight_drift"))


def test_a_void_certificate_is_shown_and_stays(lite, lite_client, packaged, monkeypatch):
    """Two scrapes: verdicts far from all certification sheets, and then ordinary ones."""
    certified = CertificationSheets(sheets=200, ranks=(100,), confidence=(0.5,), distance=(5.0,))
    promised = {"threshold_by": "certificate", "threshold_statement": "at most .05", "threshold": 0.9}
    card = packaged.bundle.card.model_copy(update={"certification": certified, **promised})
    monkeypatch.setattr(packaged, "bundle", replace(packaged.bundle, card=card))
    name = ("steelsight_certificate_void", (("bundle", card.model_id),))
    figures(lite_client)
    shown = []
    for start, distance in ((0, 5.0), (70, 1e6), (300, 5.0)):
        entries = []
        for number in range(start, start + (70 if start == 0 else 200)):
            seen = sheet(number)
            confidence = 0.45 if number % 2 else 0.6
            values = {"probability": confidence, "distance": distance + confidence - 0.5}
            entries += [seen, verdict(seen, "type 1", bundle=card.model_id, **values)]
        enter(lite, entries)
        shown.append(figures(lite_client)[name])
    assert shown == [0, 1, 1]


def test_requests_are_counted_by_route_and_never_by_what_they_carry(lite_client):
    for number in range(5):
        lite_client.get(f"/api/v1/sheets/{number:032x}")
        lite_client.get(f"/nothing/{number}")
        lite_client.request(f"VERB{number}", "/health/live")
        lite_client.get(
            "/api/v1/coils", params={"cursor": f"x{number}"}, headers={"User-Agent": f"u{number}"}
        )
    found = figures(lite_client)
    name = "steelsight_requests_total"
    counted = {
        (labels["method"], labels["route"], labels["status"]): value
        for (sample, pairs), value in found.items()
        if sample == name and (labels := dict(pairs))
    }
    assert counted[("GET", "/api/v1/sheets/{sheet}", "404")] == 5
    assert counted[("GET", "none", "404")] == 5
    assert counted[("other", "/health/live", "405")] == 5
    assert counted[("GET", "/api/v1/coils", "422")] == 5
    assert len(counted) == 4


def test_the_queue_is_measured(lite, lite_client, packaged):
    send(lite_client, jpeg())
    found = figures(lite_client)
    assert found[("steelsight_queue_depth", (("bundle", packaged.bundle.card.model_id),))] == 0
    assert found[("steelsight_queue_limit", ())] == lite.settings.queue
