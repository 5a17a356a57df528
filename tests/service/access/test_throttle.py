"""Failed logins slow further ones down, in every process, and lock nobody out for ever."""

import threading
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select, update
from tests.service.access.conftest import SAME, client, user

from steelsight.ledger.database.accounts import throttles
from steelsight.ledger.database.schema import events
from steelsight.service.access.accounts import make_link
from steelsight.service.access.roles import Role
from steelsight.service.access.throttle import LONGEST_US, Blocked, Key, address_key, count_attempt, forgive

PASSWORD = "oil on the third stand"
KEY = Key("account x", 5)
START = 1_700_000_000_000_000


def attempt(parts, now_us, *keys):
    with parts.ledger.write() as connection:
        return count_attempt(connection, keys or (KEY,), now_us=now_us)


def log_in(http, login="anna", password=PASSWORD):
    return http.post("/api/v1/login", json={"login": login, "password": password}, headers=SAME)


def test_delays_double_up_to_a_quarter_of_an_hour(parts):
    now, waits = START, []
    for _ in range(20):
        found = attempt(parts, now)
        if isinstance(found, Blocked):
            waits.append(found.wait_us // 1_000_000)
            now += found.wait_us
            assert not isinstance(attempt(parts, now), Blocked)
    assert waits == [min(900, 2**number) for number in range(15)]


def test_a_refused_attempt_does_not_make_the_wait_longer(parts):
    for _ in range(6):
        attempt(parts, START)
    assert [attempt(parts, START + part * 100_000) for part in range(1, 5)] == [
        Blocked(1_000_000 - part * 100_000) for part in range(1, 5)
    ]
    assert not isinstance(attempt(parts, START + 1_000_000), Blocked)


def test_one_key_that_must_wait_counts_for_none(parts):
    other = Key("address y", 100)
    for _ in range(5):
        attempt(parts, START)
    assert isinstance(attempt(parts, START, KEY, other), Blocked)
    assert attempt(parts, START, other) == {"address y": 1}


def test_a_clock_that_was_set_back_blocks_no_longer_than_a_delay(parts):
    for number in range(40):
        attempt(parts, START + number * LONGEST_US)
    found = attempt(parts, START)
    assert isinstance(found, Blocked)
    assert found.wait_us <= LONGEST_US


def test_failures_are_forgotten_after_a_day(parts):
    for _ in range(6):
        attempt(parts, START)
    assert attempt(parts, START + 25 * 3_600_000_000) == {KEY.name: 1}
    with parts.ledger.read() as connection:
        assert len(connection.execute(select(throttles)).all()) == 1


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "address 192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "address 2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "address 2001:db8:1:2::/64"),
        ("", "address"),
        ("testclient", "address"),
    ],
)
def test_an_address_is_counted_by_what_one_customer_has(lite, address, key):
    assert address_key(address, lite.settings) == Key(key, 20)
    apart = address_key(address, lite.settings, of="oidc").name
    assert apart.split() == ["address", "oidc", *key.split()[1:]]


@pytest.mark.usefixtures("stopped_clock")
def test_attempts_at_once_do_not_slip_through(parts, make_parts):
    """Two processes on one database, each with ten attempts at the same moment."""
    user(parts, "anna", password=PASSWORD)
    clients = [client(parts), client(make_parts(parts.ledger))]
    answers = []
    threads = [
        threading.Thread(target=lambda http=http: answers.append(log_in(http, password="wrong").status_code))
        for http in clients * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert answers.count(401) == 5
    assert answers.count(429) + answers.count(503) == 3


@pytest.mark.usefixtures("stopped_clock")
def test_an_account_must_wait_and_says_how_long(parts):
    user(parts, "anna", password=PASSWORD)
    http = client(parts)
    assert [log_in(http, password="wrong").status_code for _ in range(5)] == [401] * 5
    answer = log_in(http)  # the right password too
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["error"]["code"] == "too_many_logins"


@pytest.mark.usefixtures("stopped_clock")
def test_an_unknown_login_waits_as_a_known_one_in_every_form(parts):
    user(parts, "anna", password=PASSWORD)
    seen = {}
    for forms in (
        ("anna", "ANNA", "ａｎｎａ", " anna", "Anna"),
        ("nobody", "NOBODY", "ｎｏｂｏｄｙ", " nobody", "Nobody"),
    ):
        http = client(parts)
        seen[forms] = [log_in(http, form, "wrong").status_code for form in (*forms, forms[0])]
    assert list(seen.values()) == [[401] * 5 + [429]] * 2


def test_a_success_forgets_the_account_and_not_the_address(lite):
    user(lite, "anna", password=PASSWORD)
    user(lite, "mallory", password=PASSWORD)
    for name in ("a", "b", "c", "d"):
        log_in(client(lite), name, "wrong")
    for _ in range(4):
        log_in(client(lite), "anna", "wrong")
    assert log_in(client(lite)).status_code == 200
    assert log_in(client(lite), "mallory").status_code == 200
    with lite.ledger.read() as connection:
        rows = {row.key: row.failures for row in connection.execute(select(throttles))}
    assert rows.pop("address") == 8
    assert set(rows.values()) == {1}  # of the names that nobody has
    assert len(rows) == 4


@pytest.mark.usefixtures("stopped_clock")
def test_one_address_that_tries_many_names_must_wait(sqlite_ledger, make_parts):
    parts = make_parts(sqlite_ledger, address_attempts=6)
    user(parts, "anna", password=PASSWORD)
    codes = [log_in(client(parts), f"name{number}", "wrong").status_code for number in range(8)]
    assert codes == [401] * 6 + [429] * 2
    assert log_in(client(parts)).status_code == 429


@pytest.mark.usefixtures("stopped_clock")
def test_nobody_is_locked_out_by_the_attempts_of_others(parts):
    """A browser that has logged in before is counted by itself, and so is whoever has a one-time link."""
    person = user(parts, "anna", Role.VIEWER, PASSWORD)
    own = client(parts)
    assert log_in(own).status_code == 200
    for _ in range(7):
        log_in(client(parts), password="wrong")
    assert log_in(client(parts)).status_code == 429
    own.post("/api/v1/logout", headers=SAME)
    assert log_in(own).status_code == 200  # the account's failures do not concern this browser
    with parts.console.transaction() as (connection, writer):
        link = make_link(connection, writer, person, hours=1.0, by=None)
    body = {"link": link, "password": "another good password"}
    assert client(parts).post("/api/v1/links/redeem", json=body, headers=SAME).status_code == 200
    assert log_in(client(parts), password="another good password").status_code == 200


@pytest.mark.usefixtures("stopped_clock")
def test_a_known_browser_that_guesses_must_wait_too(lite):
    user(lite, "anna", password=PASSWORD)
    user(lite, "ben", password=PASSWORD)
    http = client(lite)
    assert log_in(http).status_code == 200
    assert [log_in(http, password="wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    assert log_in(http, "ben", "wrong").status_code == 401  # its cookie is of anna, and no help here
    with lite.ledger.read() as connection:
        names = [row.key.split()[0] for row in connection.execute(select(throttles))]
    assert sorted(names) == ["account", "address", "device"]


def test_bursts_are_on_record_without_names(lite):
    person = user(lite, "anna", password=PASSWORD)
    for number in range(12):
        log_in(client(lite), password="wrong")
        log_in(client(lite), f"nobody{number % 2}", "wrong")
        with lite.ledger.write() as connection:
            connection.execute(update(throttles).values(until_us=0))
    with lite.ledger.read() as connection:
        query = select(events).where(events.c.name == "login_failures").order_by(events.c.seq)
        found = [(row.person, row.subject, row.details) for row in connection.execute(query)]
    assert (None, person, '{"by":"account","failures":5}') in found
    assert (None, person, '{"by":"account","failures":10}') in found
    assert (None, None, '{"by":"address","failures":20}') in found
    assert not [each for each in found if "nobody" in str(each) or "anna" in str(each)]
    assert len(found) == 2 + 3  # anna 5, 10; the address 5, 10, 20; none of the names that nobody has


@settings(max_examples=25)
@given(st.lists(st.integers(0, 3_000_000), max_size=30))
def test_attempts_that_are_let_through_lie_as_far_apart_as_the_delays_demand(pauses):
    engine = create_engine("sqlite://")
    throttles.create(engine)
    now, allowed = START, []
    with engine.begin() as connection:
        for pause in pauses:
            now += pause
            if not isinstance(count_attempt(connection, [KEY], now_us=now), Blocked):
                allowed.append(now)
    engine.dispose()
    for number, (earlier, later) in enumerate(pairwise(allowed), 1):
        assert later - earlier >= (0 if number < 5 else 1_000_000 * 2 ** (number - 5))


def test_forgiving_an_address_takes_back_one_attempt(parts):
    key = Key("address z", 2)
    for _ in range(2):
        attempt(parts, START, key)
    with parts.ledger.write() as connection:
        forgive(connection, [key], now_us=START)
    assert attempt(parts, START, key) == {"address z": 2}
