"""`steelsight user`: accounts and tokens from the command line."""

import json

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra [serve]")
pytest.importorskip("argon2", reason="needs the extra [serve]")

from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.ledger.database import accounts as tables
from steelsight.ledger.database.open import create_ledger, opened
from steelsight.ledger.proof.verify import verify

PASSWORD = "oil on the third stand"


@pytest.fixture
def path(tmp_path):
    create_ledger(str(tmp_path / "ledger.db")).close()
    return tmp_path / "ledger.db"


@pytest.fixture
def call(path):
    def run(*line, code=0, text=None):
        done = CliRunner().invoke(app, ["user", *map(str, line), "--ledger", str(path)], input=text)
        assert done.exit_code == code, done.output
        return done

    return run


def last_json(done):
    return json.loads(done.stdout.splitlines()[-1])


def test_accounts_from_the_first_to_the_last(call, path):
    added = last_json(
        call("add", "Anna", "--role", "admin", "--password-file", "-", "--json", text=PASSWORD + "\n")
    )
    assert (added["login"], added["role"], added["link"]) == ("anna", "admin", None)
    linked = last_json(call("add", "ben", "--role", "viewer", "--name", "Ben B.", "--link", "--json"))
    assert linked["link"].startswith("/access/link?secret=")
    assert last_json(call("role", "ben", "engineer", "--json"))["role"] == "engineer"
    assert last_json(call("disable", "ben", "--json"))["disabled"] is True
    listed = last_json(call("list", "--json"))["users"]
    assert [(each["login"], each["name"], each["role"], each["disabled"]) for each in listed] == [
        ("anna", "anna", "admin", False),
        ("ben", "Ben B.", "engineer", True),
    ]
    assert last_json(call("enable", "ben", "--json"))["disabled"] is False
    call("password", "ben", "--password-file", "-", text=PASSWORD)
    assert "password set" in call("password", "ben", "--password-file", "-", text=PASSWORD).stderr
    with opened(str(path)) as ledger:
        assert verify(ledger).clean


def test_a_token_is_printed_once_and_alone(call, path):
    secret = call("token", "prometheus", "--scope", "read", "--scope", "export").stdout
    assert secret.startswith("sst_")
    assert len(secret.splitlines()) == 1
    listed = call("list", "--json")
    assert secret.strip() not in listed.output
    token = last_json(listed)["tokens"][0]
    assert token["scopes"] == ["export", "read"]
    assert last_json(call("untoken", token["id"], "--json")) == {"id": token["id"], "revoked": True}
    assert "revoked" in call("list").stderr
    assert "none with this id that is not revoked" in call("untoken", token["id"], code=2).stderr
    assert secret.strip().encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("add", "anna", "--role", "viewer"), "expected a terminal to ask at; give --password-file"),
        (
            ("add", "anna", "--role", "viewer", "--password-file", "-"),
            "expected 12 to 1024 characters, got 5",
        ),
        (("add", "an na", "--role", "viewer", "--link"), "login: expected 1 to 100 letters, digits"),
        (("disable", "nobody"), "no account has it; `steelsight user list` shows all"),
        (("untoken", "x"), "none with this id"),
        (("token", "a\nb", "--scope", "read"), "expected a name of 1 to 100 printable characters"),
        (("add", "a", "--role", "viewer", "--password-file", "/none"), "/none: cannot be read"),
    ],
)
def test_what_cannot_be_done_is_refused(call, path, line, message):
    assert message in " ".join(call(*line, code=2, text="short").stderr.split())
    with opened(str(path)) as ledger, ledger.read() as connection:
        assert connection.execute(tables.accounts.select()).all() == []


def test_a_login_is_taken_in_every_form(call):
    call("add", "anna", "--role", "viewer", "--link")
    for form in ("ANNA", "ａｎｎａ", "Anna"):
        assert "is in use" in call("add", form, "--role", "viewer", "--link", code=2).stderr
    assert "letters of one script" in " ".join(
        call("add", "аnna", "--role", "viewer", "--link", code=2).stderr.split()
    )


def test_the_last_administrator_stays(call):
    call("add", "anna", "--role", "admin", "--password-file", "-", text=PASSWORD)
    assert "is the last administrator" in call("disable", "anna", code=2).stderr
    assert "is the last administrator" in call("role", "anna", "viewer", code=2).stderr


def test_accounts_of_a_ledger_in_postgresql(cluster):
    address = cluster.create("users")
    create_ledger(address).close()

    def call(*line, text=None):
        done = CliRunner().invoke(app, ["user", *line, "--ledger", address, "--json"], input=text)
        assert done.exit_code == 0, done.output
        return last_json(done)

    added = call("add", "anna", "--role", "admin", "--password-file", "-", text=PASSWORD)
    token = call("token", "prometheus", "--scope", "read")
    found = call("list")
    assert [each["person"] for each in found["users"]] == [added["person"]]
    assert [each["id"] for each in found["tokens"]] == [token["token"]["id"]]
    with opened(address) as ledger:
        assert verify(ledger).clean
