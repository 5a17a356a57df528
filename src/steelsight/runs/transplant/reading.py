"""Summary of a transplant: scores after the features and after all parts, in numbers and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from steelsight.evaluation.intervals.bounds import FEWEST_GROUPS
from steelsight.evaluation.verdict_scores import SCORES, VerdictScores
from steelsight.inspection.transplant.replace import DIRECTIONS, TransplantScores
from steelsight.plain import plain
from steelsight.reports.cells import cell_text
from steelsight.runs.transplant.run import TransplantResult
from steelsight.types import Interval

__all__ = [
    "SMALL",
    "DonorScores",
    "describe_sheets",
    "describe_transplant",
    "read_donor",
    "transplant_json",
    "undecided_reason",
]

SMALL: Final = 0.05  # a change of a score within it counts as small


@dataclass(frozen=True)
class DonorScores:
    """One donor at the end of the features and with every part that fits; differences are paired."""

    features: dict[str, Interval] | None  # scores once every feature part is the donor's
    features_change: dict[str, Interval] | None  # from the receiver as it is
    whole: dict[str, Interval]  # with every part that fits
    classifier_change: dict[str, Interval] | None  # from the end of the features on; None: no part of it fits
    ahead: dict[str, Interval] | None  # the donor minus this one, at the end of the features; None for itself


def read_donor(done: TransplantResult, donor: str) -> DonorScores:
    """The scores of one donor or control after the features and after all parts."""
    found = done.found
    after, end = found.after_features(donor), found.after_all(donor)
    own = found.after_features(done.donor)

    def change(row: int, other: int) -> dict[str, Interval]:
        return {score: found.scores.difference(row, other, score).difference for score in SCORES}

    return DonorScores(
        None if after is None else {score: found.scores.interval(after.row, score) for score in SCORES},
        None if after is None else change(after.row, 0),
        {score: found.scores.interval(end.row, score) for score in SCORES},
        None if after is None or after.row == end.row else change(end.row, after.row),
        None if donor == done.donor or own is None or after is None else change(own.row, after.row),
    )


def undecided_reason(scores: VerdictScores) -> str:
    """Why no difference of these scores is a conclusion; "" where one can be."""
    if _classes(scores) < 2:
        return "all sheets are of one class, whose recall alone is no balanced accuracy"
    if scores.groups < FEWEST_GROUPS:
        return f"{scores.groups} groups are too few, at least {FEWEST_GROUPS} are needed"
    return ""


def describe_sheets(done: TransplantResult) -> str:
    """What the models are evaluated on: sheets, groups, classes."""
    scores = done.found.scores
    words = (
        f"Evaluated on {done.found.sheets:,} sheets in {scores.groups:,} groups, of {_classes(scores)} of "
        f"{scores.class_groups.size} classes."
    )
    reason = undecided_reason(scores)
    return words if not reason else f"{words} Every difference is undecided: {reason}."


def _classes(scores: VerdictScores) -> int:
    return int((scores.class_groups > 0).sum())


def describe_transplant(done: TransplantResult, score: str = "balanced_accuracy") -> list[str]:
    """The results in words, one or two sentences each.

    score  by which controls are compared; accuracy where one class alone has sheets
    """
    own = read_donor(done, done.donor)
    found = done.found
    if _classes(found.scores) < 2:
        score = "accuracy"
    sentences = [_describe_donor(done, own, score)] if own.features else []
    for control in done.donors[1:]:
        if control.kind != "seed":
            sentences += _describe_control(done, control.name, score)
        else:
            sentences.append(_describe_seed(read_donor(done, control.name), control.name, score))
    for donor, parts in found.left_out.items():
        if parts and donor == done.donor:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in parts.items())
            sentences.append(f"Left out because it does not fit: {reasons}.")
    return sentences


def _describe_donor(done: TransplantResult, own: DonorScores, score: str) -> str:
    before = done.found.scores.interval(0, score).estimate
    if own.features is None or own.features_change is None:
        return ""
    words = (
        f"With every feature part of the {done.donor} {SCORES[score]} goes from {before:.3f} to "
        f"{own.features[score].estimate:.3f} ({_signed(own.features_change[score])})"
    )
    if own.classifier_change is None:
        return words + "."
    return (
        f"{words}; with its classifier as well, as far as that fits, to {own.whole[score].estimate:.3f} "
        f"({_signed(own.classifier_change[score])} further)."
    )


def _describe_control(done: TransplantResult, name: str, score: str) -> list[str]:
    reading, own = read_donor(done, name), read_donor(done, done.donor).features
    if reading.features is None or reading.ahead is None or own is None:
        return []
    meaning = _compare_features(done, reading.ahead[score], own[score].estimate, score)
    return [
        f"Control, {name}: all feature parts from there give {SCORES[score]} "
        f"{reading.features[score].estimate:.3f}, the {done.donor} minus that "
        f"{_signed(reading.ahead[score])}: {meaning}."
    ]


def _compare_features(done: TransplantResult, ahead: Interval, own: float, score: str) -> str:
    """What the donor's features minus a control's show.

    own  the score with the donor's features
    """
    if reason := undecided_reason(done.found.scores):
        return f"undecided, because {reason}"
    if ahead.low > 0:
        return f"the features of the {done.donor} are better"
    if ahead.high < 0:
        return f"the features of the {done.donor} are worse"
    if not (ahead.low > -SMALL and ahead.high < SMALL):
        return "which is better is undecided"
    guess = done.found.majority if score == "accuracy" else 1 / _classes(done.found.scores)
    if own <= guess:
        return f"equal to within {SMALL}, but neither is better than guessing, {guess:.3f}"
    return f"equal to within {SMALL}, so the training of the {done.donor} is not the cause"


def _describe_seed(reading: DonorScores, name: str, score: str) -> str:
    features = reading.features_change
    if features is None:
        return f"Control, {name}: not every feature part fits."
    words = (
        f"Control, {name}, the same task: its features change {SCORES[score]} by {_signed(features[score])}"
    )
    if reading.classifier_change is not None:
        words += f", its classifier by {_signed(reading.classifier_change[score])} further"
    return f"{words}; differences between trainings of one task are expected between two tasks as well."


def _signed(interval: Interval) -> str:
    text = cell_text(interval)
    return text if text.startswith("-") else f"+{text}"


def transplant_json(done: TransplantResult) -> dict[str, Any]:
    """Every number of the report: all steps of all donors, readings, weights, similarities."""
    found = done.found
    answer: dict[str, Any] = plain(
        {
            "receiver": done.receiver,
            "sheets": found.sheets,
            "majority": found.majority,
            "parts": [{"name": part.name, "area": part.area} for part in found.parts],
            "as_it_is": {score: found.scores.interval(0, score) for score in SCORES},
            "donors": [
                {
                    "name": each.name,
                    "kind": each.kind,
                    "what": each.description,
                    "left_out": dict(found.left_out[each.name]),
                    "reading": _reading_json(read_donor(done, each.name)),
                    "steps": {direction: _steps(found, each.name, direction) for direction in DIRECTIONS},
                    "cka": _similarity(done, each.name),
                }
                for each in done.donors
            ],
            "weights": [asdict(change) for change in done.changes],
            "in_words": describe_transplant(done),
            "notes": list(done.notes),
        }
    )
    return answer


def _reading_json(reading: DonorScores) -> dict[str, Any]:
    return {name: getattr(reading, name) for name in reading.__dataclass_fields__}


def _steps(found: TransplantScores, donor: str, direction: Any) -> Sequence[dict[str, Any]]:
    return [
        {
            "part": found.parts[step.position].name if step.position >= 0 else None,
            "taken": [found.parts[i].name for i in step.taken],
            "verdicts_changed": step.changed,
            "scores": {score: found.scores.interval(step.row, score) for score in SCORES},
            "change": {score: found.scores.difference(step.row, 0, score).difference for score in SCORES},
        }
        for step in found.curve(donor, direction)
    ]


def _similarity(done: TransplantResult, donor: str) -> dict[str, Any]:
    similar = done.similar[donor]
    return {
        "sheets": similar.sheets,
        "rows": similar.rows,
        "columns": similar.columns,
        "estimate": similar.estimate.tolist(),
        "same_part": similar.same_place(),
    }
