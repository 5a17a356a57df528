"""Any order of operations on accounts: who may do what is always that of a small model."""

from dataclasses import dataclass
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select
from tests.service.access.conftest import FAST, SAME, bearer, client, cookie, user

from steelsight.ledger.database.open import create_ledger
from steelsight.ledger.database.schema import events
from steelsight.ledger.keeping.people import erase_person
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.writing.writer import open_writer
from steelsight.service.access.roles import PERMISSIONS, Permission, Role
from steelsight.service.bundles import Bundles
from steelsight.service.console import SharedWriter
from steelsight.service.context import Service
from steelsight.service.settings.load import Settings

API = "/api/v1"
PASSWORDS = ("oil on the third stand", "water on the fourth stand", "rust beside the loading dock")
MANY = {**FAST, "login_attempts": 1000, "address_attempts": 100_000}  # delays have tests of their own


@dataclass
class Known:
    """What the model knows of an account."""

    person: str
    login: str
    role: Role
    password: str | None
    disabled: bool = False


def one_of(data, values, label):
    """Drawn by number: secrets are random, and examples must be repeatable."""
    return values[data.draw(st.integers(0, len(values) - 1), label=label)]


class Accounts(RuleBasedStateMachine):
    """A service with accounts, sessions and tokens, and the model of what each may do."""

    new_address = None  # set by the test

    def __init__(self):
        super().__init__()
        self.ledger = create_ledger(self.new_address())
        self.numbers = count()
        self.known = []
        self.sessions = {}  # secret -> account, None = ended
        self.tokens = {}  # secret -> id and scopes, None = revoked
        self.links = {}  # secret -> account, None = ended
        self.changes = 0  # events that must be there
        self.start()

    def start(self):
        writer = SharedWriter(self.ledger, f"console{next(self.numbers)}")
        bundles = Bundles.__new__(Bundles)
        self.service = Service(self.ledger, writer, None, bundles, Settings(**MANY))
        self.http = client(self.service)

    def teardown(self):
        self.service.console.close()
        self.ledger.close()

    @initialize()
    def first(self):
        person = user(self.service, "root", Role.ADMIN, PASSWORDS[0])
        self.known.append(Known(person, "root", Role.ADMIN, PASSWORDS[0]))
        self.changes += 2
        self.log_in_as(self.known[0], PASSWORDS[0])

    def send(self, method, path, secret, body=None):
        self.http.cookies.clear()
        headers = bearer(secret) if secret.startswith("sst_") else cookie(secret)
        return self.http.request(method, API + path, headers=headers, json=body)

    def log_in_as(self, account, password):
        self.http.cookies.clear()
        body = {"login": account.login, "password": password}
        answer = self.http.post(f"{API}/login", json=body, headers=SAME)
        right = account.password == password and not account.disabled and account in self.known
        assert answer.status_code == (200 if right else 401)
        if right:
            self.sessions[answer.cookies["steelsight_session"]] = account
            self.changes += 1

    def alive(self, secret):
        account = self.sessions[secret]
        return account is not None and not account.disabled and account in self.known

    def end_sessions(self, account):
        self.sessions = {each: None if who is account else who for each, who in self.sessions.items()}

    def administrators(self):
        able = (each for each in self.known if each.role is Role.ADMIN and not each.disabled)
        return [each for each in able if each.password is not None]

    def expected(self, secret, account):
        """The answer to a change of an account by the holder of a session."""
        if not self.alive(secret):
            return 401
        if self.sessions[secret].role is not Role.ADMIN:
            return 403
        return 200 if account in self.known else 404

    def a_session(self, data):
        return one_of(data, list(self.sessions), "session")

    def an_account(self, data):
        return one_of(data, self.known, "account")

    @rule(data=st.data(), role=st.sampled_from(Role))
    def add(self, data, role):
        secret, login = self.a_session(data), f"user{next(self.numbers)}"
        answer = self.send("POST", "/users", secret, {"login": login, "role": role})
        status = self.expected(secret, self.sessions[secret])
        assert answer.status_code == (201 if status == 200 else status)
        if status == 200:
            made = answer.json()
            self.known.append(Known(made["user"]["person"], login, role, None))
            self.links[made["link"]["path"].partition("=")[2]] = self.known[-1]
            self.changes += 2

    @precondition(lambda self: self.known)
    @rule(data=st.data(), role=st.sampled_from(Role))
    def change_role(self, data, role):
        secret, account = self.a_session(data), self.an_account(data)
        last = self.administrators() == [account] and role is not Role.ADMIN
        status = self.expected(secret, account)
        answer = self.send("PUT", f"/users/{account.person}/role", secret, {"role": role})
        assert answer.status_code == (409 if status == 200 and last else status)
        if answer.status_code == 200:
            self.changes += account.role is not role
            account.role = role

    @precondition(lambda self: self.known)
    @rule(data=st.data(), disabled=st.booleans())
    def switch(self, data, disabled):
        secret, account = self.a_session(data), self.an_account(data)
        last = disabled and self.administrators() == [account]
        status = self.expected(secret, account)
        verb = "disable" if disabled else "enable"
        answer = self.send("POST", f"/users/{account.person}/{verb}", secret)
        assert answer.status_code == (409 if status == 200 and last else status)
        if answer.status_code == 200 and account.disabled != disabled:
            account.disabled = disabled
            self.changes += 1
            if disabled:
                self.end_sessions(account)
                self.links = {each: None if who is account else who for each, who in self.links.items()}

    @precondition(lambda self: self.known)
    @rule(data=st.data(), password=st.sampled_from(PASSWORDS))
    def log_in(self, data, password):
        self.log_in_as(self.an_account(data), password)

    @rule(data=st.data())
    def log_out(self, data):
        secret = self.a_session(data)
        alive = self.alive(secret)
        assert self.send("POST", "/logout", secret).status_code == (204 if alive else 401)
        self.changes += alive
        self.sessions[secret] = None

    @rule(data=st.data(), current=st.sampled_from(PASSWORDS), wanted=st.sampled_from(PASSWORDS))
    def change_password(self, data, current, wanted):
        secret = self.a_session(data)
        account, alive = self.sessions[secret], self.alive(secret)
        answer = self.send("POST", "/me/password", secret, {"current": current, "password": wanted})
        if not alive:
            assert answer.status_code == 401
            return
        assert answer.status_code == (200 if account.password == current else 403)
        if answer.status_code == 200:
            account.password = wanted
            self.end_sessions(account)
            self.links = {each: None if who is account else who for each, who in self.links.items()}
            self.sessions[answer.cookies["steelsight_session"]] = account
            self.changes += 2

    @precondition(lambda self: self.links)
    @rule(data=st.data(), password=st.sampled_from(PASSWORDS))
    def redeem(self, data, password):
        link = one_of(data, list(self.links), "link")
        account = self.links[link]
        self.http.cookies.clear()
        body = {"link": link, "password": password}
        answer = self.http.post(f"{API}/links/redeem", json=body, headers=SAME)
        assert answer.status_code == (404 if account is None or account not in self.known else 200)
        self.links[link] = None
        if answer.status_code == 200:
            self.end_sessions(account)
            account.password = password
            self.sessions[answer.cookies["steelsight_session"]] = account
            self.changes += 2

    @rule(data=st.data(), scopes=st.sets(st.sampled_from(Permission), min_size=1))
    def make_token(self, data, scopes):
        secret = self.a_session(data)
        body = {"name": "machine", "scopes": sorted(scopes)}
        answer = self.send("POST", "/tokens", secret, body)
        status = self.expected(secret, self.sessions[secret])
        assert answer.status_code == (201 if status == 200 else status)
        if status == 200:
            made = answer.json()
            self.tokens[made["secret"]] = (made["token"]["id"], frozenset(scopes))
            self.changes += 1

    @precondition(lambda self: any(self.tokens.values()))
    @rule(data=st.data())
    def revoke_token(self, data):
        secret = self.a_session(data)
        token = one_of(data, [each for each in self.tokens if self.tokens[each]], "token")
        answer = self.send("DELETE", f"/tokens/{self.tokens[token][0]}", secret)
        status = self.expected(secret, self.sessions[secret])
        assert answer.status_code == (204 if status == 200 else status)
        if status == 200:
            self.tokens[token] = None
            self.changes += 1

    @precondition(lambda self: len(self.known) > 1)
    @rule(data=st.data())
    def erase(self, data):
        account = self.an_account(data)
        if self.administrators() == [account]:
            return
        with open_writer(self.ledger, "ledger") as writer:
            erase_person(self.ledger, writer, account.person)
        self.known.remove(account)
        self.changes += 1

    @rule()
    def restart(self):
        self.service.console.close()
        self.start()

    @invariant()
    def everybody_may_what_the_model_says(self):
        for secret in self.sessions:
            answer = self.send("GET", "/me", secret)
            if not self.alive(secret):
                assert answer.status_code == 401
                continue
            account, shown = self.sessions[secret], answer.json()
            assert (shown["person"], shown["role"]) == (account.person, account.role)
            assert set(shown["permissions"]) == PERMISSIONS[account.role]
        for secret, token in self.tokens.items():
            answer = self.send("GET", "/me", secret)
            assert answer.status_code == (401 if token is None else 200)
            assert token is None or set(answer.json()["permissions"]) == token[1]

    @invariant()
    def an_administrator_can_log_in_and_every_change_is_on_record(self):
        if not self.known:
            return
        assert self.administrators()
        with self.ledger.read() as connection:
            changes = select(func.count()).select_from(events).where(events.c.name != "login_failures")
            assert connection.execute(changes).scalar_one() == self.changes
        assert verify(self.ledger).clean


@pytest.mark.parametrize(("kind", "examples"), [("sqlite", 5), ("postgresql", 2)])
def test_accounts_in_any_order_of_operations(kind, examples, tmp_path, request):
    numbers = count()
    if kind == "sqlite":

        def new_address():
            return str(tmp_path / f"ledger{next(numbers)}.db")

    else:
        cluster = request.getfixturevalue("cluster")

        def new_address():
            return cluster.create(f"accounts{next(numbers)}")

    Accounts.new_address = staticmethod(new_address)
    run_state_machine_as_test(
        Accounts, settings=settings(max_examples=examples, stateful_step_count=25, deadline=None)
    )
