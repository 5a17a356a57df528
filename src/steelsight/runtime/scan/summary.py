"""Summarise a scan from its parts: counts, the least certain sheets, bad files, drift."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from steelsight.csv_text import csv_text
from steelsight.evaluation.abstention.label_sets import set_words
from steelsight.files import replace_file, write_json
from steelsight.runtime.bundle.card import BundleCard
from steelsight.runtime.certificate_check import CertificateFinding, open_monitor
from steelsight.runtime.drift import Drift, class_shares, compare_statistics
from steelsight.runtime.scan.output import QUARANTINE, SUMMARY
from steelsight.types import Reason, State

__all__ = ["SHOWN", "ScanSummary", "ShownSheet", "summarise", "write_summary"]

SHOWN: Final = 60  # sheets on the contact sheet
LISTED: Final = 200  # bad files in the report; quarantine.csv lists all
RANK: Final = {State.UNKNOWN_INPUT.value: 0, State.DOUBTFUL.value: 1, State.DECIDED.value: 2}
_NUMBERS: Final = ("gray_mean", "gray_spread", "probability", "distance")


@dataclass(frozen=True)
class ShownSheet:
    """A sheet shown in the report."""

    index: int
    name: str
    label: str
    probability: float
    state: State
    size: tuple[int, int]
    boxes: tuple[tuple[int, int, int, int], ...]  # in original pixels
    label_set: tuple[str, ...] = ()  # classes that it may be


@dataclass
class ScanSummary:
    """A scan in numbers; they do not depend on when or how fast it ran."""

    sheets: int = 0
    states: Counter[str] = field(default_factory=Counter)
    labels: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))  # states a label
    reasons: Counter[str] = field(default_factory=Counter)
    bad: list[tuple[str, str, str]] = field(default_factory=list)  # name, reason, detail; the first LISTED
    shown: list[ShownSheet] = field(default_factory=list)  # unknown, doubtful, decided; least confident first
    drift: list[Drift] = field(default_factory=list)
    label_sets: Counter[str] = field(default_factory=Counter)  # of the doubtful sheets, in words
    certificate: CertificateFinding | None = None  # None = the bundle has nothing that could be refuted

    @property
    def transient(self) -> int:
        """Sheets whose reason may pass: the same scan, run again, tries them again."""
        return sum(count for reason, count in self.reasons.items() if Reason(reason).transient)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "sheets": self.sheets,
            "states": {state.value: self.states[state.value] for state in State},
            "labels": {label: dict(sorted(found.items())) for label, found in sorted(self.labels.items())},
            "reasons": dict(sorted(self.reasons.items())),
            "label_sets": dict(sorted(self.label_sets.items())),
            "drift": [each.as_dict() for each in self.drift],
            "certificate": None if self.certificate is None else self.certificate.as_dict(),
        }


def summarise(
    out: Path, parts: Iterable[pa.Table], card: BundleCard, *, repeated: bool = False
) -> ScanSummary:
    """Summarise the parts of a scan, and write quarantine.csv; raises BadOutput.

    repeated  whether the same scan is summarised again and again, with ever more sheets
    """
    summary = ScanSummary()
    monitor = open_monitor(card, repeated=repeated)
    numbers: dict[str, list[Any]] = {name: [] for name in _NUMBERS}
    shares = np.zeros(len(card.class_names))
    doubt: list[tuple[int, float, int, ShownSheet]] = []
    bad: list[tuple[object, ...]] = [("index", "name", "reason", "detail", "transient")]
    for part in parts:
        summary.sheets += len(part)
        good = part.filter(pc.not_equal(part["state"], State.BAD_IMAGE.value))
        _count(summary, part, good)
        for name in _NUMBERS:
            numbers[name].append(good[name].to_numpy().astype(np.float32))
        if monitor is not None:
            monitor.add(numbers["probability"][-1], numbers["distance"][-1])
        shares += len(good) * np.array(class_shares(good["label"].to_pylist(), card.class_names))
        doubt = heapq.nsmallest(SHOWN, [*doubt, *_doubt(good)])
        for row in _bad(part):
            bad.append((*row, "yes" if Reason(row[2]).transient else "no"))
            if len(summary.bad) < LISTED:
                summary.bad.append(row[1:])
    summary.shown = [each for *_, each in doubt]
    summary.certificate = None if monitor is None else monitor.result()
    if card.usual is not None:
        values_by_name = {
            name: np.concatenate(values) if values else np.empty(0, np.float32)
            for name, values in numbers.items()
        }
        values_by_name["confidence"] = values_by_name.pop("probability")
        readable = max(1, sum(summary.states.values()) - summary.states[State.BAD_IMAGE.value])
        summary.drift = compare_statistics(
            card.usual, values_by_name, (shares / readable).tolist(), card.class_names
        )
    replace_file(out / QUARANTINE, csv_text(bad))
    return summary


def write_summary(out: Path, summary: ScanSummary, **more: Any) -> None:
    """Write summary.json; raises BadOutput."""
    write_json(out / SUMMARY, {**summary.as_dict(), **more})


def _count(summary: ScanSummary, part: pa.Table, good: pa.Table) -> None:
    for column, counts in (("state", summary.states), ("reason", summary.reasons)):
        for each in pc.value_counts(part[column]).to_pylist():
            counts[each["values"]] += each["counts"]
    for label, state, count in _pairs(good):
        summary.labels[label][state] += count
    doubtful = good.filter(pc.equal(good["state"], State.DOUBTFUL.value))
    summary.label_sets.update(set_words(names) for names in doubtful["label_set"].to_pylist() if names)


def _pairs(good: pa.Table) -> Iterable[tuple[str, str, int]]:
    grouped = good.group_by(["label", "state"], use_threads=False).aggregate([("index", "count")])
    columns: Mapping[str, list[Any]] = grouped.to_pydict()
    return zip(columns["label"], columns["state"], columns["index_count"], strict=True)


def _doubt(good: pa.Table) -> list[tuple[int, float, int, ShownSheet]]:
    """The SHOWN least certain sheets of a part, each behind the values that order them."""
    ranks = np.array([RANK[state] for state in good["state"].to_pylist()], dtype=np.int64)
    order = np.lexsort((good["index"].to_numpy(), good["probability"].to_numpy(), ranks))[:SHOWN]
    rows = good.select(
        ["index", "name", "label", "probability", "state", "label_set", "regions", "height", "width"]
    ).take(order)
    ranked = []
    for row in rows.to_pylist():
        boxes = tuple((r["left"], r["top"], r["right"], r["bottom"]) for r in row["regions"])
        size, state = (row["height"], row["width"]), State(row["state"])
        shown = ShownSheet(
            row["index"],
            row["name"],
            row["label"],
            row["probability"],
            state,
            size,
            boxes,
            tuple(row["label_set"]),
        )
        ranked.append((RANK[state], shown.probability, shown.index, shown))
    return ranked


def _bad(part: pa.Table) -> list[tuple[int, str, str, str]]:
    bad = part.filter(pc.equal(part["state"], State.BAD_IMAGE.value)).to_pydict()
    return list(zip(bad["index"], bad["name"], bad["reason"], bad["detail"], strict=True))
