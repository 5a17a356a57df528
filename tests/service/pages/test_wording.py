"""Pages of access and refusals in the language of the request; the API stays English."""

from pathlib import Path

import pytest

from steelsight.service.access.roles import Role
from steelsight.service.pages.words import words_in
from steelsight.service.problem import Problem
from steelsight.service.wording import refusals
from steelsight.service.wording.page_words import ENGLISH
from steelsight.service.wording.refusals import in_words, refusal_text

GERMAN = {"accept-language": "de-DE,de;q=0.9", "accept": "text/html"}
SERVICE = Path(refusals.__file__).parent.parent


def test_login_and_first_page_are_german(closed, client_of, member):
    page = client_of(closed).get("/", headers=GERMAN)
    assert '<html lang="de">' in page.text
    for words in ("Bei Steelsight anmelden", "Anmeldename", "Passwort", "Noch kein Passwort"):
        assert words in page.text
    first = member(closed, Role.OPERATOR).get("/", headers=GERMAN).text
    for words in ("Angemeldet als", "Bediener", "begutachten", "Linie: Urteile", "Abmelden"):
        assert words in first
    link = client_of(closed).get("/access/link?secret=x", headers=GERMAN)
    assert "Dieser Link ist unbekannt" in link.text


def test_refusals_of_pages_are_german_and_those_of_the_api_english(closed, client_of, member):
    page = client_of(closed).get("/nowhere", headers=GERMAN)
    assert "Diese Seite gibt es nicht." in page.text
    client = member(closed, Role.VIEWER)
    refused = client.get("/admin", headers=GERMAN)
    assert (refused.status_code, "Ihre Rolle darf das nicht" in refused.text) == (403, True)
    same_site = {"sec-fetch-site": "same-origin", "accept-language": "de"}
    error = client.post("/review/undo", json={"writer": "a", "seq": 1}, headers=same_site).json()["error"]
    assert (error["code"], error["message"][:10]) == ("forbidden", "Ihre Rolle")
    other = client.get("/api/v1/sheets/" + "0" * 32, headers={"accept-language": "de"}).json()["error"]
    assert other["message"].startswith("there is no sheet")


def test_what_is_not_translated_stays_english_and_says_so(closed, client_of):
    problem = Problem(409, "gate_not_passed", "this bundle has not passed the gate: 3 of 4", "run `gate`")
    german = words_in("de")
    assert refusal_text(german, problem) == ("This bundle has not passed the gate: 3 of 4; run `gate`.", "en")
    assert in_words(german, problem) is problem
    twice = {**GERMAN, "cookie": "steelsight_session=a; steelsight_session=b"}
    assert "Ein Cookie kam doppelt" in client_of(closed).get("/", headers=twice).text


@pytest.mark.parametrize("words", [ENGLISH, words_in("en")], ids=["source", "catalog"])
def test_english_keeps_the_numbers_of_a_refusal(words):
    problem = Problem(
        429, "too_many_logins", "too many; the next in 7 s", "wait", headers={"Retry-After": "7"}
    )
    assert refusal_text(words, problem) == ("Too many; the next in 7 s; wait.", "en")
    assert "in 7 s" in refusal_text(words_in("de"), problem)[0]


def test_every_translated_code_is_raised_somewhere():
    problem = Problem(400, "x", "x", "x")
    source = "".join(path.read_text() for path in SERVICE.rglob("*.py") if path.name != "refusals.py")
    unknown = {"sheet", "coil", "review", "verdict"}  # made by `unknown` of the API
    for code in refusals._texts(ENGLISH, problem):
        assert f'"{code}"' in source or code.removeprefix("unknown_") in unknown, code
