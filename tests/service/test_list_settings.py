"""Settings that are lists, from flags and from the environment."""

from ipaddress import ip_network

import pytest

from steelsight.cli.service.serve import ServeFlags, _given
from steelsight.errors import BadInput
from steelsight.service.settings.load import load_settings

NETWORKS = (ip_network("192.168.10.0/24"), ip_network("fd00::/8"))


@pytest.mark.parametrize("text", ['["192.168.10.0/24", "fd00::/8"]', "192.168.10.0/24, fd00::/8"])
def test_a_list_is_joined_by_commas_or_json(monkeypatch, text):
    assert load_settings({"allowed_networks": text}).allowed_networks == NETWORKS
    monkeypatch.setenv("STEELSIGHT_SERVE_ALLOWED_NETWORKS", text)
    assert load_settings().allowed_networks == NETWORKS
    assert load_settings({"allowed_hosts": '["a.example"]'}).allowed_hosts == ("a.example",)


def test_flags_that_are_zero_are_given_and_flags_that_are_not_set_are_not():
    assert _given(ServeFlags()) == {}
    assert _given(ServeFlags(port=0, open=True)) == {"port": 0, "open": True}
    assert _given(ServeFlags(port=0, set=("port=9", "writer=a"))) == {"port": 0, "writer": "a"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('["192.168.10.0/24"', r"setting allowed_networks: .*expected values joined by commas, or JSON"),
        ('["192.168.10.1/24"]', r"setting allowed_networks\.0: Input is not a valid IPv4 network, got '192"),
        ('["line"]', r"setting allowed_networks\.0: "),
        ('{"a": 1}', r"setting allowed_networks\.0: "),
        ("[1.5]", r"setting allowed_networks\.0: "),
    ],
)
def test_another_value_is_refused_by_name(text, words):
    with pytest.raises(BadInput, match=words):
        load_settings({"allowed_networks": text})
