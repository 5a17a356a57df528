"""What the page says of covered places, by one rule: no sentence claims more than was tried."""

from __future__ import annotations

from collections.abc import Sequence

from steelsight.names import on_one_line, shown_name
from steelsight.service.pages.review.evidence.covered import CoverAnswer, Covered, CoverFinding
from steelsight.service.pages.words import Words

__all__ = ["finding_words", "without_words"]


def without_words(words: Words, place: int, before: CoverAnswer, answers: Sequence[CoverAnswer]) -> str:
    """What the bundle answers without one place.

    place    its number on the page, from 1
    answers  by the fills that were tried; none = it cannot be covered
    """
    number = words.number(place)
    if not answers:
        return words(
            "Place %(place)s cannot be covered: there is too little steel in or around it", place=number
        )
    if not all(each.familiar for each in answers):
        return words(
            "Without place %(place)s: not known, the covered sheet is unlike every training sheet",
            place=number,
        )
    old = {"old": _name(before.label), "old_share": words.percent(before.probability, 1)}
    labels = list(dict.fromkeys(_name(each.label) for each in answers))
    if len(labels) > 1:
        return words(
            "Without place %(place)s: %(labels)s, by what fills it (before %(old)s %(old_share)s)",
            place=number,
            labels=" / ".join(labels),
            **old,
        )
    return words(
        "Without place %(place)s: %(label)s %(share)s (before %(old)s %(old_share)s)",
        place=number,
        label=labels[0],
        share=words.percent(answers[0].probability, 1),
        **old,
    )


def finding_words(words: Words, covered: Covered) -> str:
    """What covering says of the verdict, in one or two sentences."""
    before, found = covered.before, covered.smallest
    if covered.finding is CoverFinding.NO_PLACES or before is None:
        return words("No place is marked on this sheet.")
    if covered.finding is CoverFinding.OTHER_VERDICT:
        return words(
            "The bundle says %(label)s of this image now, unlike the verdict: covering explains nothing.",
            label=_name(before.label),
        )
    if covered.finding is CoverFinding.TOO_LARGE or found is None:
        return words("The marked places leave too little steel to fill them with.")
    if covered.finding is CoverFinding.TURNED:
        return " ".join(_turned_words(words, covered))
    if covered.finding is CoverFinding.UNCLEAR:
        return words(
            "Covering does not turn the verdict for sure: it depends on what fills the places, or the "
            "covered sheet is unlike every training sheet."
        )
    if found.exact:
        return words("Covering the marked places, alone or together, does not change the verdict.")
    if found.untried:
        return words(
            "Covering does not change the verdict where enough steel is left to fill the places with; other "
            "places were not covered."
        )
    return words("Covering all marked places does not change the verdict, nor did any set that was tried.")


def _turned_words(words: Words, covered: Covered) -> list[str]:
    found = covered.smallest
    if found is None or found.places is None:
        return []
    label = " / ".join(map(_name, covered.turned_to))
    numbers = [words.number(each + 1) for each in found.places]
    said = [_covering_words(words, numbers, label)]
    if len(numbers) > 1 and found.exact:
        said.append(words("No fewer of them do so for sure."))
    elif len(numbers) > 1 or not found.exact:
        said.append(words("Not every smaller set was tried."))
    if covered.control_turned:
        said.append(words("So does covering as much of the sheet elsewhere: this says little of the places."))
    elif covered.control_turned is None:
        said.append(words("There was no room to cover as much of the sheet elsewhere."))
    return said


def _covering_words(words: Words, numbers: Sequence[str], label: str) -> str:
    if len(numbers) == 1:
        return words(
            "Covering place %(place)s turns the verdict to %(label)s.", place=numbers[0], label=label
        )
    return words(
        "Covering places %(places)s and %(last)s turns the verdict to %(label)s.",
        places=", ".join(numbers[:-1]),
        last=numbers[-1],
        label=label,
    )


def _name(label: str) -> str:
    """A label as text of one line, whatever a bundle calls its classes."""
    return on_one_line(shown_name(label))
