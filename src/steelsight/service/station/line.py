"""Judge what a source yields and write it into the ledger: each sheet once, whatever ends the process."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

from steelsight.errors import BadInput
from steelsight.ledger.chain.draws import AuditPlan
from steelsight.ledger.chain.entries import Entry, Mode, SheetSeen
from steelsight.ledger.chain.event_names import CALIBRATED, JUDGED_BY
from steelsight.ledger.coils.calibration import Calibration
from steelsight.ledger.images.store import ImageStore
from steelsight.plain import plain
from steelsight.runtime.engine.inspector import Inspector
from steelsight.runtime.engine.reading import DecodedImage, read_image
from steelsight.runtime.verdict import Verdict
from steelsight.service.judging.entries import verdict_entry
from steelsight.service.station.recorder import Recorder
from steelsight.service.station.source import Arrival, Source, SourceNotice
from steelsight.types import InputSpec

__all__ = ["Line", "LineReport"]

LATENCIES: Final = 10_000  # of the last sheets, for the report
LONGEST_REASON: Final = 2000  # characters


class _Pending(NamedTuple):
    arrival: Arrival
    received: float  # time.perf_counter()


@dataclass
class LineReport:
    """What a line judged."""

    sheets: int = 0
    known: int = 0  # were in the ledger already, and were not judged again
    states: Counter[str] = field(default_factory=Counter)
    repeated_images: int = 0  # the same bytes as the sheet before: a camera may stand still
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        p50, p99 = np.percentile(self.latencies_ms, [50, 99]) if self.latencies_ms else (None, None)
        values: dict[str, Any] = plain(
            {
                "sheets": self.sheets,
                "known": self.known,
                "states": dict(self.states),
                "repeated_images": self.repeated_images,
                "latency_p50_ms": p50,
                "latency_p99_ms": p99,
            }
        )
        return values


class Line:
    """A station's loop: take sheets, judge them in batches, write them.

    inspector  its verdicts are shown
    shadow     judges the same sheets without being shown; None = none
    store      where images are kept; None = they stay where the source has them
    audit      which sheets are drawn for audit; None = none
    calibration  of the station, from now on; None = the one on record goes on
    """

    def __init__(
        self,
        inspector: Inspector,
        recorder: Recorder,
        *,
        shadow: Inspector | None = None,
        store: ImageStore | None = None,
        audit: AuditPlan | None = None,
        calibration: Calibration | None = None,
        progress: Callable[[LineReport], None] | None = None,
    ) -> None:
        self.report = LineReport()
        self._inspector = inspector
        self._recorder = recorder
        self._shadow = shadow
        self._store = store
        self._audit = audit
        self._calibration = calibration
        self._progress = progress
        self._last_hash: str | None = None
        if shadow is not None and shadow.bundle.card.model_id == inspector.bundle.card.model_id:
            raise BadInput("--shadow: expected another bundle than the one that is shown")

    def run(self, source: Source) -> LineReport:
        """Judge until the source ends.

        raises  BadLedger, BadOutput, LeaseLost: nothing that was reported as written is lost
        """
        self._begin()
        with closing(self._batches(source)) as batches:  # the source ends with the line, whatever ends it
            for batch in batches:
                known = self.known([each.arrival.item for each in batch])
                new = [each for each in batch if each.arrival.item not in known]
                if new:
                    self._judge(new)
                source.written([each.arrival.item for each in batch])
                if self._progress is not None:
                    self._progress(self.report)
        return self.report

    def _begin(self) -> None:
        """Put on record which bundles judge and how images lie on the strip, where that has changed."""
        bundles = [(Mode.LIVE, self._inspector), *([(Mode.SHADOW, self._shadow)] if self._shadow else [])]
        for mode, inspector in bundles:
            classes = list(inspector.class_names)
            details = {"model_id": inspector.bundle.card.model_id, "classes": classes}
            before = self._recorder.change(JUDGED_BY, mode.value, details)
            if before is not None and set(before["classes"]) != set(classes):
                self._recorder.tell(_other_classes(before["classes"], classes))
        if self._calibration is not None:
            self._recorder.change(CALIBRATED, self._recorder.station, self._calibration.as_dict())

    def known(self, items: Sequence[str]) -> set[str]:
        """Which items the ledger has already, so that they need not be read; none where it is away."""
        found = self._recorder.known(items)
        self.report.known += len(found)
        return found

    def _batches(self, source: Source) -> Generator[list[_Pending], None, None]:
        """What has arrived, as soon as nothing more is there or a pass of the engine is full."""
        pending: list[_Pending] = []
        for arrival in source:
            if isinstance(arrival, SourceNotice):
                self._recorder.note(
                    arrival.name, arrival.subject, {"reason": arrival.reason[:LONGEST_REASON]}
                )
                continue
            if arrival is not None:
                pending.append(_Pending(arrival, time.perf_counter()))
            if pending and (arrival is None or len(pending) >= self._inspector.engine.batch):
                yield pending
                pending = []
            if arrival is None:
                self._recorder.idle()
        if pending:
            yield pending

    def _judge(self, batch: Sequence[_Pending]) -> None:
        arrivals = [each.arrival for each in batch]
        verdicts, reads = _inspect(self._inspector, arrivals)
        judged = [(time.perf_counter() - each.received) * 1000 for each in batch]
        shadows = _inspect(self._shadow, arrivals)[0] if self._shadow else []
        groups: list[list[Entry]] = []
        for row, pending in enumerate(batch):
            seen = self._sheet(pending.arrival, reads[row])
            given = verdict_entry(self._inspector, seen.sheet, verdicts[row], latency_ms=judged[row])
            entries: list[Entry] = [seen, given]
            if shadows and self._shadow:
                shadow = (self._shadow, seen.sheet, shadows[row])
                entries.append(verdict_entry(*shadow, mode=Mode.SHADOW, latency_ms=None))
            draw = self._audit.draw(seen.sheet, verdicts[row].label) if self._audit else None
            groups.append([*entries, draw] if draw else entries)
            self.report.states[verdicts[row].state.value] += 1
        self._recorder.write(groups)
        done = time.perf_counter()
        self.report.sheets += len(batch)
        self.report.latencies_ms.extend((done - each.received) * 1000 for each in batch)

    def _sheet(self, arrival: Arrival, read: DecodedImage) -> SheetSeen:
        digest = None if arrival.refused else hashlib.sha256(arrival.content).hexdigest()
        repeated = digest is not None and digest == self._last_hash
        self._last_hash = digest
        self.report.repeated_images += repeated
        image = arrival.image
        if self._store is not None and arrival.content:
            image = self._store.put(arrival.content)
        height, width = read.size if read.gray is not None else (None, None)
        return SheetSeen(
            station=self._recorder.station,
            item=arrival.item,
            image_hash=digest,
            image=image,
            width=width,
            height=height,
            captured_us=arrival.captured_us,
            repeated=repeated,
            **vars(arrival.place),
        )


def _inspect(inspector: Inspector, arrivals: Sequence[Arrival]) -> tuple[list[Verdict], list[DecodedImage]]:
    size = inspector.engine.batch
    reads = [_read(each, inspector.bundle.card.input) for each in arrivals]
    verdicts = [
        verdict
        for start in range(0, len(reads), size)
        for verdict in inspector.inspect_decoded(reads[start : start + size], heatmaps=False)
    ]
    return verdicts, reads


def _other_classes(before: Sequence[str], now: Sequence[str]) -> str:
    added, removed = sorted(set(now) - set(before)), sorted(set(before) - set(now))
    parts = [f"new: {', '.join(added)}"] * bool(added) + [f"no longer there: {', '.join(removed)}"] * bool(
        removed
    )
    return (
        f"the bundle has other classes than the one that this station used before ({'; '.join(parts)}); "
        "earlier verdicts keep their labels"
    )


def _read(arrival: Arrival, spec: InputSpec) -> DecodedImage:
    if arrival.refused is None:
        return read_image(arrival.content, spec)
    return DecodedImage(None, (0, 0), arrival.refused.reason, arrival.refused.detail)
