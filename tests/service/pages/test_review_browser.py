"""The page Review in a real browser: keys alone, undo, no network, two people, an ended session."""

import json
import time

import pytest
from sqlalchemy import select, update
from tests.service.pages.conftest import PASSWORD, fill, until

from steelsight.ledger.database import schema
from steelsight.ledger.database.accounts import sessions
from steelsight.service.access.roles import Role
from steelsight.sheets.rle import decode_runs

pytestmark = pytest.mark.browser
NETWORK = ("net::ERR_INTERNET_DISCONNECTED", "Failed to load resource")


def rows(service, table=schema.reviews):
    order = table.c.seq
    with service.ledger.read() as connection:
        return [dict(row._mapping) for row in connection.execute(select(table).order_by(order))]


IMAGE_SHOWN = (
    "() => state.current === null || state.current.revealed || state.painted === state.current.sheet"
)


def wait_for(check, seconds=60):
    for _ in range(seconds * 20):
        if check():
            return
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


def open_review(page, query=""):
    page.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/")[2] + "/review" + query)
    page.wait_for_selector("#sheet")
    until(page, IMAGE_SHOWN)


def shown_sheet(page):
    return json.loads(page.get_attribute("#sheet", "data-values"))["sheet"]


def press_and_wait(page, key, other_than=None):
    """Press a key and wait until another sheet is shown."""
    before = other_than or shown_sheet(page)
    page.keyboard.press(key)
    until(
        page,
        "before => { const found = document.querySelector('#sheet');"
        " return found && JSON.parse(found.dataset.values).sheet !== before }",
        given=before,
    )
    until(page, IMAGE_SHOWN)


def test_twenty_sheets_are_reviewed_by_keys_alone(closed, visit):
    names = fill(closed, 22)
    page = visit()
    open_review(page)
    got = []
    for number in range(20):
        got.append(shown_sheet(page))
        press_and_wait(page, ("Enter", "3", "x", "y")[number % 4])
    wait_for(lambda: len(rows(closed)) == 20)
    assert got == names[:20]
    found = rows(closed)
    assert [row["sheet"] for row in found] == names[:20]
    assert [row["answer"] for row in found] == ["confirmed", "corrected", "unsure", "confirmed"] * 5
    assert {row["label"] for row in found if row["answer"] == "corrected"} == {"type 2"}
    assert page.inner_text("#done") == "20"
    assert page.evaluate("Object.keys(localStorage).length") == 0


def test_wrong_reason_by_keys_and_with_a_painted_place(closed, visit):
    fill(closed, 5)
    page = visit()
    open_review(page)
    page.keyboard.press("w")
    page.keyboard.press("s")
    press_and_wait(page, "Enter")
    page.keyboard.press("w")
    page.keyboard.press("g")
    press_and_wait(page, "Enter")
    page.keyboard.press("w")
    page.keyboard.press("f")
    area = page.locator("#view").bounding_box()
    left, top = area["x"] + area["width"] * 0.45, area["y"] + area["height"] * 0.5
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(left + 120, top + 10, steps=5)
    page.mouse.up()
    press_and_wait(page, "Enter")
    wait_for(lambda: len(rows(closed)) == 3)
    one, two, three = rows(closed)
    assert (one["answer"], one["nuisance"], one["regions"]) == ("confirmed", "stain", "[]")
    assert json.loads(two["regions"])[0]["box"] == [40, 20, 120, 70]
    assert (two["nuisance"], three["nuisance"]) == ("other", "other")
    (mark,) = rows(closed, schema.review_marks)
    mask = decode_runs(mark["mask"], (96, 600))
    ys, xs = mask.nonzero()
    assert 40 < xs.max() - xs.min() < 120
    assert 200 < xs.mean() < 400
    assert 20 < ys.mean() < 76
    assert mask.sum() > 200


def test_a_box_is_marked_by_keys_alone(closed, visit):
    fill(closed, 2)
    page = visit()
    open_review(page)
    page.keyboard.press("Shift+ArrowLeft")  # nothing is marked yet: it is no box
    assert page.evaluate("() => view.boxes.length") == 0
    page.keyboard.press("m")
    page.keyboard.press("Shift+ArrowLeft")
    first = page.evaluate("() => view.boxes[0]")
    assert first == [288, 36, 312, 60]  # in the middle of 600 x 96
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("PageUp")
    page.keyboard.press("Shift+PageUp")
    for _ in range(30):
        page.keyboard.press("Shift+ArrowDown")  # ends at the edge
    (box,) = page.evaluate("() => view.boxes")
    assert box[3] == 96
    assert box[2] - box[0] > box[3] - box[1] >= 29
    assert box[0] + box[2] > 2 * 310
    page.keyboard.press("3")
    press_and_wait(page, "Enter")
    wait_for(lambda: len(rows(closed)) == 1)
    assert json.loads(rows(closed)[0]["regions"])[0]["box"] == box


def test_a_mark_outside_of_the_image_is_cut_to_it(closed, visit):
    fill(closed, 2)
    page = visit()
    open_review(page)
    page.keyboard.press("m")
    area = page.locator("#view").bounding_box()
    page.mouse.move(area["x"] + 1, area["y"] + 1)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] - 1, area["y"] + area["height"] - 1, steps=3)
    page.mouse.up()
    page.keyboard.press("4")
    press_and_wait(page, "Enter")
    wait_for(lambda: rows(closed))
    (row,) = rows(closed)
    assert (row["answer"], row["label"]) == ("corrected", "type 3")
    assert json.loads(row["regions"])[0]["box"] == [0, 0, 600, 96]


def test_undo_brings_the_sheet_back(closed, visit):
    names = fill(closed, 4)
    page = visit()
    open_review(page)
    press_and_wait(page, "2")
    wait_for(lambda: len(rows(closed)) == 1)
    press_and_wait(page, "u")
    assert shown_sheet(page) == names[0]
    page.wait_for_selector("text=withdrawn")
    press_and_wait(page, "Enter")
    assert shown_sheet(page) == names[1]  # the one that was left for it
    wait_for(lambda: len(rows(closed)) == 2)
    assert len(rows(closed, schema.withdrawals)) == 1
    page.keyboard.press("u")
    page.keyboard.press("u")
    page.wait_for_selector("text=There is nothing to undo")


def test_without_network_nothing_is_lost_and_all_is_sent_when_it_is_back(closed, visit):
    names = fill(closed, 6)
    page = visit(allowed=NETWORK)
    open_review(page)
    page.wait_for_timeout(1500)  # the next sheet is fetched before
    page.context.set_offline(True)
    page.keyboard.press("c")
    page.keyboard.type("oil film, not a scratch")
    page.keyboard.press("Escape")
    press_and_wait(page, "3")
    assert shown_sheet(page) == names[1]
    page.keyboard.press("Enter")
    page.wait_for_selector("text=2 answers wait for the network")
    page.wait_for_selector("text=No network")
    assert rows(closed) == []
    page.context.set_offline(False)
    wait_for(lambda: len(rows(closed)) == 2)
    until(page, "() => document.querySelector('#sending').textContent === ''")
    assert [(row["sheet"], row["answer"]) for row in rows(closed)] == [
        (names[0], "corrected"),
        (names[1], "confirmed"),
    ]
    with closed.ledger.read() as connection:
        assert connection.execute(select(schema.texts.c.text)).scalars().all() == ["oil film, not a scratch"]
    wait_for(lambda: page.locator("#sheet").count() and shown_sheet(page) in names[2:])


def test_what_was_typed_survives_a_reload(closed, visit):
    names = fill(closed, 3)
    page = visit()
    open_review(page)
    page.keyboard.press("w")
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.keyboard.type("half a sentence")
    page.reload()
    page.wait_for_selector("#sheet")
    assert shown_sheet(page) == names[0]
    until(page, "() => document.querySelector('#comment').value === 'half a sentence'")
    page.locator("#view").focus()
    press_and_wait(page, "Enter")
    wait_for(lambda: rows(closed))
    (row,) = rows(closed)
    assert (row["nuisance"], json.loads(row["regions"])[0]["box"]) == ("other", [40, 20, 120, 70])


def test_an_ended_session_loses_nothing(closed, visit, served):
    names = fill(closed, 5)
    page = visit(allowed=("Failed to load resource",))
    open_review(page)
    page.wait_for_timeout(1000)
    with closed.ledger.write() as connection:
        connection.execute(update(sessions).values(expires_us=1))
    press_and_wait(page, "3")
    page.wait_for_selector("text=You are logged out. Your answers are kept")
    assert rows(closed) == []
    other = page.context.new_page()  # as the link of the banner opens it
    other.goto(served)
    other.fill("[name=login]", "anna")
    other.fill("[name=password]", PASSWORD)
    other.click("main button")
    other.wait_for_selector("text=Logged in as")
    page.bring_to_front()
    wait_for(lambda: len(rows(closed)) == 1)
    page.wait_for_selector("#banner", state="hidden")
    assert (rows(closed)[0]["sheet"], rows(closed)[0]["label"]) == (names[0], "type 2")


def test_two_people_share_one_queue(closed, visit):
    names = fill(closed, 12)  # each page holds the sheet that it shows and the next
    pages = [visit("anna"), visit("berta")]
    for page in pages:
        open_review(page)
    got = []
    for _ in range(4):
        for page in pages:
            got.append(shown_sheet(page))
            press_and_wait(page, "Enter")
    wait_for(lambda: len(rows(closed)) == 8)
    assert len(set(got)) == 8
    assert set(got) <= set(names)
    assert sorted(row["sheet"] for row in rows(closed)) == sorted(got)


def test_an_audit_sample_is_decided_first_and_shown_then(closed, visit):
    (name,) = fill(closed, 1, drawn={0})
    fill(closed, 2, start=1)
    page = visit()
    open_review(page)
    assert shown_sheet(page) == name
    page.wait_for_selector("text=Audit sample: decide first")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Choose what the sheet shows first")
    assert page.locator("meter").count() == 0
    page.keyboard.press("2")
    page.wait_for_selector("text=The verdict was")
    assert page.locator("meter").count() == 5
    press_and_wait(page, "Enter")
    assert [(row["sheet"], row["answer"]) for row in rows(closed)] == [(name, "confirmed")]
    assert rows(closed, schema.review_marks)[0]["blind"]


def test_zoom_and_contrast_are_kept_for_the_next_sheet(closed, visit):
    fill(closed, 3)
    page = visit()
    open_review(page)
    for key in ("+", "+", "k", "ArrowRight"):
        page.keyboard.press(key)
    before = page.inner_text("#zoom-name")
    assert before == "225 % · 125 %"
    press_and_wait(page, "Enter")
    assert page.inner_text("#zoom-name") == before
    page.keyboard.press("0")
    assert page.inner_text("#zoom-name").startswith("100 %")


def test_the_map_and_the_places_are_drawn_over_the_image(closed, visit):
    """The canvas has colours only while the map or the places are shown."""
    fill(closed, 2)
    page = visit(allowed=("getImageData",))
    open_review(page)
    coloured = (
        "() => { const view = document.querySelector('#view');"
        " const { data } = view.getContext('2d').getImageData(0, 0, view.width, view.height);"
        " let number = 0;"
        " for (let at = 0; at < data.length; at += 4)"
        " if (Math.abs(data[at] - data[at + 2]) > 12) number += 1; return number }"
    )
    page.keyboard.press("h")  # from contours to heat
    until(page, f"() => ({coloured})() > 2000")
    page.keyboard.press("h")
    until(page, f"() => ({coloured})() < 2500 && ({coloured})() > 50")
    page.keyboard.press("p")
    until(page, f"() => ({coloured})() === 0")


def test_an_image_that_is_gone_is_said_and_can_be_answered(closed, visit):
    fill(closed, 1)
    with closed.ledger.read() as connection:
        closed.images.remove(connection.execute(select(schema.sheets.c.image_hash)).scalar_one())
    page = visit(allowed=("Failed to load resource",))
    open_review(page)
    page.wait_for_selector("text=The image of this sheet is gone")
    page.keyboard.press("x")
    wait_for(lambda: len(rows(closed)) == 1)
    page.wait_for_selector("text=No sheet waits for you")


def test_somebody_elses_answer_meanwhile_is_told_and_a_second_opinion_is_possible(closed, visit):
    (name,) = fill(closed, 1)
    anna = visit("anna", allowed=("Failed to load resource",))
    open_review(anna)
    with closed.ledger.write() as connection:
        from steelsight.ledger.database.reviewing import claims

        connection.execute(update(claims).values(until_us=1))
    berta = visit("berta")
    open_review(berta)
    assert shown_sheet(berta) == name
    berta.keyboard.press("3")
    wait_for(lambda: len(rows(closed)) == 1)
    anna.keyboard.press("Enter")
    anna.wait_for_selector("text=This sheet was reviewed meanwhile: type 2")
    assert len(rows(closed)) == 1
    anna.click("text=Send as a second opinion")
    wait_for(lambda: len(rows(closed)) == 2)


def test_help_names_every_key(closed, visit):
    fill(closed, 1)
    page = visit(role=Role.ENGINEER)
    open_review(page)
    page.keyboard.press("?")
    keys = set(page.inner_text("#help table").split())
    page.keyboard.press("Escape")
    script = page.evaluate("Object.keys(KEYS)")
    same = {"arrowleft": "←", "arrowright": "→", "arrowup": "↑", "arrowdown": "↓", "escape": "Esc"}
    same |= {"enter": "Enter", "s": "S", "=": "+"}
    missing = [each for each in script if same.get(each, each.upper()) not in keys]
    assert missing == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_fits_a_small_screen_in_light_and_dark(closed, visit, scheme):
    fill(closed, 2)
    page = visit(color_scheme=scheme)
    open_review(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    colours = page.evaluate(
        "() => { const style = getComputedStyle(document.body); return [style.color, style.backgroundColor] }"
    )
    text, ground = (sum(map(int, each[4:-1].split(","))) for each in colours)
    assert (text > ground) is (scheme == "dark")
    assert abs(text - ground) > 400


def test_the_page_speaks_german(closed, visit):
    fill(closed, 1)
    page = visit(locale="de-DE")
    open_review(page)
    assert page.evaluate("document.documentElement.lang") == "de"
    page.wait_for_selector("text=Richtige Antwort, falscher Grund")
    page.click("text=English")
    page.wait_for_selector("text=Right answer, wrong reason")
