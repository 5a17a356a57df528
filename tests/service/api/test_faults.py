"""What the machine cannot do now is told as 503 and written nowhere; unexpected errors keep the form."""

import tempfile
from pathlib import Path

import pytest
from tests.databases import Cluster, postgresql_binaries
from tests.service.api.conftest import jpeg, refused, send
from tests.service.test_console import wait_for

from steelsight.errors import BadBundle, BadLedger, BadOutput
from steelsight.ledger.database.open import create_ledger
from steelsight.ledger.images.store import ImageStore
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.writing.writer import Writer
from steelsight.runtime.engine.inspector import Inspector


@pytest.mark.parametrize(
    ("owner", "method", "error", "status", "code"),
    [
        (ImageStore, "put", BadOutput("no space left on /secret/place"), 503, "store_away"),
        (Writer, "append_within", BadLedger("database or disk is full"), 503, "ledger_away"),
        (Inspector, "inspect_decoded", BadBundle("model.onnx: refused"), 503, "bundle_broken"),
        (Inspector, "inspect_decoded", MemoryError(), 503, "out_of_memory"),
        (Inspector, "inspect_decoded", RuntimeError("secret words"), 500, "unexpected"),
    ],
)
def test_a_fault_is_told_and_nothing_is_written(lite_client, monkeypatch, owner, method, error, status, code):
    def fail(*_, **__):
        raise error

    assert send(lite_client, jpeg()).status_code == 200
    with monkeypatch.context() as broken:
        broken.setattr(owner, method, fail)
        answer = send(lite_client, jpeg(), "?record=true&item=a")
        refused(answer, status, code)
        assert "secret" not in answer.text
    assert lite_client.get("/api/v1/sheets").json()["items"] == []
    assert send(lite_client, jpeg(), "?record=true&item=a").status_code == 200


@pytest.mark.skipif(postgresql_binaries() is None, reason="PostgreSQL is not installed (Debian: postgresql)")
def test_a_database_that_stops_is_told_and_everything_goes_on_when_it_is_back(make_service, connect):
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        cluster = Cluster(postgresql_binaries(), Path(folder))
        ledger = create_ledger(cluster.create("away"))
        try:
            stop_and_start(cluster, make_service(ledger), connect)
            assert verify(ledger).clean
        finally:
            ledger.close()
            cluster.stop()


def stop_and_start(cluster, service, connect):
    client = connect(service)
    key = {"Idempotency-Key": "k"}
    assert send(client, jpeg(), "?record=true&item=1").status_code == 200
    cluster.stop()
    refused(send(client, jpeg(), "?record=true&item=2", **key), 503, "ledger_away")
    refused(client.get("/api/v1/sheets"), 503, "ledger_away")
    assert client.get("/health/ready").status_code == 503
    assert "steelsight_ledger_up 0.0" in client.get("/metrics").text
    assert send(client, jpeg()).status_code == 200  # what needs no ledger is answered
    wait_for(lambda: service.console.trouble is not None)
    cluster.start()
    wait_for(lambda: client.get("/health/ready").json()["status"] == "ok")
    assert send(client, jpeg(), "?record=true&item=2", **key).status_code == 200
    assert send(client, jpeg(), "?record=true&item=2", **key).status_code == 200
    assert len(client.get("/api/v1/sheets").json()["items"]) == 2
    service.console.close()
