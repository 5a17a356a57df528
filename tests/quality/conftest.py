"""Periods that tests make by hand."""

from steelsight.quality.records import AuditData, AuditedSheet, KnownAnswer, Outcome, SheetGroup

WEEK = "2026-W48"


def group(outcome, station="line-1", week=WEEK):
    return SheetGroup(station, week, outcome)


def draw(number, outcome=Outcome.PASSED, answer="none", *, verdict=None, probability=0.01, **values):
    """A reviewed draw; by default a coil and a time of its own."""
    label = verdict or ("none" if outcome is Outcome.PASSED else "crack")
    person = values.get("person", "a")
    return AuditedSheet(
        f"s{number}",
        group(outcome, values.get("station", "line-1"), values.get("week", WEEK)),
        values.get("coil", f"c{number}"),
        probability,
        label,
        answer,
        person,
        number,
        values.get("answers", ((person, answer),)),
    )


def known(number, truth, answer, *, person="a", verdict=None, shown=False):
    return KnownAnswer(f"k{number}", None, person, answer, truth, verdict, shown)


def data(audited, cases=(), *, sheets=None, **values):
    """A period with 100 sheets for each draw, or the numbers given by outcome."""
    counts = {}
    if sheets is None:
        for each in audited:
            key = (each.group, each.coil)
            number, drawn = counts.get(key, (0, 0))
            counts[key] = (number + 100, drawn + 1)
    else:
        counts = {(group(outcome), "c"): (number, 0) for outcome, number in sheets.items()}
    return AuditData(counts, tuple(audited), tuple(cases), **values)
