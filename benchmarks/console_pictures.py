"""The pictures of the operator's guide: pages of the console on a generated coil.

    python benchmarks/console_pictures.py [--out docs/pictures]

Needs Playwright and Debian's Chromium. A service judges generated sheets alone; pictures are 1366 pixels
wide, with as many colours as keep each below 150 kB.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from steelsight.runs.plant.live_coil import CALIBRATION, PATTERN, LiveCoil, write_live

CHROMIUM: Final = "/usr/bin/chromium"
SHEETS: Final = 110  # two coils of 70 sheets, the second one not yet whole
A_COIL: Final = 70
MARKED_M: Final = 52.8  # where the sheets of two pictures begin, by looking at those of this seed
STAINED_M: Final = 51.2
SEED: Final = 0
MOST_BYTES: Final = 150_000
SIZE: Final = {"width": 1366, "height": 768}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        coil = LiveCoil(seed=SEED, name="G1130", sheets=A_COIL)
        incoming = Path(folder) / "incoming"
        incoming.mkdir()
        write_live(incoming, coil, 1e9, wait=lambda _: None, count=SHEETS)
        with serving(Path(folder)) as origin, sync_playwright() as running:
            wait_until_judged(origin)
            browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport=SIZE, locale="en-GB")
            options.out.mkdir(parents=True, exist_ok=True)
            for name, take in (
                ("review", review),
                ("wrong-reason", wrong_reason),
                ("line", line),
                ("coil", coils),
            ):
                take(page, origin)
                page.wait_for_timeout(500)  # images and maps are painted
                content = page.screenshot()
                path = options.out / f"console-{name}.png"
                path.write_bytes(small(content))
                print(f"{path}: {path.stat().st_size} bytes")
            browser.close()


def review(page: Page, origin: str) -> None:
    """A doubtful sheet: a roll mark beside a stain."""
    open_sheet(page, origin, MARKED_M)


def wrong_reason(page: Page, origin: str) -> None:
    """A stained sheet after W and S, with a box around the stain."""
    open_sheet(page, origin, STAINED_M)
    page.keyboard.press("w")
    page.keyboard.press("s")
    box = page.locator("#view").bounding_box()
    assert box
    top, bottom = box["y"] + box["height"] * 0.15, box["y"] + box["height"] * 0.85
    page.mouse.move(box["x"] + box["width"] * 0.77, top)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.87, bottom, steps=5)
    page.mouse.up()


def open_sheet(page: Page, origin: str, metre: float) -> None:
    """The sheet of the first coil that begins at a metre, in Review."""
    found = [
        each for each in read(f"{origin}/api/v1/sheets?limit=500") if f"-0001_{metre:.2f}_" in each["item"]
    ]
    page.goto(f"{origin}/review?sheet={found[0]['sheet']}")
    page.wait_for_selector("#map-name:has-text('Map of')")
    page.wait_for_timeout(2000)  # the nearest reviewed sheets


def line(page: Page, origin: str) -> None:
    """The live page."""
    page.goto(f"{origin}/line")
    page.wait_for_selector("#newest li")
    page.wait_for_selector("#chart canvas")
    page.wait_for_timeout(2000)  # thumbnails


def coils(page: Page, origin: str) -> None:
    """The map of the first coil, with the distance of the roll mark."""
    names = sorted(each["coil"] for each in read(f"{origin}/api/v1/coils"))
    page.goto(f"{origin}/coils/{names[0]}")
    page.wait_for_selector("[data-repeats]", timeout=120_000)
    page.wait_for_selector(".map[data-drawn]")


def read(address: str) -> list[dict[str, Any]]:
    """The items of a list of the API."""
    with urllib.request.urlopen(address) as answer:
        items: list[dict[str, Any]] = json.load(answer)["items"]
    return items


def small(content: bytes) -> bytes:
    """The same picture in few enough colours."""
    image = Image.open(io.BytesIO(content)).convert("RGB")
    for colours in (256, 128, 96, 64, 48, 32, 24, 16):
        buffer = io.BytesIO()
        image.quantize(colours, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
            buffer, "PNG", optimize=True
        )
        if buffer.tell() < MOST_BYTES:
            return buffer.getvalue()
    raise SystemExit(f"expected a picture below {MOST_BYTES} bytes, got {buffer.tell()}")


def wait_until_judged(origin: str) -> None:
    for _ in range(600):
        found = sum(each["sheets"] for each in read(f"{origin}/api/v1/coils"))
        if found >= SHEETS:
            return
        time.sleep(0.5)
    raise SystemExit(f"expected {SHEETS} judged sheets within 5 minutes, found {found}")


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A service that watches the folder, open to this machine; its address."""
    calibration = folder / "calibration.toml"
    calibration.write_text(CALIBRATION)
    given = {
        "watch": folder / "incoming",
        "ledger": folder / "console.db",
        "images": folder / "images",
        "pattern": PATTERN,
        "calibration": calibration,
        "log_level": "warning",
    }
    sets = [word for name, value in given.items() for word in ("--set", f"{name}={value}")]
    command = ["steelsight", "serve", "--open", "--port", "0", *sets]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    found = None
    for text in process.stderr:
        if found := re.search(r"Steelsight on (http://127\.0\.0\.1:\d+)", text):
            break
    threading.Thread(target=process.stderr.read, daemon=True).start()
    assert found
    try:
        yield found[1]
    finally:
        process.terminate()
        process.wait(timeout=30)


if __name__ == "__main__":
    main()
