"""Every route of the real application with every kind of caller, against a table written by hand."""

from collections.abc import Callable, Iterator

import pytest
from tests.service.access.conftest import (
    FAST,
    SAME,
    TestClient,
    bearer,
    cookie,
    expired_session,
    session_of,
    token_of,
)
from tests.service.api.conftest import LOCAL, connect, make_service

from steelsight.ledger.chain.entries import Event
from steelsight.ledger.database.open import create_ledger
from steelsight.ledger.images.store import ImageStore
from steelsight.ledger.writing.writer import now_us
from steelsight.service.access.accounts import NewAccount, add_account, set_disabled
from steelsight.service.access.roles import PERMISSIONS, Permission, Role
from steelsight.service.access.sessions import revoke_sessions
from steelsight.service.access.tokens import revoke_token
from steelsight.service.app import build_app
from steelsight.service.bundles import Bundles
from steelsight.service.console import SharedWriter
from steelsight.service.context import Service
from steelsight.service.settings.load import Settings

__all__ = ["connect", "make_service"]

Caller = tuple[str, set[str], dict[str, str]]  # name, what it has, headers
PUBLIC = "public"  # nobody needs to be known
KNOWN = "known"  # any session and any token
PERSON = "person"  # a session
REVIEWER = "reviewer"  # a session of a role that reviews; no token does

# What each route needs. A route without a line here fails the test.
NEEDS = {
    ("POST", "/api/v1/inspect"): Permission.INSPECT,
    ("GET", "/api/v1/sheets"): Permission.READ,
    ("GET", "/api/v1/verdicts"): Permission.READ,
    ("GET", "/api/v1/sheets/{sheet}"): Permission.READ,
    ("GET", "/api/v1/sheets/{sheet}/image"): Permission.READ,
    ("GET", "/api/v1/sheets/{sheet}/heatmap"): Permission.READ,
    ("GET", "/api/v1/reviews"): Permission.READ,
    ("POST", "/api/v1/reviews"): Permission.REVIEW,
    ("GET", "/api/v1/coils"): Permission.READ,
    ("GET", "/api/v1/coils/{coil:path}"): Permission.READ,
    ("GET", "/api/v1/coils/{coil:path}/defects"): Permission.READ,
    ("GET", "/api/v1/bundles"): Permission.READ,
    ("GET", "/api/v1/bundles/{bundle}"): Permission.READ,
    ("GET", "/api/v1/stations"): Permission.READ,
    ("GET", "/api/v1/shadow"): Permission.READ,
    ("POST", "/api/v1/shadow"): Permission.CONFIGURE,
    ("POST", "/api/v1/shadow/end"): Permission.CONFIGURE,
    ("GET", "/api/v1/events"): Permission.READ,
    ("GET", "/api/v1/events/stream"): Permission.READ,
    ("GET", "/api/v1/destinations"): Permission.CONFIGURE,
    ("POST", "/api/v1/destinations"): Permission.CONFIGURE,
    ("GET", "/api/v1/destinations/{identity}"): Permission.CONFIGURE,
    ("PATCH", "/api/v1/destinations/{identity}"): Permission.CONFIGURE,
    ("DELETE", "/api/v1/destinations/{identity}"): Permission.CONFIGURE,
    ("POST", "/api/v1/destinations/{identity}/rotate"): Permission.CONFIGURE,
    ("POST", "/api/v1/destinations/{identity}/skip"): Permission.CONFIGURE,
    ("POST", "/api/v1/destinations/{identity}/test"): Permission.CONFIGURE,
    ("GET", "/api/v1/openapi.json"): Permission.READ,
    ("POST", "/api/v1/login"): PUBLIC,
    ("POST", "/api/v1/logout"): PERSON,
    ("GET", "/api/v1/me"): KNOWN,
    ("GET", "/api/v1/me/sessions"): PERSON,
    ("DELETE", "/api/v1/me/sessions/{session}"): PERSON,
    ("POST", "/api/v1/me/password"): PERSON,
    ("POST", "/api/v1/links/redeem"): PUBLIC,
    ("GET", "/api/v1/oidc/login"): PUBLIC,
    ("GET", "/api/v1/oidc/callback"): PUBLIC,
    ("GET", "/api/v1/users"): Permission.USERS,
    ("POST", "/api/v1/users"): Permission.USERS,
    ("PUT", "/api/v1/users/{person}/role"): Permission.USERS,
    ("POST", "/api/v1/users/{person}/disable"): Permission.USERS,
    ("POST", "/api/v1/users/{person}/enable"): Permission.USERS,
    ("POST", "/api/v1/users/{person}/link"): Permission.USERS,
    ("DELETE", "/api/v1/users/{person}/sessions"): Permission.USERS,
    ("GET", "/api/v1/tokens"): Permission.USERS,
    ("POST", "/api/v1/tokens"): Permission.USERS,
    ("DELETE", "/api/v1/tokens/{token}"): Permission.USERS,
    ("GET", "/"): PUBLIC,
    ("GET", "/access/style.css"): PUBLIC,
    ("POST", "/access/login"): PUBLIC,
    ("POST", "/access/logout"): PUBLIC,
    ("GET", "/access/link"): PUBLIC,
    ("POST", "/access/link"): PUBLIC,
    ("GET", "/static/{name:path}"): PUBLIC,
    ("POST", "/language"): PUBLIC,
    ("GET", "/line"): Permission.READ,
    ("GET", "/line/figures"): Permission.READ,
    ("GET", "/line/alarms"): Permission.READ,
    ("GET", "/line/sheets/{sheet}/thumbnail"): Permission.READ,
    ("POST", "/line/alarms/acknowledge"): Permission.REVIEW,
    ("POST", "/line/alarms/shelve"): Permission.REVIEW,
    ("POST", "/line/alarms/unshelve"): Permission.REVIEW,
    ("GET", "/coils"): Permission.READ,
    ("GET", "/coils/compare"): Permission.READ,
    ("GET", "/coils/{coil}"): Permission.READ,
    ("GET", "/coils/{coil}/table"): Permission.READ,
    ("GET", "/coils/{coil}/map"): Permission.READ,
    ("GET", "/coils/{coil}/repeats"): Permission.READ,
    ("GET", "/coils/{coil}/defects.csv"): Permission.EXPORT,
    ("GET", "/coils/{coil}/defects.parquet"): Permission.EXPORT,
    ("GET", "/review"): REVIEWER,
    ("POST", "/review/claim"): REVIEWER,
    ("POST", "/review/claims/renew"): REVIEWER,
    ("POST", "/review/claims/free"): REVIEWER,
    ("POST", "/review/decide"): Permission.REVIEW,
    ("POST", "/review/undo"): Permission.REVIEW,
    ("GET", "/review/sheets/{sheet}/map"): Permission.REVIEW,
    ("GET", "/review/sheets/{sheet}/covered"): REVIEWER,
    ("GET", "/review/sheets/{sheet}/covered/picture"): Permission.REVIEW,
    ("GET", "/review/sheets/{sheet}/nearest"): REVIEWER,
    ("GET", "/quality"): Permission.EXPORT,
    ("GET", "/quality/report.csv"): Permission.EXPORT,
    ("GET", "/quality/report.json"): Permission.EXPORT,
    ("GET", "/quality/known-cases"): Permission.CONFIGURE,
    ("POST", "/quality/known-cases"): Permission.CONFIGURE,
    ("GET", "/admin"): Permission.USERS,
    ("POST", "/admin/users"): Permission.USERS,
    ("POST", "/admin/users/{person}/role"): Permission.USERS,
    ("POST", "/admin/users/{person}/disable"): Permission.USERS,
    ("POST", "/admin/users/{person}/enable"): Permission.USERS,
    ("POST", "/admin/users/{person}/link"): Permission.USERS,
    ("POST", "/admin/users/{person}/sessions"): Permission.USERS,
    ("GET", "/admin/tokens"): Permission.USERS,
    ("POST", "/admin/tokens"): Permission.USERS,
    ("POST", "/admin/tokens/{token}/revoke"): Permission.USERS,
    ("GET", "/admin/stations"): Permission.USERS,
    ("GET", "/admin/retention"): Permission.USERS,
    ("GET", "/audit"): Permission.AUDIT,
    ("GET", "/audit/events.csv"): Permission.AUDIT,
    ("GET", "/models"): Permission.READ,
    ("GET", "/models/learn"): Permission.READ,
    ("GET", "/models/reproduce"): Permission.READ,
    ("POST", "/models/promote"): Permission.CONFIGURE,
    ("POST", "/models/rollback"): Permission.CONFIGURE,
    ("POST", "/models/shadow"): Permission.CONFIGURE,
    ("POST", "/models/shadow/end"): Permission.CONFIGURE,
    ("POST", "/models/learn"): Permission.CONFIGURE,
    ("POST", "/models/learn/cancel"): Permission.CONFIGURE,
    ("GET", "/health/live"): PUBLIC,
    ("GET", "/health/ready"): PUBLIC,
    ("GET", "/metrics"): Permission.READ,
}


def routes_of(app) -> Iterator[tuple[str, str]]:
    """Method and path of every route, those of included routers too."""

    def walk(routes, prefix):
        for route in routes:
            included = getattr(route, "original_router", None)
            if included is not None:
                yield from walk(included.routes, prefix + route.include_context.prefix)
            else:  # a route of another kind, such as a mount, has no methods and fails here
                yield from ((method, prefix + route.path) for method in route.methods if method != "HEAD")

    yield from walk(app.routes, "")


@pytest.fixture
def service(sqlite_ledger, make_service):
    return make_service(sqlite_ledger, open=False, **FAST)


def test_every_route_is_in_the_table(service):
    app = build_app(service)
    found = set(routes_of(app))
    assert found == set(NEEDS)
    described = {
        (method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods
    }
    assert described <= {(method, path.replace(":path", "")) for method, path in found}


def credentials(service) -> Iterator[Caller]:
    """Kinds of callers, made anew for each call."""
    for role in Role:
        person, secret = session_of(service, role, login=f"{role}{now_us()}")
        own = {REVIEWER} if Permission.REVIEW in PERMISSIONS[role] else set()
        yield role, {*PERMISSIONS[role], *own, PUBLIC, KNOWN, PERSON}, cookie(secret)
    for scope in Permission:
        yield f"token {scope}", {scope, PUBLIC, KNOWN}, bearer(token_of(service, scope)[1])
    yield "nobody", {PUBLIC}, dict(SAME)
    person, secret = session_of(service, Role.ADMIN, login=f"revoked{now_us()}")
    with service.console.transaction() as (connection, _):
        revoke_sessions(connection, person, now_us=now_us())
    yield "revoked session", {PUBLIC}, cookie(secret)
    yield "expired session", {PUBLIC}, cookie(expired_session(service, "expires_us"))
    yield "idle session", {PUBLIC}, cookie(expired_session(service, "used_us"))
    person, secret = session_of(service, Role.VIEWER, login=f"disabled{now_us()}")
    with service.console.transaction() as (connection, writer):
        set_disabled(connection, writer, person, True, by=None)
    yield "disabled account", {PUBLIC}, cookie(secret)
    token, secret = token_of(service, *Permission)
    with service.console.transaction() as (connection, writer):
        revoke_token(connection, writer, token.id, by=None)
    yield "revoked token", {PUBLIC}, bearer(secret)
    yield "expired token", {PUBLIC}, bearer(token_of(service, *Permission, days=1e-12)[1])
    yield "token in the cookie", {PUBLIC}, cookie(token_of(service, *Permission)[1])
    _, secret = session_of(service, Role.ADMIN, login=f"swapped{now_us()}")
    yield "session as a token", {PUBLIC}, bearer(secret)


@pytest.fixture(scope="module")
def shared(packaged, tmp_path_factory) -> Iterator[tuple[Service, TestClient]]:
    """One service for all routes, with a client."""
    folder = tmp_path_factory.mktemp("routes")
    ledger = create_ledger(str(folder / "ledger.db"))
    bundles, settings = Bundles([("packaged", packaged)]), Settings(**{"open": False, **FAST})
    service = Service(
        ledger, SharedWriter(ledger, "console"), ImageStore(folder / "images"), bundles, settings
    )
    with TestClient(build_app(service), base_url=LOCAL, raise_server_exceptions=False) as client:
        yield service, client
    service.console.close()
    ledger.close()


@pytest.fixture(scope="module")
def callers(shared) -> Callable[[str], list[Caller]]:
    """The callers of a route: the same for all, but for those that end sessions."""
    kept = list(credentials(shared[0]))
    return lambda path: list(credentials(shared[0])) if path.endswith("/logout") else kept


@pytest.mark.parametrize(("method", "path"), NEEDS)
def test_a_route_answers_those_who_may_and_no_others(shared, callers, method, path):
    _, client = shared
    address = (
        path.replace("{coil:path}", "C1").replace("{name:path}", "console.css").replace("{bundle}", "none")
    )
    for name in ("sheet", "session", "person", "token", "identity", "coil"):
        address = address.replace(f"{{{name}}}", "0" * 32)
    options = {"json": {}} if method in ("POST", "PUT", "PATCH") and not path.startswith("/access/") else {}
    if path.endswith("/stream"):
        options["params"] = {"after": "no cursor"}  # refused where the caller may, so that it ends
    for name, has, headers in callers(path):
        client.cookies.clear()
        answer = client.request(method, address, headers=headers, **options)
        if NEEDS[method, path] in has:
            assert answer.status_code not in (401, 403, 500), (name, answer.text)
        elif KNOWN in has:
            assert answer.status_code == 403, (name, answer.text)
            assert answer.json()["error"]["code"] in ("forbidden", "person_needed"), name
        else:
            assert answer.status_code == 401, (name, answer.text)
            assert answer.json()["error"]["code"] == "not_logged_in", name


def test_events_about_people_need_the_permission(service, connect):
    client = connect(service)
    with service.console.transaction() as (connection, writer):
        writer.append_within(connection, [Event(name="images_pruned", details={"images": []})])
        add_account(connection, writer, NewAccount("anna", Role.VIEWER), by=None)
    seen = {}
    for scopes in ((Permission.READ,), (Permission.READ, Permission.AUDIT)):
        headers = bearer(token_of(service, *scopes)[1])
        items = client.get("/api/v1/events", headers=headers).json()["items"]
        seen[scopes] = [each["name"] for each in items]
    assert list(seen.values()) == [
        ["images_pruned"],
        ["token_created", "token_created", "account_added", "images_pruned"],
    ]


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080", ""]
)
def test_a_name_that_was_rebound_to_this_machine_is_refused(sqlite_ledger, make_service, connect, host):
    """Under `--open` a page of another site could reach the service by a name that resolves to loopback."""
    client = connect(make_service(sqlite_ledger, open=True))
    assert client.get("/api/v1/sheets").status_code == 200
    for method, path in (("GET", "/api/v1/sheets"), ("POST", "/api/v1/login"), ("GET", "/access/link")):
        answer = client.request(method, path, headers={"host": host, **SAME})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_host")


def test_everybody_of_an_open_service_is_an_operator(sqlite_ledger, make_service, connect):
    client = connect(make_service(sqlite_ledger, open=True))
    me = client.get("/api/v1/me").json()
    assert (me["person"], me["role"], me["csrf"]) == (None, "operator", None)
    assert client.get("/api/v1/users").status_code == 403
    assert client.get("/api/v1/me/sessions").status_code == 403
    assert client.get("/api/v1/sheets", headers=bearer("sst_wrong")).status_code == 401
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"origin": "http://elsewhere.example"},
        {"origin": "null"},
    ):
        assert client.post("/api/v1/inspect", content=b"x", headers=headers).status_code == 403
    assert client.post("/api/v1/inspect", content=b"x").status_code not in (401, 403)  # no browser sends this
