"""What the page says of an estimate: a number with its interval, or that it is not known and what it lacks.

The rule is that of `quality.enough`. No sentence holds a number of an estimate that it calls not known.
"""

from __future__ import annotations

import math
from typing import Final

from steelsight.quality.agreement import Agreement
from steelsight.quality.certificate import CertificateState
from steelsight.quality.correction import CorrectedShare
from steelsight.quality.enough import Lack, Need
from steelsight.quality.escape import Ratio
from steelsight.quality.notes import Limit, QualityNote
from steelsight.service.pages.words import Words

__all__ = [
    "agreement_words",
    "basis_words",
    "certificate_words",
    "counted_words",
    "need_words",
    "note_words",
    "rounded_up",
    "share_words",
]

DIGITS: Final = 1  # of a percentage


def rounded_up(number: int) -> int:
    """A number to two digits, never below it.

    >>> [rounded_up(each) for each in (1, 99, 101, 12345)]
    [1, 99, 110, 13000]
    """
    if number < 100:
        return number
    step = int(10 ** (math.floor(math.log10(number)) - 1))
    return -(-number // step) * step


def share_words(words: Words, share: CorrectedShare | Ratio, need: Need) -> str:
    """An estimated share, or what it lacks."""
    if not need.known or share.estimate is None:
        return need_words(words, need)
    low, high = (_percent(words, each) for each in (share.low, share.high))
    if share.estimate == 0 and share.low == 0:
        return words("none found; at most %(high)s", high=high)
    estimate = _percent(words, share.estimate)
    return words("%(share)s (%(low)s to %(high)s)", share=estimate, low=low, high=high)


def _percent(words: Words, share: float) -> str:
    """A percentage that no line breaks."""
    return words.percent(share, DIGITS).replace(" ", "\N{NO-BREAK SPACE}")


def need_words(words: Words, need: Need) -> str:
    """What an estimate lacks, without any number of it."""
    texts = {
        Lack.CASES: words("not known, more known cases of the reviewers needed"),
        Lack.SHEETS: words("not known, too few such sheets: choose a longer period"),
        Lack.NO_SHEETS: words("no such sheets"),
        Lack.NONE_FOUND: words("not known, the audit found no such sheet"),
        Lack.ALIKE: words("not known, all answers are the same"),
        Lack.COILS: words("not known, draws of further coils needed"),
    }
    if need.lack in texts:
        return texts[need.lack]
    number = max(1, need.draws)
    text = words.catalog.ngettext(
        "not known, %(draws)s more audit draw needed", "not known, %(draws)s more audit draws needed", number
    )
    return text % {"draws": words.number(rounded_up(number))}


def basis_words(words: Words, share: CorrectedShare, sheets: int) -> str:
    """What an estimated share rests on."""
    sample = share.observed
    counts = words(
        "%(found)s of %(draws)s reviewed draws of %(sheets)s sheets",
        found=words.number(sample.found),
        draws=words.number(sample.draws),
        sheets=words.number(sheets),
    )
    return f"{counts}; {correction_words(words, share.corrected)}"


def correction_words(words: Words, corrected: bool) -> str:
    """Whether the reviewers' errors are taken out of an estimate."""
    if corrected:
        return words("corrected for the reviewers' errors")
    return words("not corrected for the reviewers' errors")


def agreement_words(words: Words, found: Agreement, need: Need) -> str:
    """Kappa with its interval, or what it lacks; its draws are sheets that two people review."""
    if need.lack is Lack.DRAWS:
        number = max(1, need.draws)
        text = words.catalog.ngettext(
            "not known, %(draws)s more sheet reviewed by two people needed",
            "not known, %(draws)s more sheets reviewed by two people needed",
            number,
        )
        return text % {"draws": words.number(rounded_up(number))}
    if not need.known or found.kappa is None or found.low is None or found.high is None:
        return need_words(words, need)
    kappa, low, high = (words.number(each, 2) for each in (found.kappa, found.low, found.high))
    return words(
        "kappa %(kappa)s (%(low)s to %(high)s); %(agreed)s of %(pairs)s pairs of answers agree",
        kappa=kappa,
        low=low,
        high=high,
        agreed=words.number(found.agreed),
        pairs=words.number(found.pairs),
    )


def certificate_words(words: Words, state: CertificateState, need: Need) -> str:
    """The share of wrong answers as reviewers see it, with bounds that hold at every look."""
    if not need.known or state.wrong_share is None:
        return need_words(words, need)
    low, high = (_percent(words, each) for each in state.wrong_bounds)
    return words(
        "%(share)s of the answers seem wrong (%(low)s to %(high)s at every look); %(wrong)s of %(draws)s "
        "reviewed draws on %(coils)s coils",
        share=_percent(words, state.wrong_share),
        low=low,
        high=high,
        wrong=words.number(state.wrong),
        draws=words.number(state.draws),
        coils=words.number(state.coils),
    )


def note_words(words: Words, note: QualityNote) -> str:
    """What limits the estimates, as a sentence."""
    number, total = words.number(note.number), words.number(note.total)
    texts = {
        Limit.NO_DRAWS: words(
            "No sheet was drawn for audit: start the line with `--audit` and `--audit-key`."
        ),
        Limit.NOT_REVIEWED: words(
            "%(number)s of %(total)s draws are not reviewed yet; they are taken for missing by chance.",
            number=number,
            total=total,
        ),
        Limit.UNSURE: words(
            "%(number)s draws count as not reviewed, because their reviewers could not tell.", number=number
        ),
        Limit.NOT_BLIND: words(
            "%(number)s reviews of draws are left out: their reviewers had seen the verdict.", number=number
        ),
        Limit.BLIND_UNKNOWN: words(
            "The ledger does not say which reviews were decided before the verdict was shown."
        ),
        Limit.NOT_CORRECTED: words(
            "Reviewers' errors are not corrected: known cases with and without a defect are needed."
        ),
    }
    return texts[note.limit]


def counted_words(words: Words, counts: tuple[int, int], bounds: tuple[float, float]) -> str:
    """Found cases of all, with the bounds of their share; a dash where there are none.

    counts  found, all
    bounds  of the share, 0 to 1
    """
    found, cases = counts
    if not cases:
        return "–"
    low, high = (words.percent(each) for each in bounds)
    return words(
        "%(found)s of %(cases)s (%(low)s to %(high)s)",
        found=words.number(found),
        cases=words.number(cases),
        low=low,
        high=high,
    )
