"""The provider itself: its addresses and keys, and when it is away, slow or another one."""

import contextlib
import threading
import time

import httpx
import pytest
from joserfc.jwk import RSAKey
from tests.service.access.conftest import client
from tests.service.access.oidc.conftest import begin, finish, log_in
from tests.service.access.oidc.identity_provider import SECRET

from steelsight.service.access.oidc import provider as provider_module
from steelsight.service.settings.access import OidcSettings


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


def test_a_slow_provider_holds_few_requests(make_service, provider, monkeypatch):
    """The others are answered at once: threads that wait for the provider are missing elsewhere."""
    monkeypatch.setattr(provider_module, "TIMEOUT", httpx.Timeout(300.0))
    monkeypatch.setattr(provider_module, "LONGEST_S", 300.0)
    http = client(make_service())
    gate, arrived, waiting = threading.Event(), threading.Semaphore(0), []
    plain = provider.answer

    def answer(handler, content, status=200):
        arrived.release()
        gate.wait(60)
        plain(handler, content, status)

    provider.answer = answer

    def ask():
        waiting.append(http.get("/api/v1/oidc/login", follow_redirects=False).status_code)

    threads = [threading.Thread(target=ask) for _ in range(provider_module.AT_ONCE)]
    threads[0].start()
    assert arrived.acquire(timeout=60)
    for thread in threads[1:]:
        thread.start()
    places = http.app.state.oidc_provider._places
    for _ in range(6000):  # until the others have begun to wait
        if places._value:
            time.sleep(0.01)
    answer = http.get("/api/v1/oidc/login", follow_redirects=False)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert http.get("/api/v1/me").status_code == 401
    gate.set()
    for thread in threads:
        thread.join()
    assert sorted(waiting) == [303] * provider_module.AT_ONCE


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


def test_another_issuer_in_the_answer_is_refused(make_service, provider):
    http = client(make_service())
    back = begin(http)
    assert finish(http, back + "x").status_code == 401  # iss is its last value
    provider.metadata["authorization_response_iss_parameter_supported"] = True
    other = client(make_service())
    without = begin(other).partition("&iss=")[0]
    assert finish(other, without).status_code == 401
