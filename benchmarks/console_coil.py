"""The map of a coil with many defects in a browser: first paint, and frames a second while it is moved.

    python benchmarks/console_coil.py [--defects 20000] [--turns 5] [--json FILE]

Needs Playwright and Debian's Chromium. Service and browser share the machine; run nothing else meanwhile.
`first paint` is from the request of the page to the end of the map's first frame, by the browser's clock:
`cold`, where the service has not read the coil before, and `warm`, where it has. `pan` moves the whole coil
and a tenth of it by pointer events, one before each frame. Beside the times are the seconds of processors
that the service and all processes of the browser used: they hold on a busy machine too.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from playwright.sync_api import Page, sync_playwright

from steelsight.ledger.chain.entries import Entry, Event, LedgerRegion, SheetSeen, VerdictGiven
from steelsight.ledger.chain.event_names import CALIBRATED
from steelsight.ledger.coils.calibration import Calibration
from steelsight.ledger.database.open import create_ledger
from steelsight.ledger.writing.writer import now_us, open_writer

CHROMIUM: Final = "/usr/bin/chromium"
SIZE: Final = (256, 1600)  # height, width of an image: one metre of the strip
A_SHEET: Final = 10  # defects
LABELS: Final = ("type 1", "type 2", "type 3", "type 4")
BLOCK: Final = 500  # sheets of one transaction
FRAMES: Final = 120
DRAWN: Final = ".map[data-drawn]"
# Frames in which the pointer drags the map to and fro; the milliseconds of each, by requestAnimationFrame.
PAN: Final = """async (frames) => {
  const map = maps[0], canvas = map.canvas, box = canvas.getBoundingClientRect(), y = box.y + box.height / 2;
  const send = (kind, x) => canvas.dispatchEvent(
    new PointerEvent(kind, { clientX: x, clientY: y, pointerId: 1, bubbles: true }));
  const frame = () => new Promise((done) => requestAnimationFrame(done)), spent = [], before = map.frames;
  canvas.setPointerCapture = () => {};
  send("pointerdown", box.x + box.width / 2);
  let last = await frame();
  for (let at = 0; at < frames; at++) {
    send("pointermove", box.x + box.width * (0.5 + 0.3 * Math.sin(at / 8)));
    const now = await frame();
    spent.push(now - last);
    last = now;
  }
  send("pointerup", box.x);
  return { spent, drawn: map.frames - before };
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--defects", type=int, default=20_000)
    parser.add_argument("--turns", type=int, default=5, help="pages that are opened, cold and warm")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measure(options.defects, options.turns)
    text = json.dumps(found)
    if options.json:
        options.json.write_text(text + "\n")
    print(text)


def measure(defects: int, turns: int) -> dict[str, Any]:
    """Medians and the worst of some turns."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coils.db"
        fill(str(path), defects, turns)
        with serving(path) as (service, port), sync_playwright() as running:
            browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1366, "height": 768})
            address = f"http://127.0.0.1:{port}/coils"
            page.goto(address)  # libraries of the service and the browser's own start
            cold = [first_paint(page, f"{address}/coil-{number}", service) for number in range(turns)]
            warm = [first_paint(page, f"{address}/coil-{turns - 1}", service) for _ in range(turns)]
            whole = pan(page, service)
            page.evaluate("maps[0].zoom(10)")
            part = pan(page, service)
            browser.close()
    return {
        "defects": defects,
        "first_paint_cold": spread(cold),
        "first_paint_warm": spread(warm),
        "pan_whole_coil": whole,
        "pan_a_tenth": part,
        "load_average": round(os.getloadavg()[0], 2),
    }


def first_paint(page: Page, address: str, service: int) -> tuple[float, float, float]:
    """Milliseconds from the request to the end of the map's first frame; of processors: service, browser."""
    before = processor_s(service), processor_s(os.getpid(), service)
    page.goto(address)
    page.wait_for_selector(DRAWN)
    drawn = float(page.get_attribute(".map", "data-drawn") or "nan")
    after = processor_s(service), processor_s(os.getpid(), service)
    return drawn, (after[0] - before[0]) * 1000, (after[1] - before[1]) * 1000


def pan(page: Page, service: int) -> dict[str, float]:
    before = processor_s(os.getpid(), service)
    found = page.evaluate(PAN, FRAMES)
    busy = processor_s(os.getpid(), service) - before
    spent = np.array(found["spent"])
    return {
        "frames_per_s": round(1000 * len(spent) / float(spent.sum()), 1),
        "p95_ms": round(float(np.percentile(spent, 95)), 1),
        "browser_cpu_ms_a_frame": round(1000 * busy / FRAMES, 1),
        "drawn": found["drawn"],
        "of": FRAMES,
    }


def spread(values: list[tuple[float, float, float]]) -> dict[str, float]:
    total, service, browser = np.array(values).T
    return {
        "median_ms": round(float(np.median(total)), 1),
        "worst_ms": round(float(total.max()), 1),
        "service_cpu_ms": round(float(np.median(service)), 1),
        "browser_cpu_ms": round(float(np.median(browser)), 1),
    }


def processor_s(root: int, without: int | None = None) -> float:
    """Seconds of processors that a process and those it started have used; one of these can be left out."""
    parents, used = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        number = int(path.parent.name)
        parents[number], used[number] = int(words[1]), int(words[11]) + int(words[12])
    total = 0
    for number in used:
        line = [number]
        while line[-1] in parents:
            line.append(parents[line[-1]])
        total += used[number] if root in line and without not in line else 0
    return total / os.sysconf("SC_CLK_TCK")


def fill(path: str, defects: int, coils: int) -> None:
    """Coils with equally many defects in random places; one sheet in twenty is doubtful."""
    ledger = create_ledger(path)
    scale = Calibration(mm_per_px_along=1000 / SIZE[1], mm_per_px_across=5.0)
    with open_writer(ledger, "line-1") as writer:
        writer.append([Event(name=CALIBRATED, details=scale.as_dict())])
        for number in range(coils):
            rng = np.random.default_rng(number)
            sheets = list(range(-(-defects // A_SHEET)))
            for start in range(0, len(sheets), BLOCK):
                block = [_sheet(f"coil-{number}", each, rng) for each in sheets[start : start + BLOCK]]
                writer.append([entry for pair in block for entry in pair])
    ledger.close()


def _sheet(coil: str, metre: int, rng: np.random.Generator) -> tuple[Entry, Entry]:
    seen = SheetSeen(
        station="line-1",
        item=f"{coil}-{metre}",
        width=SIZE[1],
        height=SIZE[0],
        captured_us=now_us(),
        coil=coil,
        position_m=float(metre),
        length_m=1.0,
    )
    lefts = (np.arange(A_SHEET) * SIZE[1] / A_SHEET).astype(int)  # apart, so that none are joined
    tops = rng.integers(1, SIZE[0] - 30, A_SHEET)
    boxes = [(int(x) + 20, int(y), int(x) + 50, int(y) + 10) for x, y in zip(lefts, tops, strict=True)]
    doubtful = rng.random() < 0.05
    label = str(rng.choice(LABELS))
    verdict = VerdictGiven(
        sheet=seen.sheet,
        bundle="b" * 64,
        label=label,
        probability=0.6 if doubtful else 0.95,
        probabilities={label: 0.6 if doubtful else 0.95},
        state="doubtful" if doubtful else "decided",
        reason="low_confidence" if doubtful else "confident",
        regions=tuple(LedgerRegion(box=box, area_px=300, score=0.9) for box in boxes),
    )
    return seen, verdict


@contextmanager
def serving(path: Path) -> Iterator[tuple[int, int]]:
    """A service on the ledger, open to this machine; its process and its port."""
    words = ["serve", "--open", "--port", "0", "--ledger", str(path), "--set", "log_level=warning"]
    process = subprocess.Popen(["steelsight", *words], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"Steelsight on http://127\.0\.0\.1:(\d+)", line):
            break
    threading.Thread(target=process.stderr.read, daemon=True).start()
    assert found
    try:
        yield process.pid, int(found[1])
    finally:
        process.terminate()
        process.wait(timeout=30)


if __name__ == "__main__":
    main()
