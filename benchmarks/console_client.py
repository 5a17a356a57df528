"""A person at the console over HTTP: the requests that its pages send, and a service to send them to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from io import BytesIO
from typing import Any, Final

import httpx
import numpy as np
from PIL import Image

from steelsight.ledger.database.open import open_ledger
from steelsight.ledger.writing.writer import open_writer
from steelsight.service.access.accounts import NewAccount, add_account
from steelsight.service.access.login import set_password
from steelsight.service.access.passwords import hasher_of
from steelsight.service.access.roles import Role
from steelsight.service.settings.access import AccessSettings

__all__ = ["PASSWORD", "ConsoleClient", "Shown", "add_people", "add_token", "run_steelsight", "serving"]

STEELSIGHT: Final = (sys.executable, "-c", "from steelsight.cli import main; main()")
PASSWORD: Final = "oil on the third stand"
SAME: Final = {"Sec-Fetch-Site": "same-origin"}  # as a browser sends it from a page of the service
MOST_SKIPPED: Final = 300


@dataclass(frozen=True)
class Shown:
    """A sheet that the page Review was given."""

    sheet: str
    claim: str
    values: Mapping[str, Any]  # what the page's script reads of it

    @property
    def label(self) -> str:
        return str(self.values["label"])


class ConsoleClient:
    """One person; not shared between threads.

    http  a client of the service's address that keeps cookies
    """

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        self.seen: list[str] = []

    @classmethod
    @contextmanager
    def logged_in(cls, address: str, login: str, password: str = PASSWORD) -> Iterator[ConsoleClient]:
        """Log in by the form of the first page."""
        with httpx.Client(base_url=address, headers=SAME, timeout=60.0) as http:
            answer = http.post("/access/login", data={"login": login, "password": password, "next": "/"})
            if answer.status_code != 303:
                raise SystemExit(
                    f"login of {login}: expected 303, got {answer.status_code}: {answer.text[:300]}"
                )
            yield cls(http)

    def claim(self, **wanted: str) -> Shown | None:
        """The next sheet of the queue; None where none waits."""
        found = self._sent("/review/claim", {**wanted, "skip": self.seen[-MOST_SKIPPED:]}, {})
        if found["sheet"] is None:
            return None
        self.seen.append(found["sheet"])
        return Shown(found["sheet"], found["claim"], _sheet_values(found["html"]))

    def image(self, shown: Shown) -> bytes:
        """The image file of a sheet."""
        return self.http.get(f"/api/v1/sheets/{shown.sheet}/image").raise_for_status().content

    def red(self, shown: Shown) -> np.ndarray | None:
        """How red the page's map makes each pixel of a sheet, (h, w) in 0..1; None where it has no map."""
        values = shown.values
        if not values["map_label"]:
            return None
        left, top, right, bottom = (round(edge) for edge in values["map_box"])
        with Image.open(BytesIO(self._map(shown))) as picture:
            pixels = np.asarray(picture.resize((right - left, bottom - top)), dtype=np.float32)
        red = np.zeros((values["height"], values["width"]), dtype=np.float32)
        supports = pixels[..., 0] > pixels[..., 2]
        red[top:bottom, left:right] = np.where(supports, pixels[..., 3], 0) / 255
        return red

    def look(self, shown: Shown) -> None:
        """Fetch what the page shows of a sheet: its image, and its map where it has one."""
        self.image(shown)
        if shown.values["map_label"]:
            self._map(shown)

    def _map(self, shown: Shown) -> bytes:
        address, label = f"/review/sheets/{shown.sheet}/map", shown.values["map_label"]
        return self.http.get(address, params={"label": label}).raise_for_status().content

    def promote(self, model: str, reason: str) -> None:
        """Send the form of the page Models that promotes a bundle."""
        page = self.http.get("/models", headers={"Accept": "text/html"}).raise_for_status().text
        forms = [each for each in _forms(page, "/models/promote") if each.get("model") == model]
        if len(forms) != 1:
            raise SystemExit(f"/models: expected one form that promotes {model}, found {len(forms)}")
        answer = self.http.post("/models/promote", data={**forms[0], "reason": reason})
        if answer.status_code != 303:
            raise SystemExit(f"/models/promote: expected 303, got {answer.status_code}: {answer.text[:300]}")

    def decide(self, shown: Shown, answer: str, **values: Any) -> dict[str, Any]:
        """Send an answer as the page's script does."""
        verdict = shown.values["verdict"]
        content = {
            "sheet": shown.sheet,
            "claim": shown.claim,
            "verdict": verdict and {"writer": verdict[0], "seq": verdict[1]},
            "label": None,
            "nuisance": None,
            "regions": [],
            "mask": None,
            "comment": None,
            "seconds": 1.0,
            "answer": answer,
            **values,
        }
        return self._sent("/review/decide", content, {"Idempotency-Key": os.urandom(16).hex()})

    def _sent(self, path: str, content: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
        answer = self.http.post(path, json=dict(content), headers=dict(headers))
        if answer.is_error:
            raise SystemExit(f"{path}: expected an answer, got {answer.status_code}: {answer.text[:300]}")
        found: dict[str, Any] = answer.json()
        return found


class _SheetValues(HTMLParser):
    """Reads the values that the sheet of the page carries for its script."""

    values: Mapping[str, Any] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "article" and found.get("id") == "sheet":
            self.values = json.loads(str(found["data-values"]))


class _Forms(HTMLParser):
    """Collects the hidden values of the forms with one action."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.action = action
        self.forms: list[dict[str, str]] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "form":
            self._open = found.get("action") == self.action
            if self._open:
                self.forms.append({})
        elif tag == "input" and self._open:
            self.forms[-1][str(found.get("name"))] = str(found.get("value"))


def _forms(html: str, action: str) -> list[dict[str, str]]:
    reader = _Forms(action)
    reader.feed(html)
    return reader.forms


def _sheet_values(html: str) -> Mapping[str, Any]:
    reader = _SheetValues()
    reader.feed(html)
    if reader.values is None:
        raise SystemExit(f"the page's sheet has no values: {html[:300]}")
    return reader.values


def run_steelsight(*words: object, fails: bool = False) -> dict[str, Any]:
    """Run a verb; what it says by --json.

    fails  exit code 1 is an answer too
    """
    command = [*STEELSIGHT, *map(str, words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in ((0, 1) if fails else (0,)):
        raise SystemExit(f"steelsight {' '.join(command[3:])}: code {done.returncode}\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def add_people(address: str, roles: Mapping[str, str]) -> None:
    """Accounts with the password PASSWORD.

    roles  by login
    """
    hashed = hasher_of(AccessSettings.model_validate({})).hash(PASSWORD)
    ledger = open_ledger(address)
    with open_writer(ledger, "accounts") as writer, ledger.write() as connection:
        for login, role in roles.items():
            account = add_account(connection, writer, NewAccount(login, Role(role)), by=None)
            set_password(connection, writer, account.person, hashed, by=None)
    ledger.close()


def add_token(ledger: str, *scopes: str) -> str:
    """The secret of a machine's token."""
    given = [word for scope in scopes for word in ("--scope", scope)]
    return str(run_steelsight("user", "token", "machine", "--ledger", ledger, *given)["secret"])


@contextmanager
def serving(ledger: str, *words: object) -> Iterator[tuple[int, str]]:
    """`steelsight serve` on a ledger; its process and its address."""
    given = ("serve", "--port", 0, "--ledger", ledger, "--set", "log_level=warning", *words)
    process = subprocess.Popen([*STEELSIGHT, *map(str, given)], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said, address = [], None
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"Steelsight on (http://127\.0\.0\.1:\d+)", line):
            address = found[1]
            break
    if address is None:
        raise SystemExit("steelsight serve ended: " + "".join(said[-5:]))
    reader = threading.Thread(target=process.stderr.read, daemon=True)  # a full pipe would stop the service
    reader.start()
    try:
        _wait_until_ready(address)
        yield process.pid, address
    finally:
        process.terminate()
        process.wait(timeout=60)
        reader.join()
        process.stderr.close()


def _wait_until_ready(address: str) -> None:
    for _ in range(600):
        try:
            if httpx.get(address + "/health/live", timeout=5.0).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{address}: expected the service to answer within a minute")
