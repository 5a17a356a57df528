"""The console on a ledger with judged sheets, people who may log in, and a real browser."""

import re
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra [serve]")

from fastapi.testclient import TestClient
from tests.service.access.conftest import FAST, cookie, session_of, user
from tests.service.api.conftest import LOCAL, jpeg, make_service, serving

from steelsight.ledger.chain.draws import draw_value
from steelsight.ledger.chain.entries import Draw, LedgerRegion, SheetSeen, VerdictGiven
from steelsight.ledger.writing.writer import now_us, open_writer
from steelsight.service.access.roles import Role
from steelsight.service.app import build_app

__all__ = ["make_service"]

CLASSES = ("none", "type 1", "type 2", "type 3", "type 4")
PASSWORD = "oil on the third stand"
SIZE = (96, 600)  # height, width of the images
KEY = b"k" * 32


def until(page, holds, *, given=None, seconds=120):
    """Wait until a function of the page holds; a script of the page itself may not evaluate text (CSP)."""
    for _ in range(seconds * 20):
        if page.evaluate(holds, given):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not within {seconds} s: {holds}")


def sheet_of(number, *, station="line-1", item=None, **values):
    fields = {
        "station": station,
        "item": item or f"sheet-{number:04d}.jpg",
        "width": SIZE[1],
        "height": SIZE[0],
        "captured_us": now_us() - 60_000_000 + number * 1000,
        "coil": "C17",
        "position_m": number * 1.5,
    }
    return SheetSeen(**{**fields, **values})


def verdict_of(seen, model, label="type 1", probability=0.8, **values):
    rest = (1 - probability) / (len(CLASSES) - 1)
    fields = {
        "sheet": seen.sheet,
        "bundle": model,
        "label": label,
        "probability": probability,
        "probabilities": {name: probability if name == label else rest for name in CLASSES},
        "state": "decided" if probability > 0.9 else "doubtful",
        "reason": "confident" if probability > 0.9 else "low_confidence",
        "regions": (LedgerRegion(box=(40, 20, 120, 70), area_px=3000, score=1.0),),
        "latency_ms": 31.0,
    }
    return VerdictGiven(**{**fields, **values})


def draw_of(seen):
    value = draw_value(KEY, seen.sheet)
    return Draw(sheet=seen.sheet, stratum="other", probability=1.0, value=value, key_commitment="a" * 64)


def fill(service, count=6, *, drawn=(), start=0, station="line-1", **values):
    """Sheets with images and doubtful verdicts, the first the most doubtful; their identities."""
    model = service.bundles.default.bundle.card.model_id
    names, entries = [], []
    for number in range(start, start + count):
        content = jpeg(number % 5, SIZE)
        digest = service.images.put(content)
        seen = sheet_of(number, station=station, image_hash=digest, image=digest)
        probability = 0.4 + 0.4 * number / (start + count)
        entries += [seen, *([draw_of(seen)] if number in drawn else [])]
        entries.append(verdict_of(seen, model, **{"probability": probability, **values}))
        names.append(seen.sheet)
    with open_writer(service.ledger, station) as writer:
        writer.append(entries)
    return names


PATIENCE_MS = 120_000  # for a step of a page; the tests' machine may be slow


@pytest.fixture
def closed(sqlite_ledger, make_service):
    """A service that asks for a login."""
    return make_service(sqlite_ledger, open=False, alarms=False, deliver=False, **FAST)


@pytest.fixture
def both(ledger, make_service):
    """The same on each kind of database."""
    return make_service(ledger, open=False, alarms=False, deliver=False, **FAST)


@pytest.fixture
def client_of():
    """A client of a service's application; those of one service share the application, as browsers do."""
    apps = {}

    def call(service, **headers):
        if id(service) not in apps:
            apps[id(service)] = build_app(service)
        options = {"base_url": LOCAL, "raise_server_exceptions": False}
        return TestClient(apps[id(service)], headers=headers, **options)

    yield call
    for app in apps.values():
        app.state.judges.close()


@pytest.fixture
def member(client_of):
    """A client of one person with a role."""

    def call(service, role=Role.OPERATOR, login="anna", **headers):
        person, secret = session_of(service, role, login=login)
        client = client_of(service, **cookie(secret), **headers)
        client.person = person
        return client

    return call


# ---- a browser ----

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium by Playwright, for one file: while it is open its worker has a running event loop."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed (Debian: chromium)")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def served(closed):
    """The address of the real application on a port of loopback."""
    with serving(build_app(closed)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def visit(browser, served, closed):
    """A page of a person who has logged in; errors of its console and of its policy fail the test."""
    opened, found = [], []

    def call(login="anna", role=Role.OPERATOR, *, allowed=(), **options):
        user(closed, login, role, password=PASSWORD)
        context = browser.new_context(**{"viewport": {"width": 1366, "height": 768}, **options})
        context.set_default_timeout(PATIENCE_MS)
        opened.append(context)
        page = context.new_page()

        def note(text):
            if not any(re.search(each, text) for each in allowed):
                found.append(text)

        page.on("console", lambda message: message.type in ("error", "warning") and note(message.text))
        page.on("pageerror", lambda error: note(str(error)))
        page.goto(served)
        page.fill("[name=login]", login)
        page.fill("[name=password]", PASSWORD)
        page.click("main button")
        page.wait_for_selector("form[action='/access/logout']")
        return page

    yield call
    for context in opened:
        context.close()
    assert found == []
