"""Routes of a login by an OpenID Connect provider: to the provider, and back."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse

from steelsight.ledger.writing.writer import now_us
from steelsight.service.access.carried import carried_by, give_cookies, service_of
from steelsight.service.access.cookies import drop_cookie, read_cookie, require_private, set_cookie
from steelsight.service.access.credentials import new_secret
from steelsight.service.access.login import begin_session
from steelsight.service.access.oidc.flow import LOGIN_MINUTES, begin, check_state, use_state
from steelsight.service.access.oidc.identity import account_of
from steelsight.service.access.oidc.provider import Provider, refused
from steelsight.service.access.origin import Client, client_of
from steelsight.service.access.throttle import Blocked, address_key, count_attempt, forgive, must_wait
from steelsight.service.problem import Problem
from steelsight.service.settings.access import OidcSettings

__all__ = ["router"]

router = APIRouter(tags=["access"])
LOGIN: Final = "steelsight_oidc"  # cookie of a login that has begun
CALLBACK: Final = "/api/v1/oidc/callback"


def _settings(request: Request) -> OidcSettings:
    found = service_of(request).settings.oidc
    if found is None:
        raise Problem(
            404,
            "no_provider",
            "this service has no identity provider",
            "log in with a password, or set `oidc` in the settings",
        )
    return found


def _provider(request: Request, settings: OidcSettings) -> Provider:
    """The app's provider, made once so that its keys are kept."""
    state = request.app.state
    found = getattr(state, "oidc_provider", None)
    if not isinstance(found, Provider) or found.settings is not settings:
        state.oidc_provider = found = Provider(settings)
    return found


def _redirect(request: Request, client: Client) -> str:
    public = service_of(request).settings.public_url
    return (client.origin if public is None else public.rstrip("/")) + CALLBACK


@router.get("/oidc/login", status_code=303, response_class=RedirectResponse)
def begin_oidc_login(request: Request) -> RedirectResponse:
    """Send the browser to the identity provider."""
    settings = _settings(request)
    client = client_of(request, service_of(request).settings)
    require_private(client)
    secret, provider = new_secret(), _provider(request, settings)
    with provider.turn():
        address = begin(provider, secret, _redirect(request, client), now_us=now_us())
    answer = RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store"})
    set_cookie(answer, LOGIN, secret, client, seconds=LOGIN_MINUTES * 60)
    return answer


@router.get("/oidc/callback", status_code=303, response_class=RedirectResponse)
def finish_oidc_login(
    request: Request,
    state: Annotated[str, Query(max_length=200, description="As it was sent to the provider.")] = "",
    code: Annotated[str, Query(max_length=4096, description="To be exchanged for an ID token.")] = "",
    iss: Annotated[
        str | None, Query(max_length=2000, description="Issuer, where the provider tells it.")
    ] = None,
    error: Annotated[str | None, Query(max_length=200, description="Why there is no code.")] = None,
) -> RedirectResponse:
    """Take the answer of the identity provider and begin a session."""
    settings, service = _settings(request), service_of(request)
    client = client_of(request, service.settings)
    require_private(client)
    now = now_us()
    attempt = check_state(read_cookie(request, LOGIN, client), state, now_us=now)
    key = address_key(client.address, service.settings, of="oidc")
    with service.ledger.write() as connection:
        use_state(connection, state, now_us=now)
        counted = count_attempt(connection, [key], now_us=now)
    if isinstance(counted, Blocked):
        raise must_wait(counted)
    if error is not None or not code:
        raise refused(f"the provider says {error or 'nothing'!r:.100}")
    provider = _provider(request, settings)
    with provider.turn():
        provider.check_issuer(iss)
        tokens = provider.redeem(code, redirect=_redirect(request, client), verifier=attempt.verifier)
        claims = provider.claims(tokens, nonce=attempt.nonce)
    with service.console.transaction() as (connection, writer):
        account = account_of(connection, writer, claims, settings)
        forgive(connection, [key], now_us=now_us())
        carried = carried_by(request)
        started = begin_session(connection, writer, service, account.person, carried, origin="oidc")
    answer = RedirectResponse("/", status_code=303)
    give_cookies(request, answer, started)
    drop_cookie(answer, LOGIN, client)
    return answer
