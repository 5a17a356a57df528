"""The account and the role of an identity."""

import pytest
from tests.service.access.conftest import client, event_names, user
from tests.service.access.oidc.conftest import log_in

from steelsight.service.access.accounts import list_accounts, set_disabled
from steelsight.service.access.oidc.identity import role_of
from steelsight.service.access.roles import Role
from steelsight.service.settings.access import OidcSettings


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


def test_roles_of_the_settings_are_those_of_accounts():
    from typing import get_args

    from steelsight.service.settings.access import RoleName

    assert list(get_args(RoleName)) == [each.value for each in Role]
