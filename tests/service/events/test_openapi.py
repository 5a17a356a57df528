"""Requests generated from the OpenAPI document of destinations and streams, by a caller who may do all."""

from urllib.parse import urlsplit

import httpx
import pytest

pytest.importorskip("schemathesis")

from tests.service.api.test_openapi import pytestmark as warnings_of_schemathesis
from tests.service.api.test_openapi import run_cases
from tests.service.events.conftest import build, serving

from steelsight.service.access import guard
from steelsight.service.access.roles import PERMISSIONS, Role

pytestmark = [warnings_of_schemathesis]


@pytest.fixture
def url(ledger, make_parts, monkeypatch):
    """A server that takes everybody for an administrator, and delivers nothing."""
    monkeypatch.setattr(guard, "OPEN_ROLE", Role.ADMIN)
    app = build(make_parts(ledger, open=True, deliver=False, delivery_timeout_s=0.2))
    with serving(app) as address:
        yield app, address


def test_generated_requests_are_answered_as_described(url):
    app, address = url
    assert PERMISSIONS[Role.ADMIN]
    assert run_cases(app, urlsplit(address).port, 160) >= 100


@pytest.mark.parametrize(
    "identity", ["x", "0" * 16, "a%00b", "%F0%9F%98%80", "..%2fx", "a" * 5000, "%ff", "a%0d%0ab"]
)
def test_an_id_that_is_none_is_not_found(url, identity):
    _, address = url
    for call in ("GET", "DELETE"):
        answer = httpx.request(call, f"{address}/api/v1/destinations/{identity}")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"
