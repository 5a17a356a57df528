"""What the reviews of one sheet say together.

Of each reviewer the latest review counts; "cannot tell" is no vote. A label stands where more than half of
the reviewers who voted gave it; otherwise the sheet is left out. Marked places are taken from the latest
review with that label: of the defect, or of the wrong reason where a cause is named or a confirmed verdict
has a place marked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from steelsight.adaptation.reviews.reading import GivenAnswer, ReviewedSheet
from steelsight.ledger.chain.entries import Answer

__all__ = ["MARKED", "DecidedSheet", "decide_sheet", "nuisance_name", "types_of"]

MARKED: Final = "marked"  # a wrong reason that was marked and not named
JOINED: Final = " + "
_NAMES: Final = {  # what reviewers write, and what `shortcuts` calls it
    **dict.fromkeys(("edge", "sheet end", "sheet ends"), "end"),
    **dict.fromkeys(("stains", "white stain"), "stain"),
}


@dataclass(frozen=True)
class DecidedSheet:
    """A sheet whose reviews agree on a label."""

    sheet: ReviewedSheet
    label: str
    defect: GivenAnswer | None  # the review whose marks show the defect
    confirmed: GivenAnswer | None  # one that confirms verdict and places that were shown
    reasons: tuple[GivenAnswer, ...]  # reviews that say "right answer, wrong reason", the latest first
    counted: frozenset[tuple[str, int]]  # writer and seq of the reviews that counted


def decide_sheet(sheet: ReviewedSheet) -> DecidedSheet | str:
    """What the reviews of a sheet say together, or the reason why it is left out."""
    latest = {each.person: each for each in sheet.answers}  # in the order they were entered
    votes = [each for each in latest.values() if each.answer is not Answer.UNSURE and each.label]
    if not votes:
        told = {each.answer for each in latest.values()}
        return "its reviewers cannot tell" if Answer.UNSURE in told else "its reviews give no label"
    counts = Counter(_key(each.label) for each in votes)
    best, most = counts.most_common(1)[0]
    if 2 * most <= len(votes):
        told_labels = ", ".join(f"{JOINED.join(key)} ({count})" for key, count in sorted(counts.items()))
        return f"its {len(votes)} reviewers disagree: {told_labels}"
    agreeing = sorted(
        (each for each in votes if _key(each.label) == best),
        key=lambda each: (each.time_us, each.writer, each.seq),
        reverse=True,
    )
    marks = [each for each in agreeing if each.marked and not each.wrong_reason]
    return DecidedSheet(
        sheet=sheet,
        label=JOINED.join(best),
        defect=marks[0] if marks else None,
        confirmed=next(filter(_confirms_places, agreeing), None),
        reasons=tuple(each for each in agreeing if each.wrong_reason),
        counted=frozenset((each.writer, each.seq) for each in votes),
    )


def _confirms_places(answer: GivenAnswer) -> bool:
    """Whether a person saw the places of a verdict and called it right without another reason."""
    seen = answer.answer is Answer.CONFIRMED and not answer.blind and bool(answer.places)
    return seen and not answer.wrong_reason


def _key(label: str | None) -> tuple[str, ...]:
    """Labels of several types are equal in any order."""
    return tuple(sorted((label or "").split(JOINED)))


def types_of(label: str, clean: Collection[str], classes: Collection[str]) -> tuple[str, ...]:
    """The defect types of a label; () for a defect-free sheet.

    clean    names of defect-free classes
    classes  names that the verdicts on the sheet know: one of them may hold " + " itself
    """
    names = (label,) if label in classes else tuple(label.split(JOINED))
    return tuple(dict.fromkeys(name for name in names if name not in clean))


def nuisance_name(answer: GivenAnswer) -> str:
    """The nuisance that a review names, as `shortcuts` calls it.

    >>> _NAMES["sheet end"]
    'end'
    """
    given = (answer.nuisance or MARKED).strip().casefold()
    return _NAMES.get(given, given)
