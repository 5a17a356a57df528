"""A ledger whose sheets lie in an image store, with what people say of them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("sqlalchemy", reason="needs the extra [serve]")

from tests.counterfactuals.proof_cases import HEIGHT, WIDTH, make_sheets, stained, steel

from steelsight.ledger.chain.entries import (
    Answer,
    Draw,
    Entry,
    Event,
    LedgerRegion,
    Review,
    SheetSeen,
    VerdictGiven,
)
from steelsight.ledger.database.open import Ledger, create_ledger
from steelsight.ledger.images.store import ImageStore
from steelsight.ledger.writing.writer import Writer, open_writer
from steelsight.types import GrayImage

START_US = 1_790_000_000_000_000  # 2026-09-21 UTC
ANNA, BERT, CARL = ("a" * 32, "b" * 32, "c" * 32)


def png(gray: GrayImage) -> bytes:
    """The bytes of an image file."""
    buffer = io.BytesIO()
    Image.fromarray(gray).save(buffer, "PNG")
    return buffer.getvalue()


def draw(kind: str, number: int) -> GrayImage:
    """A sheet: steel, with a dark bar for a defect, and a white stain where `kind` says so."""
    rng = np.random.default_rng([number, 3])
    gray = steel(rng)
    if "bar" in kind:
        left = int(rng.integers(20, 60))
        gray[8:56, left : left + 5] = 45
    if "stain" in kind:
        gray, _ = stained(gray, top=int(rng.integers(4, 40)), left=int(rng.integers(84, 110)))
    return gray


@dataclass
class Plant:
    """A ledger, its image store, and shorthands for entries."""

    folder: Path
    ledger: Ledger
    store: ImageStore
    clock: int = START_US
    seen: dict[int, SheetSeen] = field(default_factory=dict)
    shown: dict[int, tuple[str, int]] = field(default_factory=dict)
    closing: ExitStack = field(default_factory=ExitStack)
    writer: Writer | None = None

    @property
    def address(self) -> str:
        return str(self.folder / "ledger.db")

    @property
    def images(self) -> str:
        return str(self.folder / "images")

    def write(self, *entries: Entry) -> list[Any]:
        def tick() -> int:
            self.clock += 1_000_000
            return self.clock

        if self.writer is None:
            self.writer = self.closing.enter_context(open_writer(self.ledger, "line-1", clock=tick))
        return self.writer.append(entries)

    def sheet(self, number: int, kind: str = "", label: str = "none", **values: Any) -> SheetSeen:
        """A sheet with a verdict; ten follow each other on a coil."""
        content = values.pop("content", None) or png(draw(kind, number))
        places = values.pop("places", ())
        facts: dict[str, Any] = {
            "station": "line-1",
            "item": f"c{number // 10}/s{number:04}.png",
            "image_hash": self.store.put(content),
            "width": WIDTH,
            "height": HEIGHT,
            "captured_us": START_US + number * 60_000_000,
            "coil": f"C{number // 10}",
        }
        seen = SheetSeen(**(facts | values))
        verdict = VerdictGiven(
            sheet=seen.sheet,
            bundle="b" * 32,
            label=label,
            probability=0.9,
            probabilities={"none": 0.1, "bar": 0.9, "dent": 0.0},
            state="decided",
            reason="confident",
            regions=tuple(LedgerRegion(box=box, area_px=1, score=1.0) for box in places),
        )
        links = self.write(seen, verdict)
        self.seen[number], self.shown[number] = seen, (links[1].writer, links[1].seq)
        return seen

    def review(
        self,
        number: int,
        answer: Answer,
        label: str | None = None,
        *,
        person: str = ANNA,
        boxes: Sequence[tuple[int, int, int, int]] = (),
        **values: Any,
    ) -> tuple[str, int]:
        """What a person says of a sheet; returns the name of the review."""
        regions = tuple(LedgerRegion(box=box, area_px=1, score=1.0) for box in boxes)
        entry = Review(
            sheet=self.seen[number].sheet,
            person=person,
            answer=answer,
            label=label,
            verdict=self.shown[number],
            regions=regions,
            **values,
        )
        link = self.write(entry)[0]
        return link.writer, link.seq

    def draw(self, number: int) -> None:
        """Draw a sheet for audit."""
        facts = {"stratum": "none", "probability": 0.1, "value": 0.01, "key_commitment": "0" * 64}
        self.write(Draw(sheet=self.seen[number].sheet, **facts))

    def event(self, name: str, **details: Any) -> None:
        self.write(Event(name=name, details=details))


def fill(plant: Plant, count: int = 80) -> None:
    """Sheets of one coil in ten: half with a bar, a sixth with a stain; all reviewed.

    The model calls every stained sheet right, and the reviewer says that the reason is the stain.
    """
    for number in range(count):
        kind = ("bar", "", "bar", "stain", "bar", "")[number % 6]
        label = "bar" if kind == "bar" else "none"
        places = [(18, 6, 67, 58)] if kind == "bar" else []
        plant.sheet(number, kind, label, places=places)
        if kind == "stain":
            plant.review(number, Answer.CONFIRMED, label, nuisance="stain")
        else:
            plant.review(number, Answer.CONFIRMED, label)


__all__ = ["ANNA", "BERT", "CARL", "START_US", "Plant", "create_ledger", "draw", "fill", "make_sheets", "png"]
