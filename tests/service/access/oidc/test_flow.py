"""Login by an identity provider, and attacks on it."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from tests.service.access.conftest import client, event_names
from tests.service.access.oidc import identity_provider as attacks
from tests.service.access.oidc.conftest import begin, finish, log_in

from steelsight.ledger.writing.writer import now_us
from steelsight.service.access.accounts import list_accounts
from steelsight.service.access.oidc import flow


def test_an_identity_gets_an_account_and_a_session(make_service, provider):
    parts = make_service()
    http = client(parts)
    answer = log_in(http)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    me = http.get("/api/v1/me").json()
    assert (me["role"], me["name"]) == ("operator", "carla")
    assert provider.requests[0]["code_verifier"]
    assert log_in(client(parts)).status_code == 303
    with parts.ledger.read() as connection:
        (account,) = list_accounts(connection)
    assert (account.login, account.oidc, account.has_password) == ("carla", True, False)
    assert event_names(parts) == ["account_added", "login", "login"]


def test_state_nonce_and_verifier_are_new_each_time(make_service, provider):
    http = client(make_service())
    asked = []
    for _ in range(2):
        location = http.get("/api/v1/oidc/login", follow_redirects=False).headers["location"]
        asked.append({name: values[0] for name, values in parse_qs(urlsplit(location).query).items()})
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]
    assert asked[0]["code_challenge_method"] == "S256"
    assert asked[0]["redirect_uri"] == "http://127.0.0.1:8080/api/v1/oidc/callback"
    cookie = http.cookies["steelsight_oidc"]
    assert cookie not in str(asked)


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"aud": "another client"}, "aud"),
        ({"aud": ["another client", "steelsight"]}, "azp"),
        ({"aud": ["another client", "steelsight"], "azp": "another client"}, "azp"),
        ({"aud": []}, "aud"),
        ({"iss": "https://elsewhere.example"}, "iss"),
        ({"exp": int(time.time()) - 300}, "expired"),
        ({"exp": "never"}, "exp"),
        ({"exp": None}, "exp"),
        ({"iat": int(time.time()) + 3600}, "issued in the future"),
        ({"nbf": int(time.time()) + 3600}, "not yet valid"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": 7}, "sub"),
        ({"sub": "x" * 256}, "sub"),
        ({"sub": "a\0b"}, "sub"),
        ({"sub": "a\nb"}, "sub"),
    ],
)
def test_a_token_that_proves_nothing_is_refused(make_service, provider, claims, message):
    provider.claims.update(claims)
    http = client(make_service())
    answer = log_in(http)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "bad_identity"
    assert message in answer.json()["error"]["message"]
    assert http.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize(
    "sign", [attacks.unsigned, attacks.by_another_key, attacks.with_its_own_key, attacks.by_secret, None]
)
def test_a_token_that_is_not_signed_by_the_provider_is_refused(make_service, provider, sign):
    provider.sign = sign or attacks.confused(provider)
    http = client(make_service())
    assert log_in(http).json()["error"]["code"] == "bad_identity"
    assert http.get("/api/v1/me").status_code == 401


def test_garbage_instead_of_a_token_is_refused(make_service, provider):
    http = client(make_service())
    for token in ("", "a.b.c", "a" * 10_000, None, 5, "e30.e30.", "{}"):
        provider.sign = lambda claims, token=token: token
        assert log_in(http).status_code == 401


def test_a_state_belongs_to_one_browser_and_is_used_once(make_service):
    parts = make_service()
    victim, attacker = client(parts), client(parts)
    back = begin(attacker)
    assert finish(victim, back).status_code == 401  # has begun nothing
    begin(victim)
    assert finish(victim, back).status_code == 401  # has begun another one
    assert victim.get("/api/v1/me").status_code == 401
    cookies = dict(attacker.cookies)
    assert finish(attacker, back).status_code == 303
    attacker.cookies.update(cookies)  # the cookie of the login is kept by an attacker
    again = finish(attacker, back)
    assert again.status_code == 401
    assert "finished before" in again.json()["error"]["message"]


def test_a_code_is_redeemed_once_and_by_its_own_browser(make_service):
    parts = make_service()
    first, second = client(parts), client(parts)
    waiting, used = begin(client(parts)), begin(first)
    assert finish(first, used).status_code == 303
    for stolen in (waiting, used):  # issued to another browser, whose PKCE verifier differs; used before
        back = begin(second)
        code, other = (parse_qs(urlsplit(each).query)["code"][0] for each in (back, stolen))
        answer = finish(second, back.replace(code, other))
        assert answer.status_code == 401
        assert "does not accept the code" in answer.json()["error"]["message"]
    assert second.get("/api/v1/me").status_code == 401


def test_a_state_that_was_changed_or_is_old_is_refused(make_service, monkeypatch):
    http = client(make_service())
    back = begin(http)
    state = parse_qs(urlsplit(back).query)["state"][0]
    for forged in ("", "1.x", state + "x", "x" + state, str(int(state[:16]) + 1) + state[16:], "９９.x"):
        assert finish(http, back.replace(state, forged)).status_code == 401
    monkeypatch.setattr(flow, "LOGIN_MINUTES", 0)
    answer = finish(http, back)
    assert answer.status_code == 401
    assert "longer than" in answer.text


def test_the_provider_says_no(make_service):
    http = client(make_service())
    back = begin(http).replace("code=", "error=access_denied&no=")
    answer = finish(http, back)
    assert answer.status_code == 401
    assert "access_denied" in answer.text


def test_a_token_signed_for_encryption_keys_is_refused(make_service, provider):
    key = RSAKey.generate_key(2048, parameters={"kid": "enc", "use": "enc"})
    provider.published = [provider.key, key]
    plain = RSAKey.import_key({**key.as_dict(private=True), "use": "sig"})
    provider.sign = lambda claims: jwt.encode({"alg": "RS256", "kid": "enc"}, claims, plain)
    assert log_in(client(make_service())).status_code == 401


def test_answers_that_prove_nothing_make_an_address_wait(make_service, provider, monkeypatch):
    now = now_us()
    monkeypatch.setattr("steelsight.service.access.oidc.routes.now_us", lambda: now)
    parts = make_service(attempts=3)
    provider.claims["nonce"] = "another"
    answers = [log_in(client(parts)) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert answers[-1].headers["retry-after"] == "1"
