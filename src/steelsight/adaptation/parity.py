"""Compare the written graph with the head in float64, and choose the precision that runs.

The network below the head is the bundle's, whose parity its own export measured; what is new is the head. For
float32 some of the labelled sheets, of every class in turn, and edge cases are enough. bf16 is held to the
bounds of an export, on as many sheets: labelled ones and their mirrored views.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from jaxtyping import Int, UInt8

from steelsight.adaptation.features import reference_outputs
from steelsight.adaptation.graph import OwnClasses
from steelsight.adaptation.head import AdaptedHead
from steelsight.adaptation.sheets import LabelledSheets, SheetLabels
from steelsight.errors import ParityRefused
from steelsight.groups import group_keys
from steelsight.runtime.bundle.card import Precision
from steelsight.runtime.bundle.open import Bundle
from steelsight.runtime.engine.engine import ENGINES, Outputs, open_engine
from steelsight.runtime.parity.compare import (
    FEWEST,
    Parity,
    ParitySetup,
    compare,
    draw_edge_sheets,
    failures,
    parity_entry,
)
from steelsight.runtime.parity.verify import in_turns, installed_engines, pack_probes
from steelsight.streams import stream
from steelsight.types import GrayBatch

__all__ = ["HeadTrials", "compare_precisions", "parity_record", "probe_arrays"]

# Labelled sheets that float32 is compared on, or the number of probes where that is larger. Rounding may
# move a feature across a limit of the head on one sheet and on no other.
SHEETS: Final = 32
VIEWS: Final = ((), (1,), (2,), (1, 2))  # axes that are mirrored; sheets as they are come first


@dataclass(frozen=True, eq=False)
class HeadTrials:
    """The precision that was chosen, and what was measured."""

    precision: Precision
    parities: dict[Precision, tuple[Parity, ...]]
    broken: dict[Precision, tuple[str, ...]]
    rows: Int[np.ndarray, " m"]  # labelled sheets that float32 was compared on
    source: Outputs  # reference of those sheets
    notes: tuple[str, ...]


def compare_precisions(
    old: Bundle,
    new: Bundle,
    head: AdaptedHead,
    own: OwnClasses,
    sheets: LabelledSheets,
    labels: SheetLabels,
    *,
    probes: int,
    seed: int,
) -> HeadTrials:
    """Compare float32, and bf16 where the old bundle runs at it or at INT8 and the sheets are enough.

    old     the bundle the head was fitted on
    new     the bundle with the written graph and its temperature
    own     the old bundle's number of each class
    probes  sheets that the bundle will carry
    raises  ParityRefused where the float32 graph does not answer as the head
    """
    order = stream(seed, "adapt-parity").permutation(np.flatnonzero(labels.single))
    rows = np.sort(order[in_turns(labels.labels[order], max(SHEETS, probes))])
    images = _with_edges(old, sheets.images[rows])
    source = reference_outputs(old, head, images, own)
    parities: dict[Precision, tuple[Parity, ...]] = {"f32": _measure(new, "f32", source, images)}
    broken: dict[Precision, tuple[str, ...]] = {"f32": _broken(parities["f32"])}
    if broken["f32"]:
        raise ParityRefused(
            f"{old.folder}: the graph with the new head does not agree with the head: "
            f"{'; '.join(broken['f32'])}; nothing was written; report it with the bundle's card"
        )
    notes: tuple[str, ...] = ()
    if old.card.precision != "f32" and len(VIEWS) * order.size >= FEWEST:
        views = _mirrored_views(sheets, labels, order)
        images = _with_edges(old, views.images)
        parities["bf16"] = _measure(new, "bf16", reference_outputs(old, head, images, own), images, views)
        broken["bf16"] = _broken(parities["bf16"])
    elif old.card.precision != "f32":
        notes = (
            f"the bundle ran at {old.card.precision}, the new one runs at float32: {order.size} sheets of "
            f"one type, mirrored too, are fewer than the {FEWEST} that bf16 must be compared on",
        )
    precision = [each for each in parities if not broken[each]][-1]
    return HeadTrials(precision, parities, broken, rows, source.only(slice(rows.size)), notes)


def parity_record(trials: HeadTrials) -> dict[str, Any]:
    """The card's record of parity, in the form of an export's."""
    return {
        precision: parity_entry(parities, trials.broken[precision])
        for precision, parities in trials.parities.items()
    }


def probe_arrays(trials: HeadTrials, sheets: LabelledSheets, labels: SheetLabels, count: int) -> bytes:
    """The bytes of probes.npz: sheets of every class in turn, with the reference's outputs."""
    chosen = in_turns(labels.labels[trials.rows], count)
    return pack_probes(sheets.images[trials.rows[chosen]], trials.source.only(chosen))


@dataclass(frozen=True, eq=False)
class _Views:
    """Sheets as they are and mirrored, FEWEST of them."""

    images: GrayBatch
    labels: Int[np.ndarray, " m"]
    groups: tuple[str, ...]  # views of one sheet stay together


def _mirrored_views(sheets: LabelledSheets, labels: SheetLabels, order: Int[np.ndarray, " n"]) -> _Views:
    keys = group_keys(sheets.groups)
    rows = np.tile(order, len(VIEWS))[:FEWEST]
    parts = [
        np.flip(sheets.images[rows[start : start + order.size]], axes)
        for start, axes in zip(range(0, rows.size, order.size), VIEWS, strict=False)
    ]
    return _Views(np.concatenate(parts), labels.labels[rows], tuple(keys[row] for row in rows.tolist()))


def _with_edges(bundle: Bundle, images: GrayBatch) -> UInt8[np.ndarray, "m h w"]:
    """The images, then edge cases."""
    size = bundle.card.input
    return np.concatenate([images, draw_edge_sheets(size.height, size.width)])


def _measure(
    bundle: Bundle, precision: Precision, source: Outputs, images: GrayBatch, views: _Views | None = None
) -> tuple[Parity, ...]:
    """Parity in every engine that has the precision.

    views  the first of the images, with labels and groups for the loss of balanced accuracy
    """
    card = bundle.card.model_copy(update={"precision": precision})
    names = [name for name in installed_engines() if precision == "f32" or name == ENGINES[0]]
    found = []
    for name in names:
        engine = open_engine(replace(bundle, card=card), name)
        setup = ParitySetup(card.task, card.temperature, engine.about, precision)
        labels, groups = (None, None) if views is None else (views.labels, views.groups)
        rng = np.random.default_rng(0)
        found.append(compare(source, engine(images), setup, labels=labels, groups=groups, rng=rng))
    return tuple(found)


def _broken(parities: tuple[Parity, ...]) -> tuple[str, ...]:
    return tuple(f"{each.engine}: {words}" for each in parities for words in failures(each, fewest=FEWEST))
