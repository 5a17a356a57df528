"""What cards and jobs say in English sentences, in the language of the page: made of their values.

Each method but `reason` gives None where the page is English, or the values do not hold what the
sentence says; the sentence itself is shown then.
"""

from __future__ import annotations

from collections.abc import Sequence

from steelsight.runtime.bundle.card import BundleCard, ShortcutStamp
from steelsight.runtime.bundle.gate import GateReason
from steelsight.runtime.bundle.gate_record import GatedMetric, GatedShortcut
from steelsight.service.certificates import certified_of
from steelsight.service.learning.state import Job
from steelsight.service.pages.models.facts import words_of
from steelsight.service.pages.words import Words
from steelsight.service.wording.gate_reasons import gate_reason_text

__all__ = ["Said"]

Values = Sequence[float | None]


def _share(words: Words, values: Values) -> str | None:
    """A share with its bounds; None where one of them is unknown."""
    middle, low, high = values
    if middle is None or low is None or high is None:
        return None
    return f"{words.percent(middle, 1)} [{words.percent(low, 1)}; {words.percent(high, 1)}]"


class Said:
    """What the templates say, each by a method.

    words  of the page's language
    """

    def __init__(self, words: Words) -> None:
        self._words = words

    def reason(self, reason: GateReason) -> tuple[str, str]:
        """Why a bundle may not be promoted, and the language that it is in."""
        return gate_reason_text(self._words, reason.code, words_of(reason.text), reason.values)

    def shortcut(self, part: GatedShortcut) -> str | None:
        """The decision of a gate on one nuisance."""
        words = self._words
        if words.language == "en":
            return None
        found = []
        for values, most, message in (
            (part.flipped, part.most_flipped, "%(share)s of the right verdicts flip, allowed up to %(most)s"),
            (part.excess, part.most_excess, "%(share)s flip beyond the control, allowed up to %(most)s"),
        ):
            share = None if values is None else _share(words, values)
            if share is not None and most is not None:
                found.append(words(message, share=share, most=words.percent(most, 1)))
        pasted = words(
            "pasted on %(sheets)s sheets of %(groups)s groups",
            sheets=words.number(part.pasted),
            groups=words.number(part.groups),
        )
        outcome = words(f"outcome {part.outcome}")
        return words_of(f"{words(part.nuisance)} → {part.suspect}: {outcome}: {'; '.join([*found, pasted])}")

    def metric(self, part: GatedMetric) -> str | None:
        """The decision of a gate on one limit of quality."""
        words = self._words
        if words.language == "en":
            return None
        name, outcome = words(f"metric {part.metric}"), words(f"outcome {part.outcome}")
        if part.metric == "sheets":
            return f"{name}: {outcome}: " + words("needed are %(least)s", least=words.number(part.least))
        share = None if part.value is None else _share(words, part.value)
        if share is None:
            return f"{name}: {outcome}"
        least = words("the lower bound must be at least %(least)s", least=words.percent(part.least, 1))
        return f"{name}: {outcome}: {share}, {least}"

    def stamp(self, stamp: ShortcutStamp) -> str | None:
        """What was measured of one nuisance; the verdict on it is shown beside."""
        words = self._words
        share = None if stamp.excess is None else _share(words, stamp.excess)
        if words.language == "en" or share is None:
            return None
        return words(
            "%(share)s of the verdicts flip beyond the control, pasted on %(sheets)s sheets",
            share=share,
            sheets=words.number(stamp.pasted),
        )

    def certificate(self, card: BundleCard) -> str | None:
        """What is certified of the threshold, or that nothing is; the wording on record is shown beside."""
        words = self._words
        if words.language == "en" or card.threshold is None:
            return None
        if card.threshold_by != "certificate":
            return words("Not certified: the threshold is an estimate.")
        found = certified_of(card)
        if found is None or found.coverage is None:
            return None
        return words(
            "Certified: at most %(risk)s of the answers are wrong at the threshold %(threshold)s, where "
            "%(coverage)s of the sheets are answered.",
            risk=words.percent(found.risk, 1),
            threshold=words.number(card.threshold, 3),
            coverage=words.percent(found.coverage, 1),
        )

    def refused(self, job: Job) -> str | None:
        """Why a fitted head was refused, where the figures that say it are on record."""
        words = self._words
        if words.language == "en" or job.outcome != "refused" or job.comparison is None:
            return None
        return words(
            "The new head is not better than the one before: the lower bound of no gain lies above 0, or a "
            "figure is clearly lower. Nothing was written. Label more sheets, or keep the bundle."
        )
