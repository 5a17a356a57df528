"""Quality, Admin and Audit log in a real browser: charts, forms, both schemes, no console errors."""

import pytest
from tests.service.pages.test_quality import audited

from steelsight.service.access.accounts import account_of_login
from steelsight.service.access.roles import Role
from steelsight.service.pages.quality import routes

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr("steelsight.quality.correction.DRAWS", 300)


def at(page, path):
    page.goto("/".join(page.url.split("/")[:3]) + path)


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_quality_loads_itself_until_the_figures_and_charts_are_there(closed, visit, scheme, monkeypatch):
    monkeypatch.setattr(routes, "PAGE_WAITS_S", 0.0)
    page = visit(role=Role.AUDITOR, color_scheme=scheme)
    with closed.ledger.read() as connection:
        person = account_of_login(connection, "anna").person
    audited(closed, 60, (person,), wrong=(3, 30))
    at(page, "/quality")
    page.wait_for_selector(".plot canvas", timeout=240_000)
    assert page.locator(".plot canvas").count() == 3
    assert fits(page)
    assert page.locator("time[data-us]").first.inner_text() != page.locator(
        "time[data-us]"
    ).first.get_attribute("datetime")
    page.emulate_media(color_scheme="light" if scheme == "dark" else "dark")
    assert page.locator(".plot canvas").count() == 3
    with page.expect_download() as download:
        page.click("text=CSV")
    assert download.value.suggested_filename == "quality.csv"


def test_an_administrator_works_by_forms(closed, visit):
    page = visit("boss", Role.ADMIN)
    at(page, "/admin")
    page.fill("[name=login]", "carl")
    page.press("[name=login]", "Enter")
    page.wait_for_selector("text=works once")
    assert "/access/link?secret=" in page.inner_text("code")
    row = page.locator("tr", has_text="carl")
    row.locator("summary").press("Enter")
    row.locator("select").select_option("engineer")
    row.locator("text=Give this role").click()
    page.wait_for_selector("tr:has-text('carl') >> td:text-is('engineer')")
    page.click("nav.tabs >> text=Tokens")
    page.fill("[name=name]", "prometheus")
    page.check("[value=read]")
    page.click("button:text-is('Make')")
    page.wait_for_selector("text=Token of")
    assert page.inner_text("code").startswith("sst_")
    for tab in ("Stations", "Retention", "Audit log", "Users"):
        page.click(f"nav.tabs >> text={tab}")
        page.wait_for_selector(f"nav.tabs a[aria-current]:text-is('{tab}')")
        assert fits(page)
    page.click("nav.tabs >> text=Audit log")
    page.select_option("[name=kind]", "role_changed")
    page.click("button:text-is('Show')")
    page.wait_for_url("**kind=role_changed**")
    assert page.locator("tbody tr").count() == 1
