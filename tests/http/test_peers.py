"""Without ``auth`` in evcc.yaml only clients on this machine may write."""

from __future__ import annotations

import pytest

from evcc_server.http.who_may_call import CallRules


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", None, "<local>"])
def test_this_machine_may_always_write(address: str | None) -> None:
    assert CallRules(is_local_only=True).trusts_peer(address)


@pytest.mark.parametrize("address", ["192.0.2.7", "fe80::1%eth0", "::ffff:192.0.2.7", "2001:db8::1"])
def test_other_machines_may_write_only_when_the_owner_says_so(address: str) -> None:
    assert not CallRules(is_local_only=True).trusts_peer(address)
    assert CallRules().trusts_peer(address)
