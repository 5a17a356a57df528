"""The console in a browser: delay of the live page, reviews a minute beside 20 others, weight of the pages.

    python benchmarks/console.py [--seconds 30] [--review-seconds 60] [--pace 3] [--json FILE]

Needs Playwright and Debian's Chromium. Service, browser and clients share the machine; run nothing else
meanwhile. The clients are reviewers who send what the page sends and take `--pace` seconds for a sheet. The
map of a coil has its own benchmark, `console_coil.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page, sync_playwright
from sqlalchemy import func, select

from console_browser import LivePage, ReviewPage, log_in, page_weights, spread
from console_client import ConsoleClient, add_people, run_steelsight, serving
from steelsight.ledger.chain.entries import Entry, LedgerRegion, SheetSeen, VerdictGiven
from steelsight.ledger.database import schema
from steelsight.ledger.database.open import Ledger, create_ledger
from steelsight.ledger.images.store import ImageStore
from steelsight.ledger.writing.writer import now_us, open_writer
from steelsight.runtime.bundle.default import default_bundle
from steelsight.runtime.bundle.open import open_bundle

CHROMIUM: Final = "/usr/bin/chromium"
SIZE: Final = (256, 1600)  # height, width of an image
CLIENTS: Final = 20
BATCH_S: Final = 0.02  # a station's append
WARM_S: Final = 2.0  # not counted
BLOCK: Final = 200  # sheets of one transaction
PAGES: Final = (
    *("/", "/line", "/coils", "/coils/C0", "/coils/compare?a=C0&b=C1", "/review", "/quality", "/models"),
    *("/admin", "/admin/tokens", "/admin/stations", "/admin/retention", "/audit"),
)


@dataclass(frozen=True)
class Plant:
    """A ledger with judged sheets that wait for review, and their images."""

    folder: Path
    ledger: Ledger
    hashes: Sequence[str]  # of the images, which repeat
    model: str
    names: Sequence[str]  # classes

    @property
    def address(self) -> str:
        return str(self.folder / "console.db")

    def judged(self, number: int) -> tuple[Entry, Entry]:
        """A sheet and its verdict; every third is doubtful, every fifth defective."""
        digest = self.hashes[number % len(self.hashes)]
        seen = SheetSeen(
            station="line-1",
            item=f"s{number:06}.jpg",
            image_hash=digest,
            image=digest,
            width=SIZE[1],
            height=SIZE[0],
            captured_us=now_us(),
            coil=f"C{number // 1000}",
            position_m=number % 1000 * 1.6,
            length_m=1.6,
        )
        label = self.names[1 + number % (len(self.names) - 1)] if number % 5 == 0 else self.names[0]
        probability = 0.55 if number % 3 == 0 else 0.97
        rest = (1 - probability) / (len(self.names) - 1)
        verdict = VerdictGiven(
            sheet=seen.sheet,
            bundle=self.model,
            label=label,
            probability=probability,
            probabilities={name: probability if name == label else rest for name in self.names},
            state="doubtful" if number % 3 == 0 else "decided",
            reason="low_confidence" if number % 3 == 0 else "confident",
            regions=(LedgerRegion(box=(300, 60, 420, 190), area_px=9000, score=1.0),) * (number % 5 == 0),
            latency_ms=6.5,
        )
        return seen, verdict

    def write(self, numbers: range) -> None:
        with open_writer(self.ledger, "line-1") as writer:
            for start in range(numbers.start, numbers.stop, BLOCK):
                block = range(start, min(start + BLOCK, numbers.stop))
                writer.append([entry for number in block for entry in self.judged(number)])

    def write_paced(self, start: int, rate: float, seconds: float) -> dict[str, float]:
        """Verdicts at a rate; when each was on disk, in ms since 1970, by its sheet."""
        total, done, begin = int(rate * seconds), 0, time.monotonic()
        committed: dict[str, float] = {}
        with open_writer(self.ledger, "line-1") as writer:
            while done < total:
                due = min(total, int((time.monotonic() - begin) * rate) + 1)
                pairs = [self.judged(start + number) for number in range(done, due)]
                if pairs:
                    writer.append([entry for pair in pairs for entry in pair])
                    committed.update((seen.sheet, time.time() * 1000) for seen, _ in pairs)
                    done = due
                time.sleep(BATCH_S)
        return committed

    def reviews(self) -> dict[str, int]:
        """Reviews in the ledger, sheets that have one, and reviews with a painted mask."""
        reviews, marks = schema.reviews, schema.review_marks
        query = select(func.count(), func.count(reviews.c.sheet.distinct()))
        with self.ledger.read() as connection:
            count, sheets = connection.execute(query).one()
            masks = connection.execute(select(func.count(marks.c.mask))).scalar_one()
        return {"in_ledger": int(count), "sheets": int(sheets), "masks_in_ledger": int(masks)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30, help="of verdicts for the live page")
    parser.add_argument("--review-seconds", type=float, default=60, help="of reviews, of either kind")
    parser.add_argument("--turns", type=int, default=40, help="sheets by keys, nobody else at work")
    parser.add_argument("--pace", type=float, default=3.0, help="seconds of a client for a sheet")
    parser.add_argument("--waiting", type=int, default=3000, help="sheets in the queue")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options)
    text = json.dumps(found)
    if options.json:
        options.json.write_text(text + "\n")
    print(text)


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    plant = prepare(folder, options.waiting)
    people = {f"reviewer-{number}": "operator" for number in range(CLIENTS)}
    add_people(plant.address, {"boss": "admin", **people})
    given = ("--images", folder / "images", "--set", "alarms=false")
    with serving(plant.address, *given) as (_, address), sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = log_in(browser, address, "boss")
        found: dict[str, Any] = {"weights_kb": page_weights(browser, page, address, PAGES)}
        _say(found)
        page.goto(f"{address}/line")
        found["live"] = live(page, plant, options.waiting, options.seconds)
        _say(found)
        page.goto(f"{address}/review?order=newest")
        reviewing = ReviewPage(page)
        found["next_sheet"] = reviewing.paced(options.turns)
        _say(found)
        with ExitStack() as opened:
            clients = [opened.enter_context(ConsoleClient.logged_in(address, login)) for login in people]
            found["together"] = together(reviewing, clients, plant, options)
        browser.close()
    found["ledger_clean"] = run_steelsight("ledger", "verify", plant.address)["clean"]
    found["load_average"] = round(os.getloadavg()[0], 2)
    plant.ledger.close()
    return found


def _say(found: dict[str, Any]) -> None:
    name = list(found)[-1]
    print(name, json.dumps(found[name]), "load", round(os.getloadavg()[0], 2), flush=True)


def prepare(folder: Path, waiting: int) -> Plant:
    """Forty generated images, and sheets that wait."""
    words = ["synth", str(folder / "drawn"), "--count", "40", "--seed", "5"]
    subprocess.run(["steelsight", *words], check=True, capture_output=True)
    store = ImageStore(folder / "images")
    hashes = [store.put(path.read_bytes()) for path in sorted((folder / "drawn").rglob("*.jpg"))]
    card = open_bundle(default_bundle()).card
    ledger = create_ledger(str(folder / "console.db"))
    plant = Plant(folder, ledger, hashes, card.model_id, card.class_names)
    plant.write(range(waiting))
    return plant


def live(page: Page, plant: Plant, start: int, seconds: float, rate: float = 50.0) -> dict[str, Any]:
    """Milliseconds from the commit of a verdict until the page has painted it."""
    shown = LivePage(page)
    committed = plant.write_paced(start, rate, seconds)
    page.wait_for_timeout(3000)
    seen = shown.seen_at(list(committed))
    begin = min(committed.values()) + WARM_S * 1000
    late = [seen[sheet] - at for sheet, at in committed.items() if at > begin and sheet in seen]
    return {
        **spread(late),
        "rate_per_s": rate,
        "verdicts": len(committed),
        "missed": len(committed) - len(seen),
    }


@dataclass
class Reviewer:
    """A person who confirms sheet after sheet over HTTP; one thread."""

    client: ConsoleClient
    pace_s: float
    sent: int = 0
    error: BaseException | None = None

    def work(self, stop: threading.Event, begin_s: float) -> None:
        stop.wait(begin_s)
        try:
            while not stop.is_set():
                shown = self.client.claim(order="newest", only="all")
                if shown is None:
                    return
                self.client.look(shown)
                stop.wait(self.pace_s)
                self.client.decide(shown, "confirmed")
                self.sent += 1
        except BaseException as error:  # noqa: BLE001  told by the main thread
            self.error = error


def together(
    page: ReviewPage, clients: Sequence[ConsoleClient], plant: Plant, options: argparse.Namespace
) -> dict[str, Any]:
    """Reviews a minute of one browser beside the clients on one queue; what the ledger has of them."""
    stop = threading.Event()
    people = [Reviewer(client, options.pace) for client in clients]
    begins = [number * options.pace / len(people) for number in range(len(people))]
    threads = [
        threading.Thread(target=each.work, args=(stop, begin))
        for each, begin in zip(people, begins, strict=True)
    ]
    started = time.monotonic()
    for each in threads:
        each.start()
    confirmed = page.confirm_for(options.review_seconds)
    painted = page.paint_for(options.review_seconds)
    stop.set()
    for each in threads:
        each.join()
    spent = time.monotonic() - started
    by_clients, by_browser = sum(each.sent for each in people), page.decided()
    kept = plant.reviews()
    return {
        "confirm": confirmed,
        "painted_mask": painted,
        "clients": len(people),
        "clients_pace_s": options.pace,
        "clients_per_min": round(60 * by_clients / spent, 1),
        "sent": by_clients + by_browser,
        **kept,
        "lost": by_clients + by_browser - kept["in_ledger"],
        "double": kept["in_ledger"] - kept["sheets"],
        "refused_in_browser": page.refusals(),
        "errors_of_clients": [repr(error)[:300] for error in _errors(people)],
    }


def _errors(people: Sequence[Reviewer]) -> Iterator[BaseException]:
    for each in people:
        if each.error is not None:
            yield each.error


if __name__ == "__main__":
    main()
