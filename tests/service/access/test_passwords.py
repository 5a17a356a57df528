"""Rules of passwords and login names, and hashes."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadAccount
from steelsight.service.access.login_names import normalise_login, wanted_login
from steelsight.service.access.passwords import LONGEST, Hasher, check_password
from steelsight.service.problem import Problem
from steelsight.service.settings.access import AccessSettings

CHEAP = {"passes": 1, "memory_kib": 8, "lanes": 1}


@pytest.mark.parametrize(
    "password",
    [
        "four words are better",
        "oil on the third stand",
        "zq7#Kd0!mmPw",
        "grüne Walze, kalter Stahl",
        "correct horse battery staple",
        "пароль для третьей смены",
        "x" * 6 + "abcdefgh",
        "🔥 hot rolled 🔥 cold rolled",
        "s" * 20 + "anna likes steel",
        "t7q9" + "ab" * 510,
        "Tr0ub4dor&3xkcd",
        "p4ssage through the cold mill",
    ],
)
def test_a_password_without_composition_rules_is_accepted(password):
    check_password(password, "anna")


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("", "expected 12 to 1024 characters, got 0"),
        ("elevenchars", "expected 12 to 1024 characters, got 11"),
        ("x" * 1025, "expected 12 to 1024 characters, got 1025"),
        ("e\u0301" * 11, "expected 12 to 1024 characters, got 11"),  # eleven letters with accents
        ("a nul \0 is in here", "without NUL"),
        ("a bell \x07 is in here", "without NUL"),
        ("half a pair \ud800 here", "without NUL"),
        ("anna.example", "beside the login name"),
        ("ANNA.EXAMPLE1234567", "beside the login name"),
        ("anna.exampleanna.example", "beside the login name"),
        ("ａｎｎａ.example12345", "beside the login name"),
        ("aaaaaaaaaaaa", "commonest"),
        ("abababababab", "commonest"),
        ("123412341234", "commonest"),
        ("123456789012", "commonest"),
        ("abcdefghijkl", "commonest"),
        ("lkjihgfedcba", "commonest"),
        ("qwertyuiopas", "commonest"),
        ("1qaz2wsx3edc", "commonest"),
        ("1q2w3e4r5t6y", "commonest"),
        ("password1234", "commonest"),
        ("Password2026!", "commonest"),
        ("P@ssw0rd!2026", "commonest"),
        ("$t33l$1ght2026", "commonest"),
        ("Welcome-2026-2027", "commonest"),
        ("steelsight123", "commonest"),
        ("Steelsight Operator 1", "commonest"),
        ("!!!!qwertyuiop!!!!", "commonest"),
        ("ｐａｓｓｗｏｒｄ１２３４", "commonest"),
        ("2026-11-29 12:00:00", "commonest"),
    ],
)
def test_a_weak_password_is_refused_and_not_repeated(password, message):
    with pytest.raises(BadAccount, match=message) as caught:
        check_password(password, "anna.example")
    assert password[:40] not in str(caught.value) or not password


@pytest.mark.parametrize(
    ("text", "login"),
    [
        ("Anna", "anna"),
        ("ＡＮＮＡ", "anna"),
        ("STRASSE", "strasse"),
        ("straße", "strasse"),
        ("ﬁn", "fin"),
        ("анна", "анна"),
    ],
)
def test_a_login_has_one_form(text, login):
    assert wanted_login(text) == login
    assert normalise_login(f" {text} ") == login


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "an na",
            "a\nb",
            "a\r\nSet-Cookie: x=1",
            "a\0b",
            "a\u202eb",
            "a\u200bb",
            "-anna",
            ".anna",
            "@a",
        ),
        *("a" * 101, "a/b", "a:b", "<b>", "a'b", 'a"b', "a;b", "a%0ab", "a\ud800", "\u0301anna", "a\u2028b"),
        *("аnna", "annа", "αnna", "anna\u0430", "ｐаypal"),  # one letter of another script
    ],
)
def test_a_login_that_can_mislead_is_refused(text):
    with pytest.raises(BadAccount, match="login: expected"):
        wanted_login(text)


@given(st.text(max_size=60))
def test_the_form_of_a_login_is_stable(text):
    once = normalise_login(text)
    assert normalise_login(once) == once
    try:
        wanted = wanted_login(text)
    except BadAccount:
        return
    assert wanted == once == wanted_login(wanted)
    assert wanted.isprintable()


def test_a_hash_tells_its_parameters_and_goes_stale():
    weak, strong = Hasher(**CHEAP), Hasher(**{**CHEAP, "passes": 2})
    stored = weak.hash("four words are better")
    assert stored.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert weak.hash("four words are better") != stored  # another salt
    assert weak.verify(stored, "four words are better")
    assert strong.verify(stored, "four words are better")
    assert not weak.verify(stored, "four words are bettes")
    assert (weak.is_stale(stored), strong.is_stale(stored)) == (False, True)


def test_the_default_parameters_are_those_that_are_documented():
    settings = AccessSettings.model_validate({})
    assert (settings.argon2_passes, settings.argon2_memory_kib, settings.argon2_lanes) == (3, 65_536, 4)


@pytest.mark.parametrize(
    "stored", ["", "x", "$argon2id$", "$argon2id$v=19$m=8,t=1,p=1$aaaa$bbbb", "pbkdf2:1"]
)
def test_what_is_no_hash_admits_nobody(stored):
    hasher = Hasher(**CHEAP)
    assert not hasher.verify(stored or None, "")
    assert not hasher.verify(stored, "four words are better")


def test_the_same_letters_from_two_keyboards_are_one_password():
    hasher = Hasher(**CHEAP)
    assert hasher.verify(hasher.hash("caf\u00e9 au lait tonight"), "cafe\u0301 au lait tonight")


def test_a_very_long_password_costs_no_hash(monkeypatch):
    hasher = Hasher(**CHEAP)
    computed = []
    monkeypatch.setattr(hasher, "_argon2", None)  # any use fails
    assert not hasher.verify("$argon2id$v=19$m=8,t=1,p=1$aaaa$bbbb", "x" * (LONGEST + 1))
    assert computed == []


def test_few_hashes_are_computed_at_a_time_and_many_are_refused():
    hasher = Hasher(**CHEAP)
    inside, most, refused = [], [], []
    gate, full = threading.Event(), threading.Event()

    def one():
        try:
            with hasher.turn():
                inside.append(1)
                most.append(len(inside))
                gate.wait(60)
                inside.pop()
        except Problem as problem:
            refused.append((problem.status, problem.headers["Retry-After"]))
            if len(refused) == 12:
                full.set()

    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    assert full.wait(60)  # eight have a place or wait for one
    gate.set()
    for thread in threads:
        thread.join(60)
    assert refused == [(503, "1")] * 12
    assert len(most) == 8
    assert max(most) <= 2
