"""What limits the estimates of a period, as a kind with its numbers and as an English sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from steelsight.quality.records import AuditData
from steelsight.quality.reviewers import defect_errors

__all__ = ["Limit", "QualityNote", "quality_notes"]


class Limit(StrEnum):
    """What an estimate lacks or takes for granted."""

    NO_DRAWS = "no draws"
    NOT_REVIEWED = "not reviewed"
    UNSURE = "unsure"
    NOT_BLIND = "not blind"
    BLIND_UNKNOWN = "blind unknown"
    NOT_CORRECTED = "not corrected"


_TEXTS: Final = {
    Limit.NO_DRAWS: "no sheet was drawn for audit: start the line with `--audit` and `--audit-key`",
    Limit.NOT_REVIEWED: (
        "{number} of {total} draws are not reviewed yet; they are taken for missing by chance"
    ),
    Limit.UNSURE: "{number} draws count as not reviewed, because their reviewers could not tell",
    Limit.NOT_BLIND: "{number} reviews of draws are left out: their reviewers had seen the verdict",
    Limit.BLIND_UNKNOWN: "the ledger does not say which reviews were decided before the verdict was shown",
    Limit.NOT_CORRECTED: (
        "reviewers' errors are not corrected: known cases with and without a defect are needed"
    ),
}


@dataclass(frozen=True)
class QualityNote:
    """One limit of the estimates; its text is the English sentence."""

    limit: Limit
    number: int = 0  # draws or reviews
    total: int = 0  # draws

    def __str__(self) -> str:
        return _TEXTS[self.limit].format(number=self.number, total=self.total)


def quality_notes(data: AuditData) -> tuple[QualityNote, ...]:
    """What limits the estimates of a period."""
    drawn = sum(draws for _sheets, draws in data.sheets.values())
    missing = drawn - len(data.audited) - data.unsure
    found = {
        QualityNote(Limit.NO_DRAWS): not drawn,
        QualityNote(Limit.NOT_REVIEWED, missing, drawn): missing,
        QualityNote(Limit.UNSURE, data.unsure): data.unsure,
        QualityNote(Limit.NOT_BLIND, data.not_blind): data.not_blind,
        QualityNote(Limit.BLIND_UNKNOWN): not data.blind_known,
        QualityNote(Limit.NOT_CORRECTED): not defect_errors(data).measured,
    }
    return tuple(note for note, there in found.items() if there)
