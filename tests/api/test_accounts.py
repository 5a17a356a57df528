"""Accounts and tokens in Python: no password and no secret is shown by accident."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra [serve]")
pytest.importorskip("argon2", reason="needs the extra [serve]")

import steelsight as ss
from steelsight.api.ledger import accounts
from steelsight.errors import BadAccount

PASSWORD = "oil on the third stand"


@pytest.fixture
def path(sqlite_ledger) -> str:
    return sqlite_ledger.address.removeprefix("sqlite:///")


def test_accounts_from_the_first_to_the_last(path):
    added = accounts.add_account(path, "Anna", "admin", password=lambda: PASSWORD)
    assert (added.account.login, added.account.has_password, added.link) == ("anna", True, None)
    linked = accounts.add_account(Path(path), "ben", "viewer", name="Ben B.")
    assert linked.link is not None
    assert linked.link.startswith("/access/link?secret=")
    assert accounts.set_role(path, "ben", "engineer").role.value == "engineer"
    assert accounts.set_disabled(path, "ben", disabled=True).disabled
    found = accounts.list_access(path)
    assert [(each.login, each.has_password, each.disabled) for each in found.accounts] == [
        ("anna", True, False),
        ("ben", False, True),
    ]
    accounts.set_disabled(path, "ben", disabled=False)
    changed = accounts.set_password(path, "ben", password=lambda: PASSWORD)
    assert (changed.account.has_password, changed.link) == (True, None)
    with ss.open_ledger(path) as ledger:
        assert ledger.verify().clean


def test_what_is_shown_holds_no_secret(path):
    linked = accounts.add_account(path, "anna", "viewer")
    issued = accounts.create_token(path, "prometheus", ["read"])
    listed = accounts.list_access(path)
    assert linked.link is not None
    for shown in (linked, issued, listed, listed.as_dict()):
        assert linked.link.partition("=")[2] not in repr(shown)
        assert issued.secret not in repr(shown)
    assert linked.as_dict()["link"] == linked.link


def test_a_password_is_asked_for_once_the_login_is_possible(path):
    def never() -> str:
        pytest.fail("was asked for a password")

    with pytest.raises(BadAccount, match="login: expected 1 to 100 letters"):
        accounts.add_account(path, "an na", "viewer", password=never)
    with pytest.raises(BadAccount, match="expected 12 to 1024 characters, got 5") as refused:
        accounts.add_account(path, "anna", "viewer", password=lambda: "short")
    assert "short" not in str(refused.value)


def test_tokens_are_made_and_revoked(path):
    issued = accounts.create_token(path, "prometheus", ["read", "export"], days=None)
    assert issued.secret.startswith("sst_")
    (token,) = accounts.list_access(path).tokens
    assert (token.id, token.expires_us) == (issued.token.id, None)
    accounts.revoke_token(path, token.id)
    with pytest.raises(BadAccount, match="none with this id that is not revoked"):
        accounts.revoke_token(path, token.id)


def test_names_that_do_not_exist_are_refused_with_those_that_do(path):
    with pytest.raises(BadAccount, match=r"role: expected one of viewer, operator, .*, got 'boss'"):
        accounts.set_role(path, "anna", "boss")
    with pytest.raises(BadAccount, match=r"scope: expected some of read, .*, got 'write'"):
        accounts.create_token(path, "prometheus", ["read", "write"])
    with pytest.raises(BadAccount, match="no account has it"):
        accounts.set_password(path, "nobody")
