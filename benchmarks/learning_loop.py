"""From a reviewer's mark at the console to a promoted bundle without the shortcut; JSON as its last line.

    python benchmarks/learning_loop.py [--work DIR] [--json FILE] [--markdown FILE]

A network learns from generated sheets on which a white stain means "none". It judges a line; one scripted
reviewer looks at image and map of each sheet of the queue by the requests of the page Review, until forty
sheets are marked "right answer, wrong reason: stain". The verbs then export, prove, repair, export the bundle
and gate it, and the page Models promotes it. Flips are counted twice on sheets that nothing learnt from: by
the gate, which pastes stains, and by the running service, which is sent each defective sheet twice: as it is,
and with a stain that the generator drew, equal pixel for pixel elsewhere.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from console_client import ConsoleClient, Shown, add_people, add_token, run_steelsight, serving
from planted_sheets import CLEAN, SYNTHETIC, Sheet, Source, box_around, planted, write_data
from steelsight.evaluation.intervals.bootstrap import wilson
from steelsight.sheets.rle import encode_mask

NUISANCE: Final = "nuisance_stain.csv"
A_COIL: Final = 10  # sheets
NEAR: Final = 2.0  # times as red on the stain as on the whole sheet: the map lies on it
POLICY: Final = '[[shortcut]]\nnuisance = "{list}"\nmost_flipped = {most}\n'


@dataclass(frozen=True)
class Plan:
    """How many sheets, and how the network is trained."""

    train: int = 1000
    line: int = 220
    unseen: int = 1000
    marks: int = 40
    stains: tuple[float, float] = (0.7, 0.01)  # share of the sheets without and with a defect
    epochs: int = 8
    most_flipped: float = 0.05  # limit of the gate, for the upper bound
    recipe: Sequence[str] = (
        *("height=64", "width=400", "split.method=stratified", "model.pretrained=steel"),
        *("split.train=.7", "split.validation=.2", "split.test=.1", "threads=1"),
    )


@dataclass
class Loop:
    """One walk through the whole chain in a folder."""

    folder: Path
    plan: Plan = field(default_factory=Plan)
    source: Source = SYNTHETIC
    found: dict[str, Any] = field(default_factory=dict)
    known: dict[str, Sheet] = field(default_factory=dict)  # by the hash of the image: the reviewer's eyes

    @property
    def ledger(self) -> str:
        return str(self.folder / "ledger.db")

    def path(self, name: str) -> Path:
        return self.folder / name

    def walk(self) -> dict[str, Any]:
        """Every step in turn; what was found."""
        steps = (self.learn_shortcut, self.judge_line, self.review, self.prove, self.repair, self.release)
        for step in steps:
            with self._timed(step.__name__):
                step()
            print(step.__name__, json.dumps(self.found.get(step.__name__)), flush=True)
        return self.found

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.found.setdefault("seconds", {})[name] = round(time.perf_counter() - started, 1)

    # ---- a network with a shortcut, and a line that it judges ----

    def learn_shortcut(self) -> None:
        """Sheets on which a stain means none, a run that learns from them, and its bundle."""
        plan, data = self.plan, self.path("learnt")
        write_data(data, planted(self.source, 1, plan.train, plan.stains))
        settings = [word for each in plan.recipe for word in ("--set", each)]
        run = self.path("planted_run")
        run_steelsight("train", data, "--out", run, "--epochs", plan.epochs, "--seed", 1, *settings)
        self._export(run, self.path("planted"))

    def _export(self, run: Path, bundle: Path) -> None:
        words = ("export", run, "--data", self.path("learnt"), "--out", bundle, "--precision", "f32")
        run_steelsight(*words)

    def judge_line(self) -> None:
        """The bundle judges sheets of the same kind into a ledger; images are kept."""
        camera = self.path("camera")
        camera.mkdir()
        for number, sheet in enumerate(planted(self.source, 2, self.plan.line, self.plan.stains)):
            name = f"C{number // A_COIL:03}_{number % A_COIL}.jpg"
            (camera / name).write_bytes(sheet.content)
            self.known[hashlib.sha256(sheet.content).hexdigest()] = sheet
        run_steelsight("ledger", "init", self.ledger)
        words = ("line", self.path("planted"), camera, "--ledger", self.ledger, "--station", "line-1")
        more = ("--images", self.path("images"), "--pattern", "{coil}_{position_m}.jpg", "--idle", 2)
        self.found["judge_line"] = {"sheets": run_steelsight(*words, *more)["sheets"]}

    # ---- the reviewer ----

    def review(self) -> None:
        """One person decides sheet after sheet of the queue, until enough are marked; then the export."""
        add_people(self.ledger, {"anna": "operator", "eva": "engineer"})
        counts: dict[str, int] = {}
        with self.serving() as address, ConsoleClient.logged_in(address, "anna") as anna:
            while counts.get("wrong reason: stain", 0) < self.plan.marks:
                shown = anna.claim(order="newest", only="all")
                if shown is None:
                    break
                said = self._answer(anna, shown)
                counts[said] = counts.get(said, 0) + 1
        words = ("reviews", "export", self.ledger, "--images", self.path("images"), "--places")
        done = run_steelsight(*words, "--out", self.path("reviewed"))
        (listed,) = [each for each in done["nuisances"] if each["file"] == NUISANCE]
        self.found["review"] = {
            "reviews": sum(counts.values()),
            "answers": counts,
            "exported": done["sheets"],
            "listed": {"with": listed["with_it"], "without": listed["without"], "kind": listed["kind"]},
        }

    def _answer(self, anna: ConsoleClient, shown: Shown) -> str:
        """What she says of one sheet, from its image and its map; returns the kind of answer."""
        sheet = self.known[hashlib.sha256(anna.image(shown)).hexdigest()]
        classes, clean = shown.values["classes"], shown.values["clean"]
        if (shown.label == clean) is sheet.defective:
            label = next(name for name in classes if (name == clean) is not sheet.defective)
            mask = encode_mask(sheet.defect) if sheet.defective else None
            anna.decide(shown, "corrected", label=label, mask=mask)
            return "missed defect, painted" if sheet.defective else "another class"
        red = anna.red(shown) if sheet.stain.any() else None
        if red is None or red[sheet.stain].mean() < NEAR * red.mean():
            anna.decide(shown, "confirmed")
            return "right"
        anna.decide(shown, "confirmed", nuisance="stain", regions=[box_around(sheet.stain)])
        return "wrong reason: stain"

    # ---- the verbs ----

    def prove(self) -> None:
        """The reviewers' list proves the shortcut on the reviewed sheets."""
        reviewed = self.path("reviewed")
        words = ("shortcuts", "prove", self.path("planted_run"), reviewed, "--nuisance", reviewed / NUISANCE)
        done = run_steelsight(*words, "--split", "all", "--groups", "column:coil")
        proof = done["proof"]
        flips = None if proof["pasted"] is None else proof["pasted"]["flips"]
        self.found["prove"] = {"verdict": proof["verdict"], "flips": flips, "because": proof["because"]}

    def repair(self) -> None:
        """The run is repaired against the list, and a bundle is made of the outcome."""
        write_data(self.path("unseen"), planted(self.source, 3, self.plan.unseen, (0.1, 0.1)))
        words = ("shortcuts", "repair", self.path("planted_run"), self.path("learnt"), "--cures", "paste")
        more = ("--nuisance", self.path("reviewed") / NUISANCE, "--judges", self.path("unseen"))
        done = run_steelsight(*words, *more, "--limit", self.plan.unseen, "--out", self.path("repair"))
        after = done["after"][0]
        self.found["repair"] = {
            "chosen": done["chosen"],
            "accuracy_before": done["before"]["metrics"]["accuracy"],
            "accuracy_after": after["metrics"]["accuracy"],
            "accuracy_change": after["change"]["accuracy"],
            "right_with_and_without_before": done["before"]["robust_share_on_validation"],
            "right_with_and_without_after": after["robust_share_on_validation"],
        }
        self._export(self.path("repair") / "paste", self.path("candidates") / "repaired")

    # ---- gate and promotion ----

    def release(self) -> None:
        """The gate refuses the bundle before and passes the repaired one, which is promoted."""
        policy = self.path("policy.toml")
        policy.write_text(POLICY.format(list=f"reviewed/{NUISANCE}", most=self.plan.most_flipped))
        before = self._gate(self.path("planted"), "--out", self.path("planted_gated"))
        after = self._gate(self.path("candidates") / "repaired")
        if not after["passed"]:
            raise SystemExit(f"the gate refuses the repaired bundle: {json.dumps([before, after])}")
        model = after.pop("model_id")
        token = add_token(self.ledger, "inspect", "read")
        pairs = list(self._pairs())
        with self.serving("--set", f"gate_policy={policy}") as address:
            flips = {"before": _count_flips(address, token, pairs)}
            with ConsoleClient.logged_in(address, "eva") as eva:
                eva.promote(model, "repaired against the stains of anna's list")
            flips["after"] = _count_flips(address, token, pairs)
        clean = run_steelsight("ledger", "verify", self.ledger)["clean"]
        gates = {"before": before, "after": after}
        self.found["release"] = {"gate": gates, "promoted": model, "service": flips, "ledger_clean": clean}

    def _gate(self, bundle: Path, *words: object) -> dict[str, Any]:
        given = ("gate", bundle, self.path("unseen"), "--policy", self.path("policy.toml"), *words)
        done = run_steelsight(*given, "--limit", self.plan.unseen, fails=True)
        (part,) = done["record"]["shortcuts"]
        kept = {name: part[name] for name in ("outcome", "flipped", "excess", "pasted")}
        return {"passed": done["passed"], **kept, "model_id": done["record"]["model_id"]}

    def _pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """Unseen defective sheets without and with a stain."""
        for number in range(self.plan.unseen):
            if self.source.is_defective(4, number):
                bare, stained = (self.source.draw(4, number, stain) for stain in (False, True))
                if stained.stain.any():  # there was room beside the defect
                    yield bare.content, stained.content

    # ---- sheets and the service ----

    @contextmanager
    def serving(self, *words: object) -> Iterator[str]:
        """The console on the ledger; the planted bundle is the one of the settings."""
        candidates = self.path("candidates")
        candidates.mkdir(exist_ok=True)
        given = ("--bundle", self.path("planted"), "--images", self.path("images"))
        with serving(self.ledger, *given, "--set", f"candidates={candidates}", *words) as (_, address):
            yield address


def _count_flips(address: str, token: str, pairs: Sequence[tuple[bytes, bytes]]) -> dict[str, Any]:
    """How many right verdicts on defective sheets a stain turns into none, judged by the running service."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "image/jpeg"}
    right = flipped = 0
    with httpx.Client(base_url=address, headers=headers, timeout=60.0) as client:
        for bare, stained in pairs:
            before, after = (
                client.post("/api/v1/inspect", content=each).raise_for_status().json()["label"]
                for each in (bare, stained)
            )
            right += before != CLEAN
            flipped += before != CLEAN and after == CLEAN
    share = wilson(flipped, right)
    bounds = {"share": share.estimate, "low": share.low, "high": share.high}
    return {"sheets": len(pairs), "right": right, "flipped": flipped, **bounds}


def markdown(found: dict[str, Any]) -> str:
    """The rows of docs/results/console.md."""
    release, repair = found["release"], found["repair"]
    rows = {
        "flips by stains of the generator, judged by the service": [
            f"{_bounds(each['share'], each['low'], each['high'])}, {each['flipped']} of {each['right']}"
            for each in (release["service"]["before"], release["service"]["after"])
        ],
        "flips by stains that the gate pasted": [
            f"{_bounds(*each['flipped'])} of {each['pasted']}: {each['outcome']}"
            for each in (release["gate"]["before"], release["gate"]["after"])
        ],
        "accuracy": [
            _bounds(each["estimate"], each["low"], each["high"])
            for each in (repair["accuracy_before"], repair["accuracy_after"])
        ],
    }
    lines = ["| unseen sheets | before | after |", "|---|---|---|"]
    return "\n".join(lines + [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]) + "\n"


def _bounds(share: float, low: float, high: float) -> str:
    return f"{share:.1%} [{low:.1%}, {high:.1%}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, help="folder that is kept; default: a temporary one")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        found = Loop(work).walk()
    found["load_average"] = round(os.getloadavg()[0], 2)
    print(markdown(found))
    text = json.dumps(found)
    for path, content in ((options.json, text + "\n"), (options.markdown, markdown(found))):
        if path:
            path.write_text(content)
    print(text)


if __name__ == "__main__":
    main()
