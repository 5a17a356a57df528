"""Run the release gate of a bundle: paste nuisances, count flips with its own graph, decide, record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from steelsight.adaptation.gate.decide import count_metric, decide_metric, decide_shortcut
from steelsight.adaptation.gate.options import BundleGateOptions
from steelsight.adaptation.gate.policy import LoadedPolicy, ShortcutLimit, load_gate_policy
from steelsight.adaptation.gate.sheets import GateSheets, open_gate_sheets
from steelsight.counterfactuals.nuisances.nuisance import open_nuisance
from steelsight.counterfactuals.options import ProofSettings
from steelsight.counterfactuals.pasting.counterfactual import Predict
from steelsight.counterfactuals.pasting.doses import FULL
from steelsight.counterfactuals.proof import ShortcutProof, prove_nuisance
from steelsight.errors import BadInput, BadRecipe
from steelsight.evaluation.balanced import balanced_interval
from steelsight.evaluation.intervals.bootstrap import share_interval
from steelsight.names import on_one_line, shown_name
from steelsight.plain import plain
from steelsight.runtime.bundle.card import BundleCard
from steelsight.runtime.bundle.gate import add_gate, refuse_gate_output
from steelsight.runtime.bundle.gate_record import GatedMetric, GatedShortcut, GateRecord
from steelsight.runtime.bundle.open import SIGNATURE_FILE, Bundle, open_bundle
from steelsight.runtime.engine.engine import Engine, open_engine
from steelsight.streams import stream
from steelsight.types import GrayBatch, Interval, Labels, Logits

__all__ = ["BundleGate", "gate_bundle"]

DEFAULT: Final = BundleGateOptions()
RESAMPLES: Final = 1000
SIGN_AGAIN: Final = (
    "the signature, which was of the card before, was removed; sign it with `steelsight bundle sign`"
)


@dataclass(frozen=True, eq=False)
class BundleGate:
    """The outcome of a gate, as it was written into the card."""

    folder: Path  # of the bundle that has the record
    record: GateRecord
    proofs: tuple[ShortcutProof, ...]  # in the order of the policy
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the bundle may be released."""
        return self.record.passed

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values: dict[str, Any] = plain(
            {
                "bundle": str(self.folder),
                "passed": self.passed,
                "record": self.record.model_dump(mode="json"),
                "proofs": [proof.as_dict() for proof in self.proofs],
                "notes": list(self.notes),
            }
        )
        return values


def gate_bundle(
    bundle: Path,
    data: Path,
    policy: Path,
    options: BundleGateOptions = DEFAULT,
    *,
    out: Path | None = None,
    say: Callable[[str], None] = lambda _text: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> BundleGate:
    """Test a bundle by a policy, and write the record into its card, whether it passed or not.

    policy  TOML file, see `adaptation.gate.policy`
    out     BUNDLE folder to write a copy with the record to; None = the bundle itself
    say     called with a description of each step
    now     time of the record, UTC
    raises  BadRecipe for an invalid policy or a multilabel bundle; BadData as `open_gate_sheets`; BadBundle,
            BadOutput; BadInput where nothing can be tested
    """
    opened = open_bundle(bundle)
    refuse_gate_output(opened, out)
    _refuse_task(opened.card, bundle)
    loaded = load_gate_policy(policy, opened.card.class_names)
    say("reading the sheets")
    sheets = open_gate_sheets(data, opened.card, options)
    say(f"{len(sheets.proof)} sheets through the network")
    engine = open_engine(opened, options.engine, threads=options.threads)
    predict, logits = _cached(engine, sheets.proof.images)
    proofs, decisions = [], []
    for limit, nuisance in zip(loaded.limits.shortcut, loaded.nuisances, strict=True):
        say(f"pasting {limit.nuisance}")
        proof = _prove(predict, sheets, limit, nuisance, options)
        proofs.append(proof)
        decisions.append(decide_shortcut(limit, proof, sheets.proof.groups))
    metrics = _metrics(loaded, sheets, logits, options.seed)
    record = _record(opened, engine, loaded, sheets, options, decisions, metrics, now())
    signed = out is None and (opened.folder / SIGNATURE_FILE).exists()
    written = add_gate(opened, record, out)
    notes = (*sheets.notes, *[SIGN_AGAIN] * signed)
    return BundleGate(out or opened.folder, written, tuple(proofs), notes)


def _refuse_task(card: BundleCard, bundle: Path) -> None:
    if card.task == "multilabel":
        raise BadRecipe(
            f"{bundle}: expected a binary or multiclass bundle, got a multilabel one, whose sheets have no "
            "single class"
        )
    if len(card.class_names) < 2:
        raise BadRecipe(
            f"{bundle}: expected at least two classes, got {card.class_names[0]} alone, so that no verdict "
            "can flip"
        )


def _cached(engine: Engine, images: GrayBatch) -> tuple[Predict, Logits]:
    """A predictor that runs the sheets as they are once, and their logits."""
    logits = engine(images).logits
    return (lambda batch: logits if batch is images else engine(batch).logits), logits


def _prove(
    predict: Predict, sheets: GateSheets, limit: ShortcutLimit, nuisance: str, options: BundleGateOptions
) -> ShortcutProof:
    """The proof at full dose, on the same sheets, stamps and places as `shortcuts prove` of the same seed."""
    present = open_nuisance(
        sheets.proof,
        nuisance,
        source=options.groups_from,
        known=sheets.known,
        allow_bad=options.allow_bad,
    )
    settings = ProofSettings(suspected_class=limit.suspect, limit=options.limit, doses=(FULL,), remove=False)
    try:
        return prove_nuisance(predict, sheets.proof, present, settings, rng=stream(options.seed, "proof"))
    except BadInput as error:
        raise type(error)(f"{limit.nuisance}: {error}") from error


def _metrics(loaded: LoadedPolicy, sheets: GateSheets, logits: Logits, seed: int) -> tuple[GatedMetric, ...]:
    limits = loaded.limits.quality
    if limits is None:
        return ()
    verdicts = logits.argmax(axis=1)
    found = [count_metric(limits, len(sheets.proof))]
    if limits.least_accuracy is not None:
        value = _accuracy(verdicts, sheets, seed)
        found.append(decide_metric("accuracy", value, limits.least_accuracy))
    if limits.least_balanced_accuracy is not None:
        value = _balanced(verdicts, sheets, logits.shape[1], seed)
        found.append(decide_metric("balanced accuracy", value, limits.least_balanced_accuracy))
    return tuple(found)


def _accuracy(verdicts: Labels, sheets: GateSheets, seed: int) -> Interval:
    """Share of verdicts that are one of the right answers; by groups."""
    pairs = zip(verdicts.tolist(), sheets.answers, strict=True)
    right = np.array([verdict in answers for verdict, answers in pairs], dtype=bool)
    rng = stream(seed, "gate-accuracy")
    return share_interval(right, np.ones_like(right), sheets.proof.groups, rng=rng, resamples=RESAMPLES)


def _balanced(verdicts: Labels, sheets: GateSheets, classes: int, seed: int) -> Interval:
    """Mean recall over the classes, of sheets of one type."""
    single = np.flatnonzero(sheets.proof.labels >= 0)
    groups = [sheets.proof.groups[row] for row in single.tolist()]
    rng = stream(seed, "gate-balanced")
    labels = sheets.proof.labels[single]
    return balanced_interval(labels, verdicts[single], classes, groups, rng=rng, resamples=RESAMPLES)


def _record(
    bundle: Bundle,
    engine: Engine,
    loaded: LoadedPolicy,
    sheets: GateSheets,
    options: BundleGateOptions,
    decisions: list[GatedShortcut],
    metrics: tuple[GatedMetric, ...],
    made: datetime,
) -> GateRecord:
    return GateRecord(
        made=made.strftime("%Y-%m-%dT%H:%M:%SZ"),
        model_id=bundle.card.model_id,
        engine=engine.about,
        policy=on_one_line(shown_name(loaded.path.name)),
        policy_sha256=loaded.sha256,
        lists=loaded.lists,
        data=sheets.name,
        data_hash=sheets.data_hash,
        sheets=len(sheets.proof),
        groups=sheets.groups,
        limit=options.limit,
        seed=options.seed,
        shortcuts=tuple(decisions),
        metrics=metrics,
        passed=all(each.outcome == "passed" for each in decisions)
        and all(each.outcome == "passed" for each in metrics),
    )
