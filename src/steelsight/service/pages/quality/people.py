"""The reviewers' answers to known cases, as rows of a table and as a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steelsight.evaluation.intervals.exact import clopper_pearson
from steelsight.quality.report import QualityReport
from steelsight.quality.reviewers import FollowedVerdicts
from steelsight.service.pages.quality.sentences import counted_words
from steelsight.service.pages.words import Words

__all__ = ["followed_words", "reviewer_rows"]


def reviewer_rows(words: Words, report: QualityReport, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """A row for each person.

    names  what each is called
    """
    return [
        {
            "name": names[each.person],
            "audited": each.audited,
            "defects": counted_words(words, each.defects, each.defects_bounds),
            "clean": counted_words(words, each.clean, each.clean_bounds),
            "followed": f"{each.followed[0]} / {each.followed[1]}" if each.followed[1] else "–",
        }
        for each in report.reviewers
    ]


def followed_words(words: Words, found: FollowedVerdicts) -> str:
    """How often people give the model's wrong label, with its verdict and without; empty without any."""
    if not found.shown[1]:
        return ""
    return words(
        "Where the verdict was wrong, people who saw it gave its label in %(shown)s, others in %(unseen)s.",
        shown=counted_words(words, found.shown, clopper_pearson(*found.shown)),
        unseen=counted_words(words, found.unseen, clopper_pearson(*found.unseen)),
    )
