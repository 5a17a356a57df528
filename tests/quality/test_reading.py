"""What is read from a ledger: outcomes, weights, first reviews, known cases; and the report with its verb."""

import json

import numpy as np
import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra [serve]")

from tests.ledger.conftest import sheet, verdict
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.errors import BadInput
from steelsight.ledger.chain.entries import Answer, Draw, Event, Review
from steelsight.ledger.database.open import create_ledger, opened
from steelsight.ledger.writing.writer import open_writer
from steelsight.quality.ledger import KNOWN_CASE, Period, read_audit
from steelsight.quality.records import Outcome
from steelsight.quality.report import quality_report

BLIND = {"blind": True} if "blind" in Review.model_fields else {}
ANN, BEN = "a" * 32, "b" * 32
WEEK_US = 7 * 86_400 * 1_000_000
START_US = 1_700_000_000_000_000


def drawn(seen, probability=0.1):
    return Draw(
        sheet=seen.sheet, stratum="other", probability=probability, value=0.01, key_commitment="0" * 64
    )


def review(seen, answer, label=None, person=ANN):
    return Review(sheet=seen.sheet, person=person, answer=answer, label=label, **BLIND)


def entries():
    """Thirty sheets: ten passed, ten rejected, ten referred; every second is drawn, most are reviewed."""
    found = []
    for number in range(30):
        kind = number // 10
        seen = sheet(number, coil=f"C{number % 5}", captured_us=START_US + (number % 2) * WEEK_US)
        label, state = (("none", "decided"), ("crack", "decided"), ("crack", "doubtful"))[kind]
        found += [seen, verdict(seen, "dent"), verdict(seen, label, state=state)]
        if number % 2:
            found.append(drawn(seen))
        if number in (1, 3):  # passed and defective
            found.append(review(seen, Answer.CORRECTED, "dent"))
        if number == 3:
            found.append(review(seen, Answer.CONFIRMED, "none", person=BEN))
        if number == 5:
            found.append(review(seen, Answer.UNSURE))
        if number in (7, 11, 13, 21):
            found.append(review(seen, Answer.CONFIRMED, label))
        if number in (2, 4):
            found.append(Event(name=KNOWN_CASE, subject=seen.sheet, details={"label": "dent"}))
            found.append(review(seen, Answer.CORRECTED, "dent", person=BEN))
        if number == 6:
            found.append(Event(name=KNOWN_CASE, subject=seen.sheet, details={"label": "none"}))
            found.append(review(seen, Answer.CONFIRMED, "none", person=BEN))
    return found


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("quality") / "ledger.db"
    ledger = create_ledger(str(path))
    with open_writer(ledger, "line-1") as writer:
        writer.append(entries())
    ledger.close()
    return path


def read(path, period=Period(), **values):
    with opened(str(path)) as ledger, ledger.read() as connection:
        return read_audit(connection, period, **values)


def test_the_last_live_verdict_makes_the_outcome_and_every_draw_is_counted(path):
    data = read(path)
    assert [data.count(each) for each in Outcome] == [10, 10, 10]
    assert sum(draws for _sheets, draws in data.sheets.values()) == 15
    assert {group.week for group, _coil in data.sheets} == {"2023-W46", "2023-W47"}


def test_the_first_review_counts_and_all_are_kept_for_agreement(path):
    data = read(path)
    assert len(data.audited) == 6
    assert data.unsure == 1
    third = next(each for each in data.audited if len(each.answers) == 2)
    assert (third.person, third.answer, third.probability) == (ANN, "dent", 0.1)
    assert third.answers == ((ANN, "dent"), (BEN, "none"))
    assert third.group.outcome is Outcome.PASSED


def test_known_cases_are_answers_and_no_draws(path):
    data = read(path)
    assert sorted((each.truth, each.answer, each.verdict) for each in data.known) == [
        ("dent", "dent", "none"),
        ("dent", "dent", "none"),
        ("none", "none", "none"),
    ]


def test_periods_and_stations_are_parts(path):
    assert sum(read(path, Period(until_us=START_US + 1)).count(each) for each in Outcome) == 15
    assert sum(read(path, Period(since_us=START_US + 1)).count(each) for each in Outcome) == 15
    assert read(path, Period(station="line-9")).sheets == {}
    assert read(path, clean="crack").count(Outcome.PASSED) == 10
    with pytest.raises(BadInput, match="an end after its begin"):
        Period(5, 5)


def test_the_report_says_what_limits_it_and_is_plain(path):
    report = quality_report(read(path), np.random.default_rng(0))
    assert set(report.by_type) == {"crack", "dent"}
    assert set(report.by_station) == {"line-1"}
    assert report.agreement.pairs == 1
    assert report.confusion.verdicts == ("(not decided)", "crack", "none")
    assert report.confusion.answers == ("crack", "dent", "none")
    assert report.confusion.counts == ((1, 0, 0), (2, 0, 0), (0, 2, 1))
    assert sum(map(sum, report.confusion.shares)) == pytest.approx(1)
    words = " ".join(map(str, report.notes))
    assert "8 of 15 draws are not reviewed yet" in words
    assert "1 draws count as not reviewed" in words
    json.dumps(report.as_dict(), allow_nan=False)


def call(*line, code=0):
    done = CliRunner().invoke(app, ["quality", *map(str, line)])
    assert done.exit_code == code, done.output
    return done


def test_the_verb_prints_and_writes_json(path):
    done = call(path, "--risk", 0.05, "--coverage", 0.6, "--json")
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["whole"]["sheets"] == {"passed": 10, "rejected": 10, "referred": 10}
    assert found["whole"]["defective_among_passed"]["estimate"] == pytest.approx(2 / 3)
    assert found["certificate"]["void"] is False
    assert "all: 66.67 % [" in done.output
    assert "the certificate is not refuted" in done.output
    assert "note: 8 of 15 draws" in done.output


def test_the_verb_is_the_same_for_the_same_seed_and_takes_times(path):
    one, other = (
        call(path, "--since", "2023-11-14", "--until", "2023-11-15T00:00Z", "--json").stdout for _ in range(2)
    )
    assert one == other
    assert json.loads(one)["whole"]["sheets"]["passed"] == 5


def test_bad_input_ends_with_one_line(path, tmp_path):
    assert "expected a date or time such as 2026-11-01T06:00Z" in call(path, "--since", "soon", code=2).stderr
    assert (
        "an end after its begin"
        in call(path, "--since", "2026-02-01", "--until", "2026-01-01", code=2).stderr
    )
    assert "expected --risk with it" in call(path, "--coverage", 0.9, code=2).stderr
    assert "certified risk: expected above 0" in call(path, "--risk", 0.0, code=2).stderr
    call(tmp_path / "none.db", code=2)
