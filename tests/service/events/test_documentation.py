"""docs/events.md: its check of signatures works, and its tables name what there is."""

import base64
import re
import time
from pathlib import Path

import pytest

from steelsight.service.events.messages import MessageBody
from steelsight.service.events.outbox.signing import new_key, secret_text, sign
from steelsight.service.settings.events import EventSettings

PAGE = (Path(__file__).parents[3] / "docs" / "events.md").read_text(encoding="utf-8")


@pytest.fixture
def is_genuine():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    names = {}
    exec(compile(code, "docs/events.md", "exec"), names)
    return names["is_genuine"]


def test_the_documented_check_accepts_what_is_sent_and_nothing_else(is_genuine):
    old, new = new_key(), new_key()
    now, body = int(time.time()), b'{"type":"test"}'
    headers = sign([new, old], "msg_1", now, body)
    assert is_genuine(secret_text(old), headers, body)
    assert is_genuine(secret_text(new), headers, body)
    assert not is_genuine(secret_text(new_key()), headers, body)
    assert not is_genuine(secret_text(new), headers, body + b" ")
    assert not is_genuine(secret_text(new), {**headers, "webhook-id": "msg_2"}, body)
    assert not is_genuine(secret_text(new), {**headers, "webhook-timestamp": str(now + 1)}, body)
    late = sign([new], "msg_1", now - 3600, body)
    assert not is_genuine(secret_text(new), late, body)
    assert is_genuine(secret_text(new), late, body, tolerance_s=7200)


def test_a_signature_is_the_one_of_the_specification(is_genuine):
    """The example of the reference implementations."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = sign([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert secret_text(key) == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert is_genuine(secret_text(key), headers, b'{"test": 2432232314}', tolerance_s=10**12)


def test_a_secret_is_as_long_as_the_specification_asks():
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(24 <= len(key) <= 64 for key in keys)


def table(heading):
    """The first table after a heading: its first column, split at commas, and its second."""
    after = PAGE.split(f"\n## {heading}\n", 1)[1]
    rows = re.findall(r"^\| (`[^|]*) \| ([^|]*) \|", after.split("\n## ", 1)[0], re.M)
    return {name: second for first, second in rows for name in re.findall(r"`(\w+)`", first)}


def test_every_setting_is_documented_with_its_default():
    shown = table("Settings")
    assert set(shown) == set(EventSettings.model_fields)
    for name, each in EventSettings.model_fields.items():
        default = each.default
        expected = "none" if default == () else f"{default:g}" if type(default) is float else str(default)
        assert shown[name] == expected.lower()


def test_every_field_of_a_message_is_documented():
    assert set(table("Messages")) == {*MessageBody.model_fields, "id"}
