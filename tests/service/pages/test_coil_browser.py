"""The pages Coils in a real browser: the map by pointer and by keys, filters, repeat distances, printing."""

import re

import pytest
from tests.service.pages.test_coil import HOSTILE, fill_coil, marked

from steelsight.service.access.roles import Role
from steelsight.service.pages.coil.addresses import coil_address

pytestmark = pytest.mark.browser

DRAWN = ".map[data-drawn]"
NO_IMAGE = ("404",)  # the sheets of these tests have no image, which Review tells


def open_coil(page, address="/coils/C17"):
    page.goto("/".join(page.url.split("/")[:3]) + address)
    page.wait_for_selector(DRAWN)


def view(page, number=0):
    return page.evaluate(f"maps[{number}].view")


def point_of(page, number):
    """Where a defect's middle lies on the screen."""
    return page.evaluate(
        """at => {
          const map = maps[0], { x0, x1, y0, y1 } = map.view, coil = map.coil;
          const box = map.canvas.getBoundingClientRect();
          const x = (coil.start[at] + coil.end[at]) / 2, y = (coil.left[at] + coil.right[at]) / 2;
          return { x: box.x + MARGIN.left + (x - x0) / (x1 - x0) * (box.width - MARGIN.left - MARGIN.right),
                   y: box.y + MARGIN.top + (y - y0) / (y1 - y0) * (box.height - MARGIN.top - MARGIN.bottom) };
        }""",
        number,
    )


def test_the_pointer_reads_moves_and_opens(closed, visit):
    names = fill_coil(closed, count=6, probability=0.95, labels=("type 1", "type 2"))
    page = visit(allowed=NO_IMAGE)
    open_coil(page)
    assert "6 of 6 defects" in page.inner_text(".said")
    at = point_of(page, 3)
    colour = page.evaluate(
        """at => { const box = maps[0].canvas.getBoundingClientRect();
                   return [...maps[0].context.getImageData(at.x - box.x, at.y - box.y, 1, 1).data] }""",
        at,
    )
    assert colour[:3] == [0xB4, 0x23, 0x18]
    page.mouse.move(at["x"], at["y"])
    page.wait_for_selector(".said:has-text('type 2')")
    assert re.search(r"■ decided · 95 % · 3\.\d+ m · .* mm from the edge .* line-1", page.inner_text(".said"))
    before = view(page)
    page.mouse.wheel(0, -300)
    page.wait_for_selector(".field.over")
    after = view(page)
    assert after["x1"] - after["x0"] < before["x1"] - before["x0"]
    page.mouse.move(at["x"] + 40, at["y"] + 60)
    page.mouse.down()
    page.mouse.move(at["x"] - 60, at["y"] + 60, steps=4)
    page.mouse.up()
    assert view(page)["x0"] > after["x0"]
    assert page.url.endswith("/coils/C17")
    at = point_of(page, 3)
    page.mouse.click(at["x"], at["y"])
    page.wait_for_url(f"**/review?sheet={names[3]}")
    page.wait_for_selector("#sheet")


def test_keys_do_all_that_the_pointer_does(closed, visit):
    names = fill_coil(closed, count=5, probability=0.95)
    page = visit(allowed=NO_IMAGE)
    open_coil(page)
    page.focus("canvas")
    whole = view(page)
    for key in ("+", "+", "*", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    near = view(page)
    assert near["x1"] - near["x0"] == pytest.approx((whole["x1"] - whole["x0"]) / 1.25**2)
    assert near["y1"] - near["y0"] < whole["y1"] - whole["y0"]
    for key in ("/", "-", "-"):
        page.keyboard.press(key)
    page.keyboard.press("0")
    assert view(page) == pytest.approx(whole)
    for key in ("n", "n", "n", "b"):
        page.keyboard.press(key)
    assert "1.067 m" in page.inner_text(".said")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/review?sheet={names[1]}")


def test_filters_change_map_and_table_together(closed, visit):
    fill_coil(closed, count=60, probability=0.95, labels=("type 1", "type 2", "type 2"))
    page = visit(role=Role.VIEWER)
    open_coil(page)
    page.select_option("[name=label]", "type 2")
    page.wait_for_selector(".said:has-text('40 of 60')")
    page.wait_for_selector("#defects:has-text('1 to 40 of 40')")
    page.select_option("[name=label]", "")
    page.wait_for_selector("#defects:has-text('1 to 50 of 60')")
    page.click("#defects nav >> text=Next")
    page.wait_for_selector("#defects:has-text('51 to 60 of 60')")
    page.click("#defects [data-show='59']")
    page.wait_for_selector(".said:has-text('59.067 m')")
    assert page.locator("#defects a[href*='/image']").count() == 10  # a viewer does not review
    assert page.locator("a[href*='/review']").count() == 0


def test_repeat_distances_are_drawn(closed, visit):
    marked(closed)
    page = visit()
    open_coil(page)
    page.wait_for_selector("[data-repeats] td:has-text('1.5000')")
    assert page.evaluate("maps[0].repeats.map(each => each.period)") == pytest.approx([1.5], abs=1e-3)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_printing_gives_a_report_of_at_most_two_pages(closed, visit, scheme):
    fill_coil(closed, count=200, probability=0.95, labels=tuple(f"type {each}" for each in range(30)))
    page = visit(color_scheme=scheme)
    open_coil(page)
    page.wait_for_selector("#repeats [data-repeats]")
    content = page.pdf(format="A4")
    assert int(re.search(rb"/Count (\d+)", content)[1]) in (1, 2)
    assert b"/Subtype /Image" in content
    page.emulate_media(media="print", color_scheme=scheme)
    assert page.is_visible("#picture")
    assert page.is_visible("#report")
    for hidden in (".bar", "canvas", "#filters", "#defects"):
        assert not page.is_visible(hidden), hidden
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    corner = page.evaluate(
        """() => { const picture = document.getElementById('picture');
                   const canvas = document.createElement('canvas');
                   Object.assign(canvas, { width: picture.naturalWidth, height: picture.naturalHeight });
                   const context = canvas.getContext('2d');
                   context.drawImage(picture, 0, 0);
                   return [canvas.width, ...context.getImageData(1, canvas.height - 1, 1, 1).data] }"""
    )
    assert corner == [1800, 0xF4, 0xF4, 0xF4, 255]


@pytest.mark.parametrize("width", [1366, 683])  # 683 is 1366 at a zoom of 200 %
def test_pages_fit_and_names_are_text(closed, visit, width):
    fill_coil(closed, HOSTILE, count=3, labels=("<i>" + "x" * 190,), station="<u>" + "s" * 90)
    page = visit(viewport={"width": width, "height": 768})
    open_coil(page, coil_address(HOSTILE))
    page.focus("canvas")
    page.keyboard.press("n")
    assert "<i>xxx" in page.inner_text(".said")
    assert "\\u202e" in page.inner_text("h1")
    assert page.locator("main i, main u, main b").count() == 0
    for address in (None, "/coils", "/coils/compare"):
        if address:
            page.goto("/".join(page.url.split("/")[:3]) + address)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address


def test_two_maps_move_together(closed, visit):
    fill_coil(closed, "A", count=6)
    fill_coil(closed, "B", count=3, station="line-2")
    page = visit()
    open_coil(page, "/coils/compare?a=A&b=B")
    page.wait_for_selector(f"{DRAWN} >> nth=1")
    assert view(page, 0)["x1"] == view(page, 1)["x1"] == pytest.approx(6.0)
    page.focus("canvas >> nth=1")
    for key in ("+", "+", "ArrowRight"):
        page.keyboard.press(key)
    one, other = view(page, 0), view(page, 1)
    assert (one["x0"], one["x1"]) == pytest.approx((other["x0"], other["x1"]))
    assert one["x0"] > 0


def test_a_map_that_does_not_come_is_told(closed, visit):
    fill_coil(closed, count=3)
    page = visit(allowed=("Failed to load resource", "net::ERR"))
    page.route("**/map", lambda route: route.abort())
    page.goto("/".join(page.url.split("/")[:3]) + "/coils/C17")
    page.wait_for_selector(".said:has-text('could not be loaded')")
    page.focus("canvas")
    page.keyboard.press("n")
    assert "1 to 3 of 3" in page.inner_text("#defects")


def test_the_list_leads_to_a_comparison(closed, visit):
    fill_coil(closed, "A", count=2)
    fill_coil(closed, "B", count=2, station="line-2")
    page = visit()
    page.goto("/".join(page.url.split("/")[:3]) + "/coils")
    assert page.locator("tbody tr").count() == 2
    page.click("thead button")
    page.wait_for_selector(f"{DRAWN} >> nth=1")
    assert "a=" in page.url
