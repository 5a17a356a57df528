"""What a person sees of the console in a browser, and when: the pages Line and Review, and their weight."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from playwright.sync_api import Browser, Page

from console_client import PASSWORD

__all__ = ["LivePage", "ReviewPage", "log_in", "page_weights", "spread"]

VIEWPORT: Final = {"width": 1366, "height": 768}
SETTLE_MS: Final = 1500  # what a page still loads after its event `load`
LONGEST_S: Final = 30.0
# Tiles of the live page as they are painted: time by the clock of the machine, and their sheets.
TILES: Final = """() => {
  window.tiles = [];
  const note = (changes) => {
    const added = changes.flatMap((each) => [...each.addedNodes]);
    const sheets = added.map((node) => node.dataset && node.dataset.sheet).filter(Boolean);
    if (sheets.length) requestAnimationFrame(() => setTimeout(() => window.tiles.push([Date.now(), sheets])));
  };
  new MutationObserver(note).observe(document.getElementById("newest"), { childList: true });
}"""
# When a key was pressed, and when image and map of each sheet were first on the screen: the frame after the
# one that drew them has begun.
PAINTED: Final = """() => {
  window.painted = {};
  window.drawnMaps = {};
  window.pressed = 0;
  const draw = CanvasRenderingContext2D.prototype.drawImage;
  CanvasRenderingContext2D.prototype.drawImage = function (image, ...rest) {
    const found = /sheets\\/([0-9a-f]{32})\\/(image|map)/.exec(image.src || "");
    const times = found && (found[2] === "image" ? window.painted : window.drawnMaps);
    if (found && !(found[1] in times)) {
      times[found[1]] = 0;
      requestAnimationFrame(() => (times[found[1]] = performance.now()));
    }
    return draw.call(this, image, ...rest);
  };
  addEventListener("keydown", (event) => (window.pressed = event.timeStamp), true);
}"""
SHOWN: Final = "() => JSON.parse(document.querySelector('#sheet')?.dataset.values || '{}').sheet || null"
READY: Final = """(before) => {
  const element = document.querySelector("#sheet");
  const sheet = element && JSON.parse(element.dataset.values).sheet;
  return sheet && sheet !== before && window.painted[sheet] ? [sheet, window.painted[sheet]] : null;
}"""
WAITING: Final = (
    "() => Object.keys(localStorage).filter((name) => name.startsWith('steelsight.outbox')).length"
)


def log_in(browser: Browser, address: str, login: str) -> Page:
    """A page of a person who has logged in."""
    page = browser.new_context(viewport=VIEWPORT).new_page()
    page.goto(address)
    page.fill("[name=login]", login)
    page.fill("[name=password]", PASSWORD)
    page.click("main button")
    page.wait_for_selector("text=Logged in as")
    return page


def spread(values: Sequence[float]) -> dict[str, float]:
    """Percentiles in milliseconds."""
    found = np.array(values)
    return {
        "p50_ms": round(float(np.percentile(found, 50)), 1),
        "p95_ms": round(float(np.percentile(found, 95)), 1),
        "worst_ms": round(float(found.max()), 1),
        "of": found.size,
    }


class LivePage:
    """The page Line, which is open already."""

    def __init__(self, page: Page) -> None:
        self._page = page
        page.wait_for_selector("#newest")
        page.wait_for_timeout(1000)  # the stream is open
        page.evaluate(TILES)

    def seen_at(self, sheets: Sequence[str]) -> dict[str, float]:
        """When each sheet was on the page, in ms since 1970: in a tile or, with more than fit, on the strip.

        sheets  in the order in which they were written
        """
        numbers = {sheet: number for number, sheet in enumerate(sheets)}
        seen: dict[str, float] = {}
        done = 0
        for at, tiles in self._page.evaluate("() => window.tiles"):
            newest = max((numbers[sheet] + 1 for sheet in tiles if sheet in numbers), default=0)
            seen.update((sheet, float(at)) for sheet in sheets[done:newest])
            done = max(done, newest)
        return seen


class ReviewPage:
    """The page Review, which is open already; sheets are decided by keys."""

    def __init__(self, page: Page) -> None:
        self._page = page
        page.evaluate(PAINTED)
        page.wait_for_selector("#sheet")
        page.wait_for_timeout(SETTLE_MS)
        self._shown: str = page.evaluate(SHOWN)

    def paced(self, turns: int, pause_ms: int = 800) -> dict[str, Any]:
        """Milliseconds from the key to the next sheet on the screen, which was fetched before."""
        sheets, maps = [], []
        for _ in range(turns):
            sheets.append(self._press("Enter"))
            self._page.wait_for_timeout(pause_ms)
            drawn = self._page.evaluate("(sheet) => window.drawnMaps[sheet] - window.pressed", self._shown)
            maps += [drawn] if drawn and drawn > 0 else []
        return {**spread(sheets), "map": spread(maps) if maps else None}

    def confirm_for(self, seconds: float) -> dict[str, Any]:
        """Confirm as fast as sheets are painted."""
        return self._repeat(seconds, lambda: self._press("Enter"))

    def paint_for(self, seconds: float) -> dict[str, Any]:
        """Right answer, wrong reason, with a painted mask, as fast as sheets are painted."""
        return self._repeat(seconds, self._paint)

    def decided(self) -> int:
        """How many answers the page counts, when all are sent."""
        ends = time.monotonic() + LONGEST_S
        while self._page.evaluate(WAITING) and time.monotonic() < ends:
            self._page.wait_for_timeout(100)
        return int(self._page.inner_text("#done")) - int(self._page.evaluate(WAITING))

    def refusals(self) -> int:
        """Whether the page says that an answer was refused."""
        return int(self._page.get_attribute("#banner", "data-kind") == "refusal")

    def _repeat(self, seconds: float, act: Any) -> dict[str, Any]:
        started, spent = time.monotonic(), []
        while time.monotonic() - started < seconds:
            spent.append(act())
        return {"per_min": round(60 * len(spent) / (time.monotonic() - started), 1), **spread(spent)}

    def _press(self, key: str) -> float:
        """Press a key that decides; milliseconds until the next sheet is on the screen."""
        self._page.keyboard.press(key)
        ends = time.monotonic() + LONGEST_S
        while (found := self._page.evaluate(READY, self._shown)) is None:
            if time.monotonic() > ends:
                raise SystemExit(f"expected another sheet within {LONGEST_S} s after the key {key}")
            self._page.wait_for_timeout(5)
        self._shown = found[0]
        return float(found[1]) - float(self._page.evaluate("() => window.pressed"))

    def _paint(self) -> float:
        page = self._page
        page.keyboard.press("w")
        page.keyboard.press("s")
        page.keyboard.press("f")
        area = page.locator("#view").bounding_box()
        assert area is not None
        left, top = area["x"] + area["width"] * 0.4, area["y"] + area["height"] * 0.5
        page.mouse.move(left, top)
        page.mouse.down()
        page.mouse.move(left + 150, top + 12, steps=12)
        page.mouse.move(left + 20, top + 24, steps=12)
        page.mouse.up()
        return self._press("Enter")


def page_weights(browser: Browser, page: Page, address: str, paths: Sequence[str]) -> dict[str, Any]:
    """Kilobytes over the network of each page at the first load, without images.

    page  of a person who has logged in
    """
    cookies = page.context.storage_state()
    return {path: _weight(browser, cookies, address + path) for path in paths}


def _weight(browser: Browser, cookies: Any, address: str) -> dict[str, Any]:
    context = browser.new_context(viewport=VIEWPORT, storage_state=cookies)
    opened = context.new_page()
    network = context.new_cdp_session(opened)
    kinds: dict[str, str] = {}
    sizes: dict[str, float] = {}
    network.on("Network.responseReceived", lambda each: kinds.update({each["requestId"]: each["type"]}))
    network.on(
        "Network.loadingFinished", lambda each: sizes.update({each["requestId"]: each["encodedDataLength"]})
    )
    network.send("Network.enable")
    answer = opened.goto(address)
    opened.wait_for_timeout(SETTLE_MS)
    context.close()
    counted = {each: size for each, size in sizes.items() if kinds.get(each) not in ("Image", None)}
    return {
        "kb": round(sum(counted.values()) / 1000, 1),
        "requests": len(counted),
        "status": None if answer is None else answer.status,
    }
