"""A small identity provider, a service that trusts it, and browsers between them."""

from urllib.parse import urlsplit

import httpx
import pytest
from tests.service.access.conftest import make_parts
from tests.service.access.oidc.identity_provider import CLIENT, SECRET, IdentityProvider

__all__ = ["make_parts"]


@pytest.fixture
def provider():
    running = IdentityProvider()
    yield running
    running.close()


@pytest.fixture
def make_service(sqlite_ledger, make_parts, provider):
    def call(attempts=20, **oidc):
        settings = {
            "issuer": provider.issuer,
            "client_id": CLIENT,
            "client_secret": SECRET,
            "roles": {"admins": "admin", "inspectors": "operator"},
            **oidc,
        }
        return make_parts(sqlite_ledger, oidc=settings, address_attempts=attempts)

    return call


def begin(http):
    """Send the browser to the provider; returns where it is sent back to."""
    there = http.get("/api/v1/oidc/login", follow_redirects=False)
    assert there.status_code == 303, there.text
    back = httpx.get(there.headers["location"], follow_redirects=False)
    parts = urlsplit(back.headers["location"])
    return f"{parts.path}?{parts.query}"


def finish(http, back):
    return http.get(back, follow_redirects=False)


def log_in(http):
    return finish(http, begin(http))
