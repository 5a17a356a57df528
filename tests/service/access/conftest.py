"""An app with accounts on a ledger in SQLite or PostgreSQL, and clients of it."""

from typing import Annotated

import pytest

pytest.importorskip("fastapi", reason="needs the extra [serve]")

from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from steelsight.ledger.database.accounts import sessions
from steelsight.ledger.database.schema import events
from steelsight.ledger.writing.writer import now_us
from steelsight.service.access.accounts import NewAccount, add_account
from steelsight.service.access.guard import needs
from steelsight.service.access.login import set_password
from steelsight.service.access.passwords import hasher_of
from steelsight.service.access.roles import Caller, Permission, Role
from steelsight.service.access.routes import pages_router, router
from steelsight.service.access.sessions import Visitor, start_session
from steelsight.service.access.tokens import create_token
from steelsight.service.api.errors import add_error_handlers
from steelsight.service.bundles import Bundles
from steelsight.service.console import SharedWriter
from steelsight.service.context import Service
from steelsight.service.settings.load import Settings

FAST = {"argon2_passes": 1, "argon2_memory_kib": 8, "argon2_lanes": 1}  # hashes of a test need no strength


@pytest.fixture
def make_parts():
    made = []

    def call(ledger, **settings):
        writer = SharedWriter(ledger, f"console{len(made)}")
        bundles = Bundles.__new__(Bundles)  # not opened: nothing here looks at them
        made.append(Service(ledger, writer, None, bundles, Settings(**{**FAST, **settings})))
        return made[-1]

    yield call
    for each in made:
        each.console.close()


@pytest.fixture
def stopped_clock(monkeypatch):
    """No time passes between logins, however slow the machine is."""
    now = now_us()
    monkeypatch.setattr("steelsight.service.access.login.now_us", lambda: now)


@pytest.fixture
def parts(ledger, make_parts):
    """On each kind of database."""
    return make_parts(ledger)


@pytest.fixture
def lite(sqlite_ledger, make_parts):
    """On SQLite alone, where the database does not matter."""
    return make_parts(sqlite_ledger)


def build(parts) -> FastAPI:
    app = FastAPI()
    app.state.service = parts
    add_error_handlers(app)
    app.include_router(router, prefix="/api/v1")
    app.include_router(pages_router)
    for permission in Permission:

        @app.api_route(f"/{permission}", methods=["GET", "POST"])
        def answer(caller: Annotated[Caller, Depends(needs(permission))]) -> dict[str, str | None]:
            return {"person": caller.person, "name": caller.name, "token": caller.token}

    return app


def client(parts, base="http://127.0.0.1:8080", **options) -> TestClient:
    return TestClient(build(parts), base_url=base, raise_server_exceptions=False, **options)


SAME = {"sec-fetch-site": "same-origin"}
PASSWORD = "oil on the third stand"
OTHER = "water on the fourth stand"
API = "/api/v1"
HTTPS = "https://steel.example"


def log_in(http, login="anna", password=PASSWORD, **headers):
    body = {"login": login, "password": password}
    return http.post(f"{API}/login", json=body, headers={**SAME, **headers})


def code(answer):
    return answer.json()["error"]["code"]


def event_names(parts):
    """Names of all events, in the order of their numbers."""
    with parts.ledger.read() as connection:
        return list(connection.execute(select(events.c.name).order_by(events.c.seq)).scalars())


def user(parts, login="anna", role=Role.OPERATOR, password=None, address=""):
    """A new account; returns the person."""
    with parts.console.transaction() as (connection, writer):
        person = add_account(connection, writer, NewAccount(login, role, address=address), by=None).person
        if password is not None:
            set_password(connection, writer, person, hasher_of(parts.settings).hash(password), by=None)
    return person


def session_of(parts, role, login="somebody"):
    """The person and the session's secret of a new account."""
    with parts.console.transaction() as (connection, writer):
        account = add_account(connection, writer, NewAccount(login, role), by=None)
        visitor = Visitor("127.0.0.1")
        _, secret = start_session(
            connection, account.person, visitor, parts.settings, origin="password", now_us=now_us()
        )
    return account.person, secret


def token_of(parts, *scopes, days=None):
    with parts.console.transaction() as (connection, writer):
        return create_token(connection, writer, "a machine", scopes, days=days, by=None)


def expired_session(parts, column):
    """The secret of a session whose absolute or idle time has passed."""
    person, secret = session_of(parts, Role.ADMIN, login=f"late{now_us()}")
    with parts.ledger.write() as connection:
        query = update(sessions).where(sessions.c.person == person)
        before = 0 if column == "expires_us" else now_us() - int(parts.settings.session_idle_minutes * 60e6)
        connection.execute(query.values({column: before}))
    return secret


def cookie(secret):
    return {**SAME, "cookie": f"steelsight_session={secret}"}


def bearer(secret):
    return {"authorization": f"Bearer {secret}"}
