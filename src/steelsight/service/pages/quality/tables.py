"""The figures as rows of tables and as data of charts, in the language of the page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from steelsight.ledger.keeping.people import find_person
from steelsight.quality.confusion import NOT_DECIDED
from steelsight.quality.correction import CorrectedShare
from steelsight.quality.enough import Need, need_of_agreement
from steelsight.quality.escape import Escape, Ratio
from steelsight.quality.records import Outcome
from steelsight.service.pages.quality.actions import action_rows
from steelsight.service.pages.quality.computing import SHARES, QualityFigures
from steelsight.service.pages.quality.people import followed_words, reviewer_rows
from steelsight.service.pages.quality.sentences import (
    agreement_words,
    basis_words,
    certificate_words,
    correction_words,
    note_words,
    share_words,
)
from steelsight.service.pages.words import Words

__all__ = ["report_values", "reviewer_names"]

MOST_BARS: Final = 60  # groups in one chart; a table has all
Charted = tuple[str, str]  # share and its name


def report_values(words: Words, figures: QualityFigures, names: Mapping[str, str]) -> dict[str, Any]:
    """What the template of the figures needs.

    names  what each reviewer is called
    """
    report = figures.report
    groups = figures.groups()
    both = [
        ("defective_among_passed", words("Defective among passed")),
        ("rejected_among_good", words("Rejected among those without a defect")),
    ]
    return {
        "computed_us": figures.computed_us,
        "whole": _whole(words, figures),
        "sheets": report.whole.sheets,
        "reviewed": report.whole.reviewed,
        "drawn": report.whole.draws,
        "waiting": figures.waiting,
        "types": _rows(words, figures, "type"),
        "station_rows": _rows(words, figures, "station"),
        "weeks": _weeks(words, figures),
        "type_chart": _chart(groups["type"], figures, "type", both[:1]),
        "station_chart": _chart(groups["station"], figures, "station", both),
        "week_chart": _chart(groups["week"], figures, "week", both),
        "certificate": _certificate(words, figures),
        "certificate_note": figures.certificate_note,
        "confusion": _confusion(words, figures),
        "actions": action_rows(words, figures.rules),
        "agreement": agreement_words(words, report.agreement, figures.agreement_need),
        "shown_agreement": agreement_words(
            words, figures.shown_agreement, need_of_agreement(figures.shown_agreement)
        ),
        "pairs": _pairs(words, figures, names),
        "reviewers": reviewer_rows(words, report, names),
        "followed": followed_words(words, report.followed),
        "notes": [note_words(words, each) for each in report.notes],
    }


def _whole(words: Words, figures: QualityFigures) -> list[dict[str, Any]]:
    """The four shares of all sheets: name, sentence, what it rests on."""
    escape, needs = figures.report.whole, figures.needs["whole", ""]
    passed, rejected = escape.sheets[Outcome.PASSED], escape.sheets[Outcome.REJECTED]
    corrected = escape.defective_among_passed.corrected
    outcomes = words("over all outcomes")
    over = f"{outcomes}; {correction_words(words, corrected)}"
    good = escape.good_among_rejected
    names = {
        "defective_among_passed": words("Defective sheets among the passed"),
        "missed_among_defective": words("Passed sheets among the defective"),
        "good_among_rejected": words("Sheets without a defect among the rejected"),
        "rejected_among_good": words("Rejected sheets among those without a defect"),
    }
    bases = {
        "defective_among_passed": basis_words(words, escape.defective_among_passed, passed),
        "missed_among_defective": over,
        "good_among_rejected": "" if good is None else basis_words(words, good, rejected),
        "rejected_among_good": over,
    }
    return [
        {
            "name": names[share],
            "words": share_words(words, getattr(escape, share), needs[share]),
            "basis": bases[share],
            "known": needs[share].known,
        }
        for share in SHARES
    ]


def _cells(words: Words, escape: Escape, needs: Mapping[str, Need]) -> dict[str, str]:
    return {
        share: share_words(words, getattr(escape, share), needs[share])
        for share in SHARES
        if share in needs and getattr(escape, share) is not None
    }


def _rows(words: Words, figures: QualityFigures, kind: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "sheets": sum(each.sheets.values()),
            "reviewed": sum(each.reviewed.values()),
            "found": each.defective_among_passed.observed.found,
            "drawn_passed": each.defective_among_passed.observed.draws,
            **_cells(words, each, figures.needs[kind, name]),
        }
        for name, each in figures.groups()[kind].items()
    ]


def _weeks(words: Words, figures: QualityFigures) -> list[dict[str, Any]]:
    rows = _rows(words, figures, "week")
    for row in rows:
        decided, sheets = figures.coverage.get(row["name"], (0, 0))
        row["coverage"] = words.percent(decided / sheets, 1) if sheets else "–"
    return rows


def _chart(
    groups: Mapping[str, Escape], figures: QualityFigures, kind: str, shares: Sequence[Charted]
) -> str:
    """Data of a chart: percent by group, with bounds; "known" tells full marks from hollow ones."""
    names = list(groups)[-MOST_BARS:]
    series = []
    for share, label in shares:
        found: list[CorrectedShare | Ratio] = [getattr(groups[name], share) for name in names]
        series.append(
            {
                "label": label,
                "estimate": [None if each.estimate is None else 100 * each.estimate for each in found],
                "low": [100 * each.low for each in found],
                "high": [100 * each.high for each in found],
                "known": [figures.needs[kind, name][share].known for name in names],
            }
        )
    return json.dumps({"names": names, "series": series}, ensure_ascii=False)


def _certificate(words: Words, figures: QualityFigures) -> dict[str, Any] | None:
    state, need = figures.certificate, figures.certificate_need
    if state is None or need is None:
        return None
    percent: Callable[[float | None], str] = lambda value: "–" if value is None else words.percent(value, 1)  # noqa: E731
    low, high = state.coverage_bounds
    return {
        "void": state.void,
        "changed": state.coverage_changed,
        "wrong": certificate_words(words, state, need),
        "known": need.known,
        "right": percent(state.right_share) if need.known else "–",
        "right_least": percent(1 - state.wrong_bounds[1]) if need.known else "–",
        "risk": percent(state.certified.risk),
        "limit": percent(state.limit),
        "reviewer_error": None if state.reviewer_error is None else percent(state.reviewer_error),
        "coverage": percent(state.coverage),
        "coverage_low": percent(low),
        "coverage_high": percent(high),
        "certified_coverage": percent(state.certified.coverage),
    }


def _confusion(words: Words, figures: QualityFigures) -> dict[str, Any]:
    table = figures.report.confusion
    rows = [
        {
            "name": verdict,
            "undecided": verdict == NOT_DECIDED,
            "cells": [
                {
                    "count": count,
                    "share": words.percent(share, 1),
                    "same": verdict == answer,
                    "some": count > 0,
                }
                for answer, count, share in zip(table.answers, counts, shares, strict=True)
            ],
        }
        for verdict, counts, shares in zip(table.verdicts, table.counts, table.shares, strict=True)
    ]
    return {"answers": table.answers, "rows": rows}


def _pairs(words: Words, figures: QualityFigures, names: Mapping[str, str]) -> list[dict[str, Any]]:
    found = []
    for people, each in figures.report.agreement_of_two.items():
        need = need_of_agreement(each)
        values = [words.number(value or 0.0, 2) for value in (each.kappa, each.low, each.high)]
        kappa = "{} ({} – {})".format(*values) if need.known else agreement_words(words, each, need)
        found.append(
            {
                "one": names[people[0]],
                "other": names[people[1]],
                "kappa": kappa,
                "agreed": each.agreed,
                "pairs": each.pairs,
            }
        )
    return found


def reviewer_names(
    connection: Connection, words: Words, figures: QualityFigures, *, named: bool
) -> dict[str, str]:
    """What each reviewer is called: the name, or a number for those who may not know it.

    named  whether the caller may read who did what
    """
    people = {each.person for each in figures.report.reviewers}
    people |= {person for pair in figures.report.agreement_of_two for person in pair}
    names = {}
    for number, person in enumerate(sorted(people), 1):
        found = find_person(connection, person) if named else None
        names[person] = words("Reviewer %(number)s", number=number) if found is None else found.name
    return names
