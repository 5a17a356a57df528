"""Every page under axe-core, in light and dark: no serious and no critical finding.

axe-core (MPL-2.0) comes with the package axe-playwright-python, which tests alone need.
"""

import pytest
from tests.service.pages.conftest import fill
from tests.service.pages.test_coil import fill_coil
from tests.service.pages.test_models import plant, policy
from tests.service.pages.test_models_verdicts import judged
from tests.service.pages.test_quality import audited

from steelsight.ledger.writing.writer import now_us
from steelsight.service.access.accounts import account_of_login
from steelsight.service.access.roles import Permission, Role
from steelsight.service.access.tokens import create_token
from steelsight.service.alarms.record import read_alarms
from steelsight.service.alarms.watch import AlarmWatch

AXE = pytest.importorskip(
    "axe_playwright_python.base", reason="needs the package axe-playwright-python"
).AXE_SCRIPT

__all__ = ["plant", "policy"]

pytestmark = pytest.mark.browser
SERIOUS = ("serious", "critical")
NARROW = {"width": 683, "height": 384}  # 1366x768 at a zoom of 200 %


class Walk:
    """Opens pages of one service, and keeps what axe-core finds there."""

    def __init__(self, page):
        self.page = page
        self.origin = "/".join(page.url.split("/")[:3])
        self.found = []

    def open(self, address, selector="main"):
        self.page.goto(self.origin + address)
        self.page.wait_for_selector(selector)
        self.check(address)

    def check(self, name):
        """Look at the page as it is; in the dark at its contrast alone, since all else is the same.

        A narrow page has the colours of the wide one.
        """
        self.page.evaluate(AXE)
        narrow = self.page.viewport_size == NARROW
        for scheme, rules in (("light", None), ("dark", ["color-contrast"]))[: 1 if narrow else 2]:
            self.page.emulate_media(color_scheme=scheme)
            options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
            answer = self.page.evaluate("options => axe.run(document, options)", options)
            self.found += [
                f"{name} in {scheme}: {each['id']} at {node['target']}: {node['failureSummary'][:300]}"
                for each in answer["violations"]
                if each["impact"] in SERIOUS
                for node in each["nodes"]
            ]
        fits = self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        self.found += [] if fits else [f"{name} is wider than {self.page.viewport_size['width']} px"]


def test_line_coils_and_review(closed, visit):
    fill(closed, 1, drawn={0})
    fill(closed, 40, start=1, probability=0.5)
    fill_coil(closed, "A", count=30, station="line-2", labels=("type 1", "type 2"))
    fill_coil(closed, "B", count=20, station="line-2", probability=0.95)
    AlarmWatch(closed, lambda: ()).look()
    with closed.ledger.read() as connection:
        assert read_alarms(connection, now_us()).open
    walk = Walk(visit(role=Role.ENGINEER, allowed=("404",)))  # sheets of the coils have no image
    page = walk.page
    walk.open("/review", "#sheet h2:has-text('Audit sample')")
    page.keyboard.press("2")
    page.wait_for_selector("text=The verdict was")
    walk.check("/review, shown after the decision")
    page.keyboard.press("Enter")
    page.wait_for_selector("#sheet .answer[data-key=w]")
    page.keyboard.press("w")
    walk.check("/review, wrong reason")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    walk.check("/review, keys")
    walk.open("/line", "#newest li")
    page.click("summary")
    walk.check("/line, shelve")
    walk.open("/coils")
    walk.open("/coils/A", "#repeats [data-repeats]")
    walk.open("/coils/compare?a=A&b=B", ".map[data-drawn] >> nth=1")
    page.set_viewport_size(NARROW)
    for address in ("/review", "/line", "/coils", "/coils/A", "/coils/compare?a=A&b=B"):
        walk.open(address)
    assert walk.found == []


def test_quality_models_and_administration(plant, visit, monkeypatch):
    monkeypatch.setattr("steelsight.quality.correction.DRAWS", 300)
    service = plant.service
    judged(service, [("none", "type 1")] * 3)
    walk = Walk(visit("boss", Role.ADMIN, allowed=("404", "422")))
    page = walk.page
    with service.ledger.read() as connection:
        boss = account_of_login(connection, "boss").person
    audited(service, 60, (boss,), wrong=(3, 30))
    with service.console.transaction() as (connection, writer):
        create_token(connection, writer, "prometheus", (Permission.READ,), days=1.0, by=None)
    open_all = "() => document.querySelectorAll('details').forEach(each => each.open = true)"
    walk.open("/quality", ".plot canvas")
    for address in ("/models", "/admin", "/admin/tokens"):
        page.goto(walk.origin + address)
        page.evaluate(open_all)
        walk.check(address)
    for address in ("/models/reproduce?verdict=x", "/admin/stations", "/admin/retention", "/audit", "/"):
        walk.open(address)
    page.goto(walk.origin + "/admin")
    page.fill("[name=login]", "carl")
    page.press("[name=login]", "Enter")
    page.wait_for_selector("text=works once")
    link = page.inner_text("code")
    walk.check("/admin, link")
    page.set_viewport_size(NARROW)
    for address in (
        "/quality",
        "/models",
        "/admin",
        "/admin/tokens",
        "/admin/stations",
        "/admin/retention",
        "/audit",
    ):
        walk.open(address)
    walk.open("/nowhere")
    page.click("text=To the first page")
    page.click("text=Log out")
    walk.check("login")
    page.goto(link)
    walk.check("link")
    assert walk.found == []
