"""Login by an identity provider, and attacks on it."""

import contextlib
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from tests.service.access import identity_provider as attacks
from tests.service.access.conftest import client, event_names, user
from tests.service.access.identity_provider import CLIENT, SECRET, IdentityProvider

from steelsight.service.access.accounts import list_accounts, set_disabled
from steelsight.service.access.oidc import flow
from steelsight.service.access.oidc import provider as provider_module
from steelsight.service.access.oidc.identity import role_of
from steelsight.service.access.roles import Role
from steelsight.service.settings.access import OidcSettings


@pytest.fixture
def provider():
    running = IdentityProvider()
    yield running
    running.close()


@pytest.fixture
def make_service(sqlite_ledger, make_parts, provider):
    def call(**oidc):
        settings = {
            "issuer": provider.issuer,
            "client_id": CLIENT,
            "client_secret": SECRET,
            "roles": {"admins": "admin", "inspectors": "operator"},
            **oidc,
        }
        return make_parts(sqlite_ledger, oidc=settings)

    return call


def begin(http):
    """Send the browser to the provider; returns where it is sent back to."""
    there = http.get("/api/v1/oidc/login", follow_redirects=False)
    assert there.status_code == 303, there.text
    back = httpx.get(there.headers["location"], follow_redirects=False)
    parts = urlsplit(back.headers["location"])
    return f"{parts.path}?{parts.query}"


def finish(http, back):
    return http.get(back, follow_redirects=False)


def log_in(http):
    return finish(http, begin(http))


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


def test_another_issuer_in_the_answer_is_refused(make_service, provider):
    http = client(make_service())
    back = begin(http)
    assert finish(http, back + "x").status_code == 401  # iss is its last value
    provider.metadata["authorization_response_iss_parameter_supported"] = True
    other = client(make_service())
    without = begin(other).partition("&iss=")[0]
    assert finish(other, without).status_code == 401


def test_the_provider_says_no(make_service):
    http = client(make_service())
    back = begin(http).replace("code=", "error=access_denied&no=")
    answer = finish(http, back)
    assert answer.status_code == 401
    assert "access_denied" in answer.text


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"issuer": "https://elsewhere.example"}, "calls itself"),
        ({"token_endpoint": None}, "no usable token_endpoint"),
        ({"token_endpoint": "ftp://elsewhere.example/x"}, "is not https"),
        ({"jwks_uri": 5}, "no usable jwks_uri"),
    ],
)
def test_a_provider_that_contradicts_its_settings_is_refused(make_service, provider, metadata, message):
    provider.metadata.update(metadata)
    answer = client(make_service()).get("/api/v1/oidc/login", follow_redirects=False)
    assert answer.status_code == 502
    assert message in answer.json()["error"]["message"]


def test_a_provider_that_is_away_is_told(make_service, provider):
    parts = make_service()
    provider.close()
    answer = client(parts).get("/api/v1/oidc/login", follow_redirects=False)
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "provider_failed"
    provider.__init__()  # so that the fixture closes it


def test_a_new_key_of_the_provider_is_fetched(make_service, provider, monkeypatch):
    http = client(make_service())
    assert log_in(http).status_code == 303
    provider.key = RSAKey.generate_key(2048, parameters={"kid": "second", "use": "sig", "alg": "RS256"})
    provider.published = [provider.key]
    assert log_in(http).status_code == 401  # not so soon: an attacker could have keys fetched without end
    monkeypatch.setattr(provider_module, "AGAIN_S", 0.0)
    assert log_in(http).status_code == 303


def test_the_role_follows_the_provider_at_every_login(make_service, provider):
    parts = make_service()
    http = client(parts)
    log_in(http)
    provider.claims["groups"] = ["staff", "admins"]
    log_in(http)
    assert http.get("/api/v1/me").json()["role"] == "admin"
    provider.claims["groups"] = ["inspectors"]
    log_in(http)
    assert http.get("/api/v1/me").json()["role"] == "operator"
    provider.claims["groups"] = ["visitors"]
    answer = log_in(client(parts))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "no_role")
    assert event_names(parts).count("role_changed") == 2


def test_a_disabled_account_does_not_log_in(make_service):
    parts = make_service()
    log_in(client(parts))
    with parts.console.transaction() as (connection, writer):
        (account,) = list_accounts(connection)
        set_disabled(connection, writer, account.person, True, by=None)
    answer = log_in(client(parts))
    assert answer.json()["error"]["code"] == "account_disabled"


@pytest.mark.parametrize(
    ("allowed", "claims", "linked"),
    [
        (True, {"email": "Anna@plant.example", "email_verified": True}, True),
        (True, {"email": "anna@plant.example", "email_verified": False}, False),
        (True, {"email": "anna@plant.example", "email_verified": "true"}, False),
        (True, {"email": "anna@plant.example"}, False),
        (True, {"email": "", "email_verified": True}, False),
        (False, {"email": "anna@plant.example", "email_verified": True}, False),
        (True, {"preferred_username": "anna"}, False),
    ],
)
def test_an_account_is_linked_by_a_verified_address_alone(make_service, provider, allowed, claims, linked):
    parts = make_service(link_by_email=allowed)
    person = user(parts, "anna", Role.VIEWER, address="anna@plant.example")
    user(parts, "other", Role.VIEWER)
    provider.claims.update(claims)
    http = client(parts)
    assert log_in(http).status_code == 303
    assert (http.get("/api/v1/me").json()["person"] == person) is linked


def test_a_name_that_is_taken_or_impossible_gives_no_foreign_account(make_service, provider):
    parts = make_service()
    person = user(parts, "carla", Role.ADMIN)
    http = client(parts)
    log_in(http)
    assert http.get("/api/v1/me").json()["person"] != person
    provider.claims.update(
        {"sub": "s-2", "preferred_username": "a\r\nSet-Cookie: x=1", "name": "N\x00\x1bame"}
    )
    other = client(parts)
    log_in(other)
    assert other.get("/api/v1/me").json()["name"] == "Name"
    with parts.ledger.read() as connection:
        logins = [each.login for each in list_accounts(connection)]
    assert len([each for each in logins if each.startswith("oidc-")]) == 2


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["inspectors"]}, Role.OPERATOR),
        ({"groups": "inspectors"}, Role.OPERATOR),
        ({"groups": ["inspectors", "admins"]}, Role.ADMIN),
        ({"groups": ["Inspectors"]}, None),
        ({"groups": {"inspectors": 1}}, Role.OPERATOR),
        ({"groups": [["inspectors"]]}, None),
        ({"groups": None}, None),
        ({}, None),
    ],
)
def test_a_role_of_a_claim(claims, role):
    roles = {"admins": "admin", "inspectors": "operator"}
    settings = OidcSettings(issuer="https://a.example", client_id="c", roles=roles)
    assert role_of(claims, settings) is role
    nested = OidcSettings(issuer="https://a.example", client_id="c", roles=roles, role_claim="realm.groups")
    assert role_of({"realm": claims}, nested) is role
    assert role_of({"realm": "text"}, nested) is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"issuer": "http://elsewhere.example"}, "expected an https address"),
        ({"issuer": "https://user@a.example"}, "without user"),
        ({"issuer": "nothing"}, "expected an address"),
        ({"scopes": ["profile"]}, "expected openid among them"),
        ({"roles": {}}, "nobody could log in"),
        ({"roles": {"a": "king"}}, "viewer"),
        ({"algorithms": ["none"]}, "RS256"),
        ({"algorithms": ["HS256"]}, "RS256"),
        ({"client_secret_file": "x"}, "not both"),
        ({"secret": "x"}, "Extra inputs"),
    ],
)
def test_impossible_settings_are_refused(values, message):
    given = {"issuer": "https://a.example", "client_id": "c", "client_secret": "s", "roles": {"a": "viewer"}}
    with pytest.raises(ValueError, match=message):
        OidcSettings(**{**given, **values})


def test_roles_of_the_settings_are_those_of_accounts():
    from typing import get_args

    from steelsight.service.settings.access import RoleName

    assert list(get_args(RoleName)) == [each.value for each in Role]


def test_a_token_signed_for_encryption_keys_is_refused(make_service, provider):
    key = RSAKey.generate_key(2048, parameters={"kid": "enc", "use": "enc"})
    provider.published = [provider.key, key]
    plain = RSAKey.import_key({**key.as_dict(private=True), "use": "sig"})
    provider.sign = lambda claims: jwt.encode({"alg": "RS256", "kid": "enc"}, claims, plain)
    assert log_in(client(make_service())).status_code == 401


@pytest.mark.parametrize(
    "content", [b"[]", b"no JSON", b"[" * 100_000, b'{"issuer": "' + b"x" * 2**21 + b'"}']
)
def test_a_provider_that_answers_something_else_is_told(make_service, provider, content):
    def answer(handler, _content, status=200):
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        with contextlib.suppress(ConnectionError):  # the service does not read more than it must
            handler.wfile.write(content)

    provider.answer = answer
    there = client(make_service()).get("/api/v1/oidc/login", follow_redirects=False)
    assert (there.status_code, there.json()["error"]["code"]) == (502, "provider_failed")


def test_a_provider_that_sends_the_browser_elsewhere_is_not_followed(make_service, provider):
    reached = []

    def answer(handler, _content, status=200):
        reached.append(handler.path)
        handler.send_response(302)
        handler.send_header("Location", f"{provider.issuer}/elsewhere")
        handler.end_headers()

    provider.answer = answer
    assert client(make_service()).get("/api/v1/oidc/login", follow_redirects=False).status_code == 502
    assert reached == ["/realm/.well-known/openid-configuration"]


def test_a_secret_in_a_file_and_in_the_form(make_service, provider, tmp_path):
    (tmp_path / "secret").write_text(SECRET + "\n")
    http = client(make_service(client_secret=None, client_secret_file=str(tmp_path / "secret")))
    assert log_in(http).status_code == 303
    provider.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    other = client(make_service())
    assert log_in(other).status_code == 502  # the small provider knows no other way
    assert provider.requests[-1]["client_secret"] == SECRET
    missing = client(make_service(client_secret=None, client_secret_file=str(tmp_path / "none")))
    answer = log_in(missing)
    assert (answer.status_code, "client_secret_file cannot be read" in answer.text) == (502, True)
    assert SECRET not in answer.text
