"""Addresses that deliveries may go to, in every notation; none that is not public unless it is allowed."""

import asyncio
import socket
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadInput
from steelsight.service.events.outbox.addresses import check_literal, parse_endpoint, refusal, resolve

WEB = ("https", "http")

REFUSED = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1"),
    *("127.255.255.254", "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1"),
    *("192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1"),
    *("198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "::2", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
    *("::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
    *("64:ff9b:1::1", "64:ff9b:1::808:808", "100::1", "2001::1", "2001:0:7f00:1::1", "2001:db8::1"),
    *("2001:10::1", "2002:7f00:1::1", "2002:a00:1::1", "2002:c0a8:101::1", "2002:a9fe:a9fe::1"),
    *("3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1", "fe80::1%2", "febf::1"),
    *("fec0::1", "ff02::1", "ff0e::1", "2606:4700::5efe:7f00:1", "2606:4700::200:5efe:a00:1"),
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "93.184.216.34", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1"),
    *("192.0.1.1", "2606:4700:4700::1111", "2a00:1450:4001::200e", "::ffff:8.8.8.8", "64:ff9b::808:808"),
    *("2002:808:808::1", "2606:4700::5efe:808:808"),
]


@pytest.mark.parametrize("number", REFUSED)
def test_an_address_that_is_not_public_is_refused(number):
    why = refusal(ip_address(number))
    assert why is not None
    assert "is not public; to allow it, add its network to the setting allowed_networks" in why


@pytest.mark.parametrize("number", PUBLIC)
def test_a_public_address_is_not_refused(number):
    assert refusal(ip_address(number)) is None


@given(st.ip_addresses(v=4))
def test_ipv4_within_ipv6_is_refused_as_the_address_it_leads_to(number):
    inner = int(number)
    forms = (
        (0xFFFF << 32) | inner,
        (0x64FF9B << 96) | inner,
        (0x2002 << 112) | (inner << 80) | 1,
        (0x26064700 << 96) | (0x5EFE << 32) | inner,
    )
    for form in forms:
        wrapped = ip_address(form)
        assert (refusal(wrapped) is None) == (refusal(number) is None), wrapped


def test_an_allowed_network_admits_its_own_addresses_alone():
    allowed = [ip_network("192.168.10.0/24"), ip_network("fd00:1::/32")]
    assert refusal(ip_address("192.168.10.7"), allowed) is None
    assert refusal(ip_address("::ffff:192.168.10.7"), allowed) is None
    assert refusal(ip_address("64:ff9b::c0a8:a07"), allowed) is None
    assert refusal(ip_address("fd00:1::5"), allowed) is None
    for other in ("192.168.11.7", "127.0.0.1", "fd00:2::5", "::ffff:192.168.11.1", "64:ff9b::c0a8:b07"):
        assert refusal(ip_address(other), allowed) is not None


@pytest.mark.parametrize(
    ("text", "host", "port", "path", "authority"),
    [
        ("https://example.com", "example.com", 443, "/", "example.com"),
        ("https://example.com:443/", "example.com", 443, "/", "example.com"),
        ("http://EXAMPLE.com:8080/a/b?c=d", "example.com", 8080, "/a/b?c=d", "example.com:8080"),
        ("http://[2606:4700::1]:81/x", "2606:4700::1", 81, "/x", "[2606:4700::1]:81"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
    ],
)
def test_a_url_is_read(text, host, port, path, authority):
    found = parse_endpoint(text, WEB)
    assert (found.host, found.port, found.path, found.authority) == (host, port, path, authority)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "example.com",
            "//example.com",
            "http:example.com",
            "http://",
            "http:///x",
            "ftp://example.com",
        ),
        *("file:///etc/passwd", "gopher://example.com", "javascript:alert(1)", "mqtt://example.com"),
        *("http://user@example.com/", "http://user:password@example.com/", "http://@example.com/"),
        *(
            "http://example.com#x",
            "http://example.com/#",
            "http://example.com:0/",
            "http://example.com:99999/",
        ),
        *("http://example.com:x/", "http://exa mple.com/", "http://example.com\\@127.0.0.1/", "http://a\nb/"),
        *(
            "http://example.com/\r\nHost: other",
            "http://[::1",
            "http://[fe80::1%25lo]/",
            "http://ex%61mple.com/",
        ),
        *(
            "http://\uff11\uff12\uff17.0.0.1/",
            "http://b\u00fccher.example/",
            "http://example.com/" + "a" * 2000,
        ),
        *("http://a@b@example.com/", "http://example.com\t/", "\x00http://example.com/"),
    ],
)
def test_what_is_no_url_of_a_receiver_is_refused(text):
    with pytest.raises(BadInput, match=r"^address: expected"):
        parse_endpoint(text, WEB)


@given(st.text(max_size=60) | st.from_regex(r"https?://[ -~]{0,40}", fullmatch=True))
def test_any_text_is_read_or_refused_by_name(text):
    try:
        found = parse_endpoint(text, WEB)
    except BadInput:
        with pytest.raises(BadInput, match=r"^address: expected"):
            parse_endpoint(text, WEB)
        return
    assert found.scheme in WEB
    assert 1 <= found.port <= 65_535
    assert found.path.startswith("/")
    assert not set(found.host) & set("@/\\%?# ")


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "0", "[::1]"),
        *("[::ffff:127.0.0.1]", "localhost", "LOCALHOST", "localhost.", "a.localhost", "169.254.169.254"),
    ],
)
def test_a_number_that_is_not_public_is_refused_when_it_is_entered(host):
    with pytest.raises(BadInput, match="is not public"):
        check_literal(parse_endpoint(f"http://{host}/", WEB), ())
    allowed = [ip_network("127.0.0.0/8"), ip_network("169.254.0.0/16"), ip_network("0.0.0.0/8")]
    check_literal(parse_endpoint(f"http://{host}/", WEB), [*allowed, ip_network("::1/128")])


def found_addresses(monkeypatch, *numbers):
    async def lookup(self, host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, port)) for number in numbers]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", lookup)


def test_every_address_of_a_name_is_checked(monkeypatch):
    endpoint = parse_endpoint("https://example.com/", WEB)
    found_addresses(monkeypatch, "8.8.8.8", "1.1.1.1", "8.8.8.8")
    assert asyncio.run(resolve(endpoint, ())) == ("8.8.8.8", "1.1.1.1")
    found_addresses(monkeypatch, "8.8.8.8", "10.0.0.1")
    with pytest.raises(BadInput, match=r"example\.com: 10\.0\.0\.1, is not public"):
        asyncio.run(resolve(endpoint, ()))
    found_addresses(monkeypatch, "64:ff9b::a9fe:a9fe")
    with pytest.raises(
        BadInput, match=r"64:ff9b::a9fe:a9fe, which leads to 169\.254\.169\.254, is not public"
    ):
        asyncio.run(resolve(endpoint, ()))


def test_a_name_that_is_not_known_is_told():
    with pytest.raises(BadInput, match=r"nothing\.invalid: its address is not known"):
        asyncio.run(resolve(parse_endpoint("https://nothing.invalid/", WEB), ()))
