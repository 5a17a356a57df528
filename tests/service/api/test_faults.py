"""What the machine cannot do now is told as 503 and written nowhere; unexpected errors keep the form."""

import pytest
from tests.service.api.conftest import jpeg, refused, send

from steelsight.errors import BadBundle, BadLedger, BadOutput
from steelsight.ledger.images.store import ImageStore
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
