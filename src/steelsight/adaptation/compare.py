"""Is the new head better than the bundle's own, on sheets it was not fitted to?

The new head is written where balanced accuracy or defect AUC is clearly higher, or the log loss clearly lower
with neither of the two estimated lower; and where neither of the two, nor the balanced accuracy on the
classes that the bundle has, is clearly lower. "Clearly" means that the 95 % interval of the paired difference
leaves out 0. The log loss tells heads apart that the other two cannot tell on a hundred sheets. So that it
measures the head and not its temperature, the bundle's own head gets one that is fitted to the other folds.
Intervals resample groups; a figure is the mean over the repetitions of the cross-validation, which share
their resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.adaptation.classes import ClassPlan
from steelsight.adaptation.nested import NestedScores
from steelsight.adaptation.sheets import SheetLabels
from steelsight.evaluation.abstention.calibration import fit_temperature
from steelsight.evaluation.confusion import balanced_accuracy, weighted_margins
from steelsight.evaluation.curves.roc import weighted_auc
from steelsight.evaluation.intervals.bootstrap import CountMetric, bootstrap_counts
from steelsight.evaluation.probabilities import softmax
from steelsight.plain import plain
from steelsight.streams import stream
from steelsight.types import Interval

__all__ = ["HeadComparison", "HeadGain", "compare_heads", "log_losses", "own_probabilities"]

Answers = Float[np.ndarray, "r n c"]  # probabilities of each repetition
Losses = Float[np.ndarray, "r n"]  # -log of the probability of a sheet's class
LEAST: Final = 1e-6  # probability in a log loss


@dataclass(frozen=True)
class HeadGain:
    """One figure of the bundle's own head and of the new one, on the same sheets."""

    own: Interval
    new: Interval
    gain: Interval  # new minus own, paired


@dataclass(frozen=True)
class HeadComparison:
    """The figures, and why the new head is not better; no reason = it is."""

    balanced_accuracy: HeadGain  # sheets of one type or none
    defect_auc: HeadGain | None  # all sheets; None where none is defect-free or all are
    shared: HeadGain | None  # balanced accuracy on classes that the bundle has; None = it has all
    reasons: tuple[str, ...]
    log_loss: HeadGain | None = None  # its gain is own minus new; None where the bundle lacks a class

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the card and JSON."""
        values: dict[str, Any] = plain(asdict(self))
        return values


def own_probabilities(
    logits: Float[np.ndarray, "n m"], plan: ClassPlan, temperature: float
) -> Float[np.ndarray, "n c"]:
    """Probabilities of the bundle's own head in the new classes: 0 for classes that it does not have.

    The probability of its defect-free class is that of all its classes; what is left goes to the types that
    the new head has too, in proportion. So its defect AUC is its own, whatever becomes of its types.
    """
    own = softmax(logits.astype(np.float64), temperature=temperature)
    found = np.zeros((len(logits), len(plan.names)))
    clean = plan.own[0] if plan.clean is not None else None
    columns = [
        number
        for number, old in enumerate(plan.own)
        if old is not None and not (number == 0 and plan.clean is not None)
    ]
    left = np.ones(len(logits))
    if clean is not None:
        found[:, 0] = own[:, clean]
        left = 1 - own[:, clean]
    if columns:
        kept = logits[:, [old for number in columns if (old := plan.own[number]) is not None]]
        found[:, columns] = left[:, None] * softmax(kept.astype(np.float64), temperature=temperature)
    return found


def log_losses(
    logits: Float[np.ndarray, "n m"], scores: NestedScores, labels: SheetLabels, plan: ClassPlan
) -> tuple[Losses, Losses] | None:
    """Losses of the bundle's own head, (1, n), and of the new one; None where the bundle lacks a class.

    logits  of the bundle's own head, whose temperature is fitted to the folds that a sheet is not in
    """
    columns = [old for old in plan.own if old is not None]
    if len(columns) < len(plan.own):
        return None
    kept, rows = logits[:, columns].astype(np.float64), np.arange(len(logits))
    own = np.zeros((1, len(logits)))
    for others, test in scores.folds:
        fit = others[labels.single[others]]
        shown = softmax(kept[test], temperature=fit_temperature(kept[fit], labels.labels[fit]))
        own[0, test] = -np.log(np.maximum(shown[np.arange(len(test)), labels.labels[test]], LEAST))
    new = np.stack([softmax(each)[rows, labels.labels] for each in scores.logits])
    return own, -np.log(np.maximum(new, LEAST))


def compare_heads(
    labels: SheetLabels,
    own: Float[np.ndarray, "q n c"],
    new: Answers,
    plan: ClassPlan,
    groups: Sequence[str],
    seed: int,
    losses: tuple[Losses, Losses] | None = None,
) -> HeadComparison:
    """Compare out-of-fold probabilities of the new head with the bundle's own.

    own     of the bundle, once, or of another head
    new     of the new head, of each repetition
    losses  as `log_losses` gives them; None = they are not compared
    """
    gain = _Gain(groups, seed)
    single, known = labels.single, np.array([own is not None for own in plan.own])
    balanced = gain(*(_balanced(labels.labels, single, each) for each in (own, new)))
    defect = shared = None
    if plan.clean is not None:
        defective = labels.labels > 0
        if 0 < defective.sum() < defective.size:
            defect = gain(*(_areas(defective, 1 - each[..., 0]) for each in (own, new)))
    if not known.all() and known.sum() > 1:
        among = single & known[labels.labels]
        shared = gain(*(_balanced(labels.labels, among, each) for each in (own, new)))
    loss = None if losses is None else gain(*(_mean_loss(single, each) for each in losses[::-1]))
    figures = {"balanced accuracy": balanced, "defect AUC": defect}
    measured = {name: each for name, each in figures.items() if each is not None}
    reasons = []
    surer = loss is not None and loss.gain.low > 0 and all(m.gain.estimate >= 0 for m in measured.values())
    if not surer and not any(each.gain.low > 0 for each in measured.values()):
        told = measured | ({} if loss is None else {"log loss": _turned(loss)})
        words = ", ".join(f"{name} {_words(each)}" for name, each in told.items())
        reasons.append(f"{words}: a lower bound must be above 0")
    for name, each in (measured | {"balanced accuracy on the bundle's classes": shared}).items():
        if each is not None and each.gain.high < 0:
            reasons.append(f"{name} {_words(each)}: clearly lower")
    return HeadComparison(balanced, defect, shared, tuple(reasons), loss and _turned(loss))


def _turned(loss: HeadGain) -> HeadGain:
    """A log loss whose gain was measured as own minus new: above 0 where the new one is lower."""
    return HeadGain(loss.new, loss.own, loss.gain)


def _mean_loss(among: Bool[np.ndarray, " n"], losses: Losses) -> CountMetric:
    """Mean over the sheets of one class, averaged over repetitions."""
    each = losses[:, among].mean(axis=0)

    def score(times: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
        weights = times[:, among]
        mean: Float[np.ndarray, " b"] = weights @ each / np.maximum(weights.sum(axis=1), 1)
        return mean

    return score


def _words(each: HeadGain) -> str:
    gain = each.gain
    return (
        f"{each.own.estimate:.3f} of the bundle, {each.new.estimate:.3f} of the new head, a gain of "
        f"{gain.estimate:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"
    )


class _Gain:
    """Intervals of two metrics and of their difference, on the same resamples."""

    def __init__(self, groups: Sequence[str], seed: int) -> None:
        self.groups = list(groups)
        self.seed = seed

    def __call__(self, own: CountMetric, new: CountMetric) -> HeadGain:
        return HeadGain(*(self._interval(each) for each in (own, new, lambda times: new(times) - own(times))))

    def _interval(self, metric: CountMetric) -> Interval:
        rng = stream(self.seed, "adapt-intervals")
        return bootstrap_counts(metric, len(self.groups), self.groups, rng=rng)


def _balanced(labels: Int[np.ndarray, " n"], among: Bool[np.ndarray, " n"], answers: Answers) -> CountMetric:
    """Mean recall over the classes, averaged over repetitions; NaN where a resample lost a class."""
    classes = answers.shape[2]
    present = np.bincount(labels[among], minlength=classes) > 0

    def score(times: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
        found = []
        for each in answers:
            counts = weighted_margins(labels[among], each[among].argmax(axis=1), classes, times[:, among])
            lost = (counts.sheets[:, present] == 0).any(axis=1)
            found.append(np.where(lost, np.nan, balanced_accuracy(counts)))
        mean: Float[np.ndarray, " b"] = np.mean(found, axis=0)
        return mean

    return score


def _areas(defective: Bool[np.ndarray, " n"], scores: Float[np.ndarray, "r n"]) -> CountMetric:
    """Defect AUC, averaged over repetitions."""

    def score(times: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
        mean: Float[np.ndarray, " b"] = np.mean(
            [weighted_auc(defective, each, times) for each in scores], axis=0
        )
        return mean

    return score
