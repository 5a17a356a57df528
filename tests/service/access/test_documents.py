"""docs/access.md says what the code does."""

import re
from pathlib import Path

from tests.service.access.test_every_route import NEEDS

from steelsight.service.access import guard, passwords, throttle
from steelsight.service.access.login import BURST, DEVICE_DAYS
from steelsight.service.access.oidc.flow import LOGIN_MINUTES
from steelsight.service.access.roles import PERMISSIONS, Permission, Role
from steelsight.service.settings.access import AccessSettings, OidcSettings

PAGE = (Path(__file__).parents[3] / "docs/access.md").read_text(encoding="utf-8")
SOURCES = Path(guard.__file__).parent


def rows(heading):
    """Cells of the first table under a heading, without its head."""
    lines = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0].splitlines()
    table = [line for line in lines if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def test_the_table_of_roles_is_that_of_the_code():
    head = re.search(r"^\| permission \| allows \|(.*)\|$", PAGE, re.MULTILINE)
    assert [each.strip() for each in head[1].split("|")] == [each.value for each in Role]
    source = (SOURCES / "roles.py").read_text(encoding="utf-8")
    expected = []
    for permission in Permission:
        allows = re.search(rf'{permission.name} = "{permission}"  # (.*)', source)[1]
        marks = ["yes" if permission in PERMISSIONS[role] else "" for role in Role]
        expected.append([f"`{permission}`", allows, *marks])
    assert rows("Roles and permissions") == expected


def test_every_setting_is_in_its_table_with_its_default():
    found = {name.strip("`"): default for name, default, _ in rows("Settings")}
    defaults = {name: field.default for name, field in AccessSettings.model_fields.items()}
    expected = {name: "none" if value is None else f"{value:g}" for name, value in defaults.items()}
    expected["argon2_memory_kib"] = "65536"
    assert found == expected
    keys = [name.strip("`") for name, _, _ in rows("Identity provider (OpenID Connect)")]
    assert keys == list(OidcSettings.model_fields)


def test_every_address_of_access_is_named():
    section = PAGE.partition("## Addresses\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(GET|POST|PUT|DELETE) (\S+)`", section))
    prefixes = ("login", "logout", "me", "links", "oidc", "users", "tokens")
    own = {
        (method, path.removeprefix("/api/v1"))
        for method, path in NEEDS
        if path.removeprefix("/api/v1/").split("/")[0] in prefixes
    }
    assert named == own


def test_every_event_of_access_is_named():
    section = PAGE.partition("## Events\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)*)`", section)) - {"by", "person", "subject", "token"}
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.py"))
    written = set(re.findall(r'Event\(\s*name="(\w+)"', source))
    written |= set(re.findall(r'record\(\s*writer, connection, "(\w+)"', source))
    written |= {"account_disabled", "account_enabled", "person_erased"}
    assert named - {"password", "link", "oidc"} == written


def test_numbers_of_the_text_are_those_of_the_code():
    text = " ".join(PAGE.split())
    for said in (
        f"At least {passwords.SHORTEST} and at most {passwords.LONGEST} characters",
        f"{DEVICE_DAYS} days: this browser",
        f"{LOGIN_MINUTES} minutes: a login",
        f"at most {throttle.LONGEST_US // 60_000_000} minutes; so must an address after 20",
        f"At {BURST}, {2 * BURST}, {4 * BURST}, … failures an event",
        f"admits everybody as an {guard.OPEN_ROLE} without a name",
        "It ends after 12 hours, or 2 hours without a request",
    ):
        assert said in text, said
    assert (passwords.AT_ONCE, passwords.WAITING) == (2, 8)  # "Two … at a time and six may wait"
