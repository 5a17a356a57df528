"""Evidence in a real browser: contours, covered places and nearest sheets of one sheet, by keys."""

import time

import pytest
from tests.service.pages.conftest import until
from tests.service.pages.review_sheets import defective, judged
from tests.service.pages.test_review_browser import open_review, press_and_wait

pytestmark = pytest.mark.browser
COUNT = (  # pixels of the canvas that are red or blue beyond doubt
    "() => { const view = document.querySelector('#view');"
    " const { data } = view.getContext('2d').getImageData(0, 0, view.width, view.height);"
    " let number = 0;"
    " for (let at = 0; at < data.length; at += 4)"
    " if (Math.abs(data[at] - data[at + 2]) > 100) number += 1; return number }"
)


def late(route):
    """The answer is on its way longer than the page waits before it asks for nearest sheets."""
    time.sleep(1.5)
    route.continue_()


def test_contours_covered_places_and_nearest_sheets(closed, visit, packaged):
    for number, (content, verdict) in enumerate(defective(packaged)[:2]):
        judged(closed, content, verdict, number=number)
    page = visit(allowed=("getImageData",))
    open_review(page, "?order=newest")
    page.wait_for_selector("text=No sheet that you may compare it with")
    page.keyboard.press("p")
    until(page, f"() => ({COUNT})() > 30")
    assert "lines at 50 %" in page.inner_text("#map-legend")
    page.keyboard.press("h")
    assert "blue against" in page.inner_text("#map-legend")
    page.keyboard.press("h")
    until(page, f"() => ({COUNT})() === 0")
    assert page.inner_text("#map-legend") == ""
    page.keyboard.press("v")
    page.wait_for_selector(".covered-answer .finding")
    places = page.locator(".covered-answer li[data-places]").count()
    if places:
        page.wait_for_selector(".covered-answer [aria-current]")
        until(page, "() => view.patch !== null")
    for _ in range(page.locator(".covered-answer [data-places]").count() + 1):
        page.keyboard.press("v")
    page.route("**/review/decide", late)
    press_and_wait(page, "Enter")
    until(page, "() => view.patch === null")
    page.wait_for_selector(".nearest img")
    until(page, "() => document.querySelector('.nearest img').naturalWidth > 0")
