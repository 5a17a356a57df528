"""The page Line in a real browser: verdicts as they come, hidden and back, alarms, dark mode."""

import pytest
from tests.service.pages.conftest import fill, sheet_of, until, verdict_of

from steelsight.ledger.writing.writer import now_us, open_writer
from steelsight.service.access.roles import Role
from steelsight.service.alarms.acts import ShelfReason
from steelsight.service.alarms.record import read_alarms

pytestmark = pytest.mark.browser


def open_line(page):
    page.goto("/".join(page.url.split("/")[:3]) + "/line")
    page.wait_for_selector("#stream:text('live')")


def newest(page):
    return page.locator("#newest li").first.get_attribute("data-sheet")


def test_verdicts_appear_as_they_are_written(closed, visit):
    fill(closed, 2)
    page = visit()
    open_line(page)
    (name,) = fill(closed, 1, start=2)
    page.wait_for_selector(f"#newest [data-sheet='{name}']")
    page.wait_for_selector(f"#marked [data-sheet='{name}'] >> text=doubtful")
    (clean,) = fill(closed, 1, start=3, label="none", probability=0.99)
    page.wait_for_selector(f"#newest [data-sheet='{clean}']")
    assert page.locator(f"#marked [data-sheet='{clean}']").count() == 0
    until(page, "() => document.querySelector('#newest img').naturalWidth === 480")
    page.click(f"#marked [data-sheet='{name}'] a")
    page.wait_for_selector("#sheet")
    assert name in page.get_attribute("#sheet", "data-values")


def test_the_stream_is_closed_while_the_page_is_hidden_and_misses_nothing(closed, visit):
    fill(closed, 1)
    page = visit()
    open_line(page)
    hide = (
        "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')) }"
    )
    page.evaluate(hide, True)
    page.wait_for_selector("#stream:text('paused')")
    assert page.evaluate("source === null")
    names = fill(closed, 3, start=1)
    page.evaluate(hide, False)
    page.wait_for_selector("#stream:text('live')")
    for name in names:
        page.wait_for_selector(f"#newest [data-sheet='{name}']")
    assert page.locator("#newest li").count() == 4


def test_many_at_once_show_the_last_and_keep_the_page_small(closed, visit):
    page = visit()
    open_line(page)
    names = fill(closed, 120)
    page.wait_for_selector(f"#newest [data-sheet='{names[-1]}']")
    assert page.locator("#newest li").count() <= 8
    assert page.locator("#marked li").count() <= 8
    assert page.evaluate("ribbon.length") == 120


def test_an_alarm_is_acknowledged_and_shelved(closed, visit, served):
    fill(closed, 40, probability=0.5)
    page = visit(role=Role.ENGINEER)
    from steelsight.service.alarms.watch import AlarmWatch

    watch = AlarmWatch(closed, lambda: ())
    open_line(page)
    page.wait_for_selector("text=No alarm.")
    watch.look()
    page.wait_for_selector("text=100 % of the last 40 sheets were not decided")  # by the stream
    page.focus("#alarms button")
    with page.expect_response("**/line/alarms"):
        page.evaluate("refresh(parts.alarms)")
    page.wait_for_timeout(300)
    assert page.evaluate("document.activeElement.textContent") == "Acknowledge"  # a look keeps the focus
    assert "not decided" in page.text_content("#alarm-news")
    page.click("text=Acknowledge")
    page.wait_for_selector("text=acknowledged by")
    page.click("summary")
    page.select_option("[name=reason]", ShelfReason.TRIAL.value)
    page.fill("[name=comment]", "new lamp")
    page.wait_for_timeout(6000)  # a look at the alarms does not take away what is being typed
    assert page.input_value("[name=comment]") == "new lamp"
    page.click("form >> text=Shelve")
    page.wait_for_selector("text=Take off the shelf")
    with closed.ledger.read() as connection:
        assert read_alarms(connection, now_us()).open["line-1"].acknowledged_by


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_1366_pixels_in_light_and_dark(closed, visit, scheme):
    fill(closed, 12)
    page = visit(color_scheme=scheme, role=Role.VIEWER)
    open_line(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.wait_for_selector("#chart canvas")
    assert page.locator("a.picture").count() == 0  # a viewer does not review


def test_a_screen_on_a_wall_shows_more_sheets_and_needs_no_scrolling(closed, visit):
    fill(closed, 40, probability=0.5)
    page = visit(viewport={"width": 3840, "height": 2160})
    open_line(page)
    until(page, "() => document.querySelectorAll('#newest li').length === 15")
    assert page.locator("#marked li").count() == 15
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    tops = page.eval_on_selector_all("#newest li", "all => all.map((each) => each.offsetTop)")
    assert len(set(tops)) == 5


def test_names_are_text_on_tiles(closed, visit):
    model = closed.bundles.default.bundle.card.model_id
    page = visit(allowed=("404",))  # this sheet has no image
    open_line(page)
    seen = sheet_of(0, item="<img src=x onerror=alert(1)>.jpg", coil="<b>‮C17", image_hash=None)
    with open_writer(closed.ledger, "line-1") as writer:
        writer.append([seen, verdict_of(seen, model, label="<i>type</i>")])
    page.wait_for_selector(f"#newest [data-sheet='{seen.sheet}']")
    text = page.inner_text(f"#newest [data-sheet='{seen.sheet}']")
    assert "<i>type</i>" in text
    assert "<b>\\u202eC17" in text
    assert page.locator("#newest b, #newest i").count() == 0
