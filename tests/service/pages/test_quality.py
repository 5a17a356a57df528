"""The page Quality over HTTP: who may, what it says, too few draws, hostile names, downloads."""

import csv
import io
import json
import re
import threading

import numpy as np
import pytest
from tests.quality.conftest import data, draw, known
from tests.service.access.conftest import FAST, code
from tests.service.pages.conftest import draw_of, sheet_of, verdict_of

from steelsight.evaluation.abstention.guarantee import Certificate
from steelsight.ledger.chain.entries import Answer, Event, Review
from steelsight.ledger.writing.writer import open_writer
from steelsight.quality.agreement import Agreement
from steelsight.quality.certificate import CertificateState, Certified
from steelsight.quality.correction import CorrectedShare
from steelsight.quality.enough import WIDEST_RATIO, WIDEST_SHARE, Lack, Need
from steelsight.quality.ledger import KNOWN_CASE
from steelsight.quality.records import Outcome
from steelsight.quality.report import quality_report
from steelsight.quality.shares import SampleShare
from steelsight.service.access.roles import Role
from steelsight.service.alarms.certificates import CertificateWatch, refuted
from steelsight.service.alarms.conditions import SERVICE
from steelsight.service.certificates import certified_of
from steelsight.service.pages.line.alarm_words import condition_words
from steelsight.service.pages.quality import routes
from steelsight.service.pages.quality.computing import find_needs
from steelsight.service.pages.quality.sentences import (
    agreement_words,
    need_words,
    rounded_up,
    share_words,
)
from steelsight.service.pages.words import words_in

HTML = {"accept": "text/html"}
HOSTILE = "<script>alert(1)</script>\u202e=1+1"


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """The tests' machine may be slow: a page waits until its figures are there."""
    monkeypatch.setattr(routes, "PAGE_WAITS_S", 300.0)
    monkeypatch.setattr(routes, "DOWNLOAD_WAITS_S", 300.0)
    monkeypatch.setattr("steelsight.quality.correction.DRAWS", 300)


def service_on(ledger, make_service):
    options = {"open": False, "alarms": False, "deliver": False, "request_timeout_s": 900.0}
    return make_service(ledger, **options, **FAST)


@pytest.fixture
def plant(sqlite_ledger, make_service):
    return service_on(sqlite_ledger, make_service)


@pytest.fixture
def either(ledger, make_service):
    return service_on(ledger, make_service)


def audited(service, count, people, *, wrong=(), station="line-1", label="type 1"):
    """Passed sheets that were all drawn and reviewed blind by some people; some of them are defective."""
    model = service.bundles.default.bundle.card.model_id
    entries = []
    for number in range(count):
        seen = sheet_of(number, station=station, coil=f"C{number // 5}", item=f"{station}-{number}.jpg")
        entries += [seen, draw_of(seen)]
        entries.append(verdict_of(seen, model, label="none", probability=0.99))
        for person in people:
            answer = {"answer": Answer.CONFIRMED, "label": "none"}
            if number in wrong:
                answer = {"answer": Answer.CORRECTED, "label": label}
            entries.append(Review(sheet=seen.sheet, person=person, blind=True, **answer))
    with open_writer(service.ledger, "a-writer") as writer:
        writer.append(entries)


@pytest.mark.parametrize("role", Role)
def test_engineers_auditors_and_administrators_see_the_page(plant, member, role):
    client = member(plant, role)
    may = role in (Role.ENGINEER, Role.AUDITOR, Role.ADMIN)
    for address in ("/quality", "/quality/report.csv", "/quality/report.json"):
        assert client.get(address, headers=HTML).status_code == (200 if may else 403)
    assert ('href="/quality"' in client.get("/line").text) is may


def test_an_empty_ledger_knows_nothing_and_says_so(plant, member):
    page = member(plant, Role.AUDITOR).get("/quality", headers=HTML)
    assert "no such sheets" in page.text
    assert "Choose one bundle" in page.text
    assert "No sheet was drawn for audit" in page.text
    assert " %<" not in page.text.partition("<tbody>")[2].partition("</tbody>")[0]


def test_few_draws_say_how_many_more(plant, member):
    client = member(plant, Role.ENGINEER)
    audited(plant, 60, (client.person,))
    page = client.get("/quality").text
    assert "none found; at most" in page
    assert "of 60 reviewed draws of 60 sheets" in page.replace("0 of 60 reviewed", "of 60 reviewed")
    with open_writer(plant.ledger, "line-2") as writer:
        model = plant.bundles.default.bundle.card.model_id
        for number in range(200):
            seen = sheet_of(number, station="line-2", item=f"b{number}")
            writer.append([seen, verdict_of(seen, model, label="none", probability=0.99)])
    page = client.get("/quality?station=line-2").text
    assert "not known, 36 more audit draws needed" in page


def test_what_the_page_says_is_what_the_report_says(either, member):
    client = member(either, Role.AUDITOR)
    other = member(either, Role.ENGINEER, login="berta")
    audited(either, 120, (client.person, other.person), wrong=range(0, 120, 20))
    audited(either, 40, (other.person,), station="line-2", wrong=(3,), label="type 2")
    page = client.get("/quality").text
    assert "7 of 160 reviewed draws of 160 sheets; not corrected" in page
    assert "4.4\xa0%" in page
    assert "kappa 1.00" in page
    assert "type 2" in page
    assert "line-2" in page
    assert "anna" in page.partition("Two reviewers")[2]
    assert "not refuted" in page
    report = client.get("/quality/report.json").json()
    assert report["whole"]["defective_among_passed"]["observed"]["found"] == 7
    assert report["certificate"]["certified"] == {"risk": 0.05, "coverage": 0.277}
    assert set(report["by_station"]) == {"line-1", "line-2"}
    assert client.person in {each["person"] for each in report["reviewers"]}
    hidden = other.get("/quality").text
    assert "Reviewer 1" in hidden.partition("Two reviewers")[2]
    assert client.person not in other.get("/quality/report.json").text


def test_a_certificate_that_no_longer_holds_is_an_alarm(plant, member):
    client = member(plant, Role.ENGINEER)
    audited(plant, 300, (client.person,), wrong=range(0, 300, 2))
    page = client.get("/quality?since=2001-01-01&until=2001-01-02").text
    assert "no longer holds" not in page  # nobody chose the bundle, and no sheet of the period has one
    model = plant.bundles.default.bundle.card.model_id
    page = client.get(f"/quality?since=2001-01-01&until=2001-01-02&bundle={model}").text
    assert "no longer holds" in page  # whatever period is chosen
    assert 'role="alert"' in page


def test_known_cases_correct_the_shares(plant, member):
    client = member(plant, Role.ADMIN)
    audited(plant, 100, (client.person,), wrong=(1, 2))
    entries = []
    for number in range(60):
        seen = sheet_of(number, station="line-3", item=f"k{number}", coil=None)
        truth = "type 1" if number % 2 else "none"
        entries += [seen, Event(name=KNOWN_CASE, subject=seen.sheet, details={"label": truth})]
        entries.append(
            Review(sheet=seen.sheet, person=client.person, answer=Answer.CORRECTED, label=truth, blind=True)
        )
    with open_writer(plant.ledger, "line-3") as writer:
        writer.append(entries)
    page = client.get("/quality").text
    assert "reviewed draws of 100 sheets; corrected for the reviewers" in page
    assert "30 of 30" in page


def test_hostile_names_are_text_on_the_page_and_in_files(plant, member):
    client = member(plant, Role.AUDITOR)
    audited(plant, 40, (client.person,), wrong=(1,), station=HOSTILE, label=HOSTILE)
    page = client.get("/quality").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    rows = list(csv.reader(io.StringIO(client.get("/quality/report.csv").text)))
    assert {len(row) for row in rows} == {18}
    assert any(row[1].endswith("=1+1") for row in rows)
    assert client.get("/quality", params={"station": HOSTILE}).status_code == 200


@pytest.mark.parametrize(
    "query", ["since=soon", "until=2026-13-01", "since=2026-02-02&until=2026-02-01", "since=1066-10-14"]
)
def test_impossible_periods_are_refused(plant, member, query):
    client = member(plant, Role.AUDITOR)
    answer = client.get(f"/quality?{query}")
    assert (answer.status_code, code(answer)) == (422, "bad_period")
    assert client.get(f"/quality?{query}", headers=HTML).headers["content-type"].startswith("text/html")


def test_unknown_stations_and_bundles_have_no_sheets(plant, member):
    client = member(plant, Role.AUDITOR)
    audited(plant, 10, (client.person,))
    for query in ("station=nowhere", "bundle=nothing", "station=%00"):
        answer = client.get(f"/quality?{query}")
        assert answer.status_code in (200, 422)
        assert "10 sheets" not in answer.text
    assert "is not open in the service" in client.get("/quality?bundle=nothing").text


def test_a_period_with_too_many_sheets_is_refused_with_advice(plant, member, monkeypatch):
    client = member(plant, Role.AUDITOR)
    audited(plant, 10, (client.person,))
    monkeypatch.setattr("steelsight.service.certificates.MOST_VERDICTS", 9)
    page = client.get("/quality")
    assert page.status_code == 422
    assert "choose a shorter period" in page.text
    assert code(client.get("/quality/report.csv")) == "bad_input"


def test_the_page_says_that_figures_are_being_computed(plant, member, monkeypatch):
    client = member(plant, Role.AUDITOR)
    go = threading.Event()
    compute = routes.compute_figures
    monkeypatch.setattr(routes, "compute_figures", lambda *values: (go.wait(300), compute(*values))[1])
    monkeypatch.setattr(routes, "PAGE_WAITS_S", 0.0)
    monkeypatch.setattr(routes, "DOWNLOAD_WAITS_S", 0.0)
    page = client.get("/quality").text
    assert "The figures are being computed" in page
    assert 'http-equiv="refresh"' in page
    assert code(client.get("/quality/report.json")) == "computing"
    go.set()
    monkeypatch.setattr(routes, "PAGE_WAITS_S", 300.0)
    assert 'http-equiv="refresh"' not in client.get("/quality").text


def test_the_page_speaks_german(plant, member):
    client = member(plant, Role.AUDITOR, **{"accept-language": "de"})
    page = client.get("/quality").text
    assert "Schlupf" in page
    assert "not known" not in page


# ---- sentences ----


def sample(estimate, draws=500):
    return SampleShare(estimate, float(draws), round(estimate * draws), draws, draws)


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("lack", [each for each in Lack if each is not Lack.NOTHING])
def test_what_is_not_known_is_said_without_its_number(language, lack):
    words = words_in(language)
    share = CorrectedShare(0.123456, 0.0456, 0.789, corrected=True, observed=sample(0.123456))
    text = share_words(words, share, Need(lack, 240))
    for number in ("12", "4.", "4,", "78", "79", "%"):
        assert number not in text.replace("240", "")
    assert ("240" in text) is (lack is Lack.DRAWS)
    kappa = agreement_words(words, Agreement(0.61, 0.1, 0.9, 30, 31), Need(lack, 7))
    assert not any(number in kappa for number in ("0.61", "0,61", "30", "31"))


@pytest.mark.parametrize("draws", [-5, 0, 1, 99, 100, 101, 999, 12_345, 100_000])
def test_the_number_of_draws_is_whole_positive_and_never_below(draws):
    assert rounded_up(max(1, draws)) >= draws
    text = need_words(words_in("en"), Need(Lack.DRAWS, draws))
    assert int("".join(each for each in text if each.isdigit())) >= max(1, draws)


@pytest.mark.parametrize("seed", range(12))
def test_no_period_however_odd_makes_the_page_say_more_than_it_knows(seed):
    """Few and many draws of few and many sheets by good and bad reviewers: each sentence follows the rule."""
    rng = np.random.default_rng(seed)
    audited = [
        draw(
            number,
            list(Outcome)[rng.choice(3, p=(0.6, 0.3, 0.1))],
            str(rng.choice(["none", "crack", "crack + dent"])),
            probability=float(rng.choice([1.0, 0.2, 0.003])),
            coil=str(rng.choice([f"c{number}", "c"])),
            station=f"line-{rng.integers(2)}",
            week=f"2026-W{rng.integers(10, 12)}",
        )
        for number in range(int(rng.choice([0, 1, 3, 30, 300])))
    ]
    cases = [
        known(number, *(str(each) for each in rng.choice(["none", "crack"], 2)))
        for number in range(int(rng.choice([0, 1, 40])))
    ]
    period = data(audited, cases)
    report = quality_report(period, np.random.default_rng(0))
    needs = find_needs(period, report)
    groups = {
        "whole": {"": report.whole},
        "type": report.by_type,
        "station": report.by_station,
        "week": report.by_week,
    }
    assert set(needs) == {(kind, name) for kind, found in groups.items() for name in found}
    for (kind, name), shares in needs.items():
        for share, lacks in shares.items():
            found = getattr(groups[kind][name], share)
            text = share_words(words_in("en"), found, lacks)
            if lacks.known:
                ratio = not isinstance(found, CorrectedShare)
                assert found.estimate is not None
                assert found.high - found.low <= (WIDEST_RATIO if ratio else WIDEST_SHARE)
                assert "%" in text
                assert "nan" not in text
            else:
                assert "%" not in text
                assert (lacks.lack is Lack.DRAWS) == bool(re.search(r"\d", text))
                assert (lacks.lack is Lack.DRAWS) == (lacks.draws > 0)


def test_a_number_is_told_with_its_interval():
    words = words_in("en")
    known = Need(Lack.NOTHING)
    share = CorrectedShare(0.012, 0.004, 0.031, corrected=True, observed=sample(0.012))
    assert share_words(words, share, known) == "1.2\xa0% (0.4\xa0% to 3.1\xa0%)"
    none = CorrectedShare(0.0, 0.0, 0.012, corrected=True, observed=sample(0.0))
    assert share_words(words, none, known) == "none found; at most 1.2\xa0%"
    assert words.percent(1e-9, 1) == "< 0.1 %"
    nothing = CorrectedShare(None, 0.0, 1.0, corrected=True, observed=sample(0.0))
    assert "%" not in share_words(words, nothing, known)  # whatever the need says


def test_a_refuted_certificate_is_an_alarm_of_the_line(plant, member):
    people = (member(plant, Role.ENGINEER).person,)
    watch = CertificateWatch(plant)
    audited(plant, 40, people)
    watch.look()
    assert watch.conditions == ()
    audited(plant, 300, people, wrong=range(300), station="line-2")
    watch.look()
    (found,) = watch.conditions
    model = plant.bundles.default.bundle.card.model_id
    assert (found.kind, found.group, found.values["bundle"]) == ("certificate_refuted", SERVICE, model)
    assert 0.05 <= found.values["limit"] < found.values["share"] < 1
    assert found.values["draws"] == 340
    for language in ("en", "de"):
        text = condition_words(words_in(language), found.as_dict())
        assert "(340 " in text
        assert "%(" not in text
    before = watch.conditions
    watch.look()  # nothing was reviewed since
    assert watch.conditions is before


@pytest.mark.parametrize("void", [False, True])
def test_only_a_void_certificate_is_a_condition(void):
    state = CertificateState(
        Certified(0.05), 9, 40, 8, 0.2, (0.06, 0.4), 0.05, None, 0.5, (0.3, 0.7), void, coverage_changed=True
    )
    found = refuted("model", state)
    assert (found is not None) == void
    if found is not None:
        assert found.values == {"bundle": "model", "share": 0.06, "limit": 0.05, "draws": 40}


def test_the_statement_of_a_certificate_is_read_as_it_is_written(plant):
    card = plant.bundles.default.bundle.card
    assert certified_of(card) == Certified(0.05, 0.277)
    for many in ((1, 1), (2, 9)):
        made = Certificate(0.0125, 0.1, 0.83, 0.4567, (), 0, sheet_risk=0.01, answered_a_group=many)
        read = certified_of(card.model_copy(update={"threshold_statement": made.statement}))
        assert read == Certified(0.0125, 0.457)
    for words, by in (("not certified", "cross-validation"), ("made up", "certificate")):
        assert (
            certified_of(card.model_copy(update={"threshold_statement": words, "threshold_by": by})) is None
        )


def test_the_json_has_no_value_that_json_does_not_know(plant, member):
    text = member(plant, Role.AUDITOR).get("/quality/report.json").text
    json.loads(text, parse_constant=lambda name: pytest.fail(name))
