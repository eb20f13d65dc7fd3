"""Without ``auth`` in evcc.yaml only clients on this machine may write; whose pages are ours; what proxies change of it."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from evcc_server.http.who_may_call import CallRules

LOCAL = CallRules(is_local_only=True)
BEHIND = CallRules(is_local_only=True, trusted_proxies=(ip_network("127.0.0.1"), ip_network("192.0.2.0/24")))
MALFORMED = ("null", "http://", "https://[::1", "file://home", "home.example")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", None, "<local>"])
def test_this_machine_may_always_write(address: str | None) -> None:
    assert CallRules(is_local_only=True).trusts_peer(address)


@pytest.mark.parametrize("address", ["192.0.2.7", "fe80::1%eth0", "::ffff:192.0.2.7", "2001:db8::1"])
def test_other_machines_may_write_only_when_the_owner_says_so(address: str) -> None:
    assert not CallRules(is_local_only=True).trusts_peer(address)
    assert CallRules().trusts_peer(address)


@pytest.mark.api("http-proxy")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-For", "192.0.2.7"),
        ("X-Real-IP", "127.0.0.1"),
        ("X-Forwarded-Host", "home.example"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-For", ""),
        ("X-Forwarded-Port", "443"),
        ("Forwarded", "for=127.0.0.1"),
        ("Via", "1.1 proxy"),
    ],
)
def test_nobody_who_comes_through_a_proxy_is_this_machine(name: str, value: str) -> None:
    for rules in (LOCAL, BEHIND):
        assert not rules.trusts_peer("127.0.0.1", {name: value})
        assert not rules.trusts_peer("198.51.100.7", {name: value})
    assert CallRules().trusts_peer("198.51.100.7", {name: value})


@pytest.mark.api("http-proxy")
def test_a_proxy_that_adds_nothing_is_known_by_its_address() -> None:
    assert not BEHIND.trusts_peer("127.0.0.1")
    assert not BEHIND.trusts_peer("::ffff:127.0.0.1")
    assert BEHIND.trusts_peer("::1")


@pytest.mark.api("http-proxy")
def test_x_forwarded_for_names_the_client_of_a_trusted_proxy_only() -> None:
    said = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7, 192.0.2.5"}
    assert BEHIND.client("192.0.2.1", said) == "198.51.100.7"
    assert BEHIND.client("::ffff:192.0.2.1", said) == "198.51.100.7"
    assert BEHIND.client("198.51.100.1", said) == "198.51.100.1"
    assert LOCAL.client("192.0.2.1", said) == "192.0.2.1"
    assert BEHIND.client("192.0.2.1", {}) == "192.0.2.1"
    assert BEHIND.client("192.0.2.1", {"X-Forwarded-For": "who knows, 192.0.2.5"}) == "192.0.2.5"


@pytest.mark.api("WS-origin", "http-origin")
@pytest.mark.parametrize("rules", [LOCAL, CallRules(token="x"), CallRules()])
def test_a_page_of_ours_may_watch_by_whatever_name_it_was_opened(rules: CallRules) -> None:
    for name in ("evcc.local:7070", "192.0.2.7:7070", "[2001:db8::1]:7070", "home.example"):
        assert rules.refusal_to_watch({"Origin": f"http://{name}", "Host": name}, "ws") is None
        assert rules.refusal_to_watch({"Origin": f"https://{name}", "Host": name}, "ws") is None
        assert rules.refusal_to_watch({"Origin": "https://evil.example", "Host": name}, "ws") is not None
        for malformed in MALFORMED:
            assert rules.refusal_to_watch({"Origin": malformed, "Host": name}, "ws") is not None
            assert rules.refusal_to_watch({"Origin": malformed}, "ws") is not None


@pytest.mark.api("WS-origin", "http-proxy")
def test_behind_a_proxy_that_asks_by_another_host_the_forwarded_or_the_configured_name_is_ours() -> None:
    page = {"Origin": "https://home.example", "Host": "127.0.0.1:7070"}
    assert LOCAL.refusal_to_watch(page, "ws") is not None
    assert LOCAL.refusal_to_watch({**page, "X-Forwarded-Host": "home.example"}, "ws") is None
    assert LOCAL.refusal_to_watch({**page, "X-Forwarded-Host": "home.example, inner.example"}, "ws") is None
    assert LOCAL.refusal_to_watch({**page, "X-Forwarded-Host": "other.example"}, "ws") is not None
    for said in ("for=192.0.2.7;host=home.example;proto=https", 'for=192.0.2.7, for="[fd00::1]"; Host="home.example"'):
        assert LOCAL.refusal_to_watch({**page, "Forwarded": said}, "ws") is None
    for said in ("for=192.0.2.7;host=other.example", "for=home.example", "xhost=home.example"):
        assert LOCAL.refusal_to_watch({**page, "Forwarded": said}, "ws") is not None
    assert CallRules(name="home.example").refusal_to_watch(page, "ws") is None
    assert CallRules(name="other.example").refusal_to_watch(page, "ws") is not None
    assert CallRules(allowed_origins=frozenset({"https://home.example"})).refusal_to_watch(page, "ws") is None


@pytest.mark.api("http-origin", "http-proxy")
def test_pages_behind_a_proxy_may_write_if_the_owner_has_said_who_may() -> None:
    page = {"Origin": "https://home.example", "Host": "127.0.0.1:7070"}
    forwarded = {**page, "X-Forwarded-Host": "home.example", "X-Forwarded-For": "198.51.100.7"}
    for rules in (CallRules(token="x"), CallRules()):
        assert rules.refusal_to_write("127.0.0.1", forwarded, "http") is None
        assert rules.refusal_to_write("127.0.0.1", page, "http") is not None
    assert LOCAL.refusal_to_write("127.0.0.1", forwarded, "http") is not None
    named = CallRules(is_local_only=True, name="home.example")
    assert named.refusal_to_write("127.0.0.1", page, "http") is not None  # whoever sits before that browser


@pytest.mark.api("http-origin")
def test_a_refusal_names_the_cure() -> None:
    elsewhere = LOCAL.refusal_to_write("192.0.2.7", {}, "http") or ""
    assert "set auth in evcc.yaml" in elsewhere
    assert "allowedOrigins" not in elsewhere  # would not help
    named = LOCAL.refusal_to_write("127.0.0.1", {"Origin": "http://evcc.local", "Host": "evcc.local"}, "http") or ""
    assert "set auth, or list it under network: allowedOrigins, in evcc.yaml" in named
    foreign = CallRules(token="x").refusal_to_write("127.0.0.1", {"Origin": "http://a", "Host": "b"}, "http") or ""
    assert "list it under network: allowedOrigins in evcc.yaml" in foreign
    assert "set auth" not in foreign
