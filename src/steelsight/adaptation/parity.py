"""Compare the written graph with the head in float64, and choose the precision that runs.

The network below the head is the bundle's, whose parity its own export measured; what is new is the head. So
the sheets at hand are enough: labelled ones, other views of them, and edge cases.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from jaxtyping import Int

from steelsight.adaptation.features import reference_outputs
from steelsight.adaptation.graph import OwnClasses
from steelsight.adaptation.head import AdaptedHead
from steelsight.adaptation.sheets import LabelledSheets, SheetLabels
from steelsight.errors import ParityRefused
from steelsight.runtime.bundle.card import Precision
from steelsight.runtime.bundle.open import Bundle
from steelsight.runtime.engine.engine import ENGINES, Outputs, open_engine
from steelsight.runtime.parity.compare import Parity, ParitySetup, compare, draw_edge_sheets, failures
from steelsight.runtime.parity.verify import installed_engines, pack_probes
from steelsight.streams import stream
from steelsight.types import GrayBatch

__all__ = ["HeadTrials", "compare_precisions", "parity_record", "probe_arrays"]

# Labelled sheets to compare on, at most. Float32 agrees on every sheet or on none; the share of verdicts that
# bf16 changes needs many.
SHEETS: Final[dict[Precision, int]] = {"f32": 32, "bf16": 200}


@dataclass(frozen=True, eq=False)
class HeadTrials:
    """The precision that was chosen, and what was measured."""

    precision: Precision
    parities: dict[Precision, tuple[Parity, ...]]
    broken: dict[Precision, tuple[str, ...]]
    rows: Int[np.ndarray, " m"]  # labelled sheets that were compared
    source: Outputs  # reference of those sheets


def compare_precisions(
    old: Bundle, new: Bundle, head: AdaptedHead, own: OwnClasses, sheets: LabelledSheets, seed: int
) -> HeadTrials:
    """Compare float32, and bf16 where the old bundle runs at it or at INT8.

    old     the bundle the head was fitted on
    new     the bundle with the written graph and its temperature
    own     the old bundle's number of each class
    raises  ParityRefused where the float32 graph does not answer as the head
    """
    wanted: tuple[Precision, ...] = ("f32",) if old.card.precision == "f32" else ("f32", "bf16")
    most = max(SHEETS[each] for each in wanted)
    rows = np.sort(stream(seed, "adapt-parity").permutation(len(sheets.ids))[:most])
    height, width = old.card.input.height, old.card.input.width
    images = np.concatenate([sheets.images[rows], draw_edge_sheets(height, width)])
    source = reference_outputs(old, head, images, own)
    parities = {each: _measure(new, each, source, images) for each in wanted}
    broken = {each: _broken(parities[each]) for each in wanted}
    if broken["f32"]:
        raise ParityRefused(
            f"{old.folder}: the graph with the new head does not agree with the head: "
            f"{'; '.join(broken['f32'])}; nothing was written; report it with the bundle's card"
        )
    precision = [each for each in wanted if not broken[each]][-1]
    return HeadTrials(precision, parities, broken, rows, source.only(slice(rows.size)))


def parity_record(trials: HeadTrials) -> dict[str, Any]:
    """The card's record of parity, in the form of an export's."""
    return {
        precision: {
            "passed": not trials.broken[precision],
            "broken": list(trials.broken[precision]),
            "ms_a_sheet": None,
            "engines": [parity.as_dict() for parity in parities],
        }
        for precision, parities in trials.parities.items()
    }


def probe_arrays(trials: HeadTrials, sheets: LabelledSheets, labels: SheetLabels, count: int) -> bytes:
    """The bytes of probes.npz: sheets of every class in turn, with the reference's outputs."""
    turns: list[tuple[int, int, int]] = []
    counts: dict[int, int] = {}
    for place, row in enumerate(trials.rows.tolist()):
        label = int(labels.labels[row])
        turns.append((counts.setdefault(label, 0), label, place))
        counts[label] += 1
    chosen = np.array(sorted(place for _, _, place in sorted(turns)[:count]))
    return pack_probes(sheets.images[trials.rows[chosen]], trials.source.only(chosen))


def _measure(bundle: Bundle, precision: Precision, source: Outputs, images: GrayBatch) -> tuple[Parity, ...]:
    card = bundle.card.model_copy(update={"precision": precision})
    names = [name for name in installed_engines() if precision == "f32" or name == ENGINES[0]]
    found = []
    for name in names:
        engine = open_engine(replace(bundle, card=card), name)
        setup = ParitySetup(card.task, card.temperature, engine.about, precision)
        found.append(compare(source, engine(images), setup, rng=np.random.default_rng(0)))
    return tuple(found)


def _broken(parities: tuple[Parity, ...]) -> tuple[str, ...]:
    return tuple(f"{each.engine}: {words}" for each in parities for words in failures(each, fewest=1))
