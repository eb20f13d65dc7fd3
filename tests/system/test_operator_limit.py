"""The grid operator's limit, through the whole server in virtual time: who may give it, when it ends, what silence leads to."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked
from trio_test import in_virtual_time
from watched_home import Watched, held, watched

from evcc_server.blocking import inline
from evcc_server.keeping import store as store_module
from evcc_server.keeping.store import Snapshot, Store
from evcc_server.loop.operator_limits import SNAPSHOT, OperatorLimits, Source
from evcc_server.state.document import LimitInForce, LimitReason
from evcc_sim.runs.clients import MQTT, SOCKET
from evcclib.model import Now
from evcclib.units import Instant

FULL_W = 16 * 230
INTERVAL_S = 10
"""What has ended is given free at the next interval."""
RELAY = """
operatorlimit:
- name: relay
  active: {source: http, uri: "http://home.test/relay"}
  limit: 2000
  interval: 2s
  expiry: 60s
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "evcc.db"


@asynccontextmanager
async def charging(database: Path, extra: str = "") -> AsyncIterator[Watched]:
    """A home whose car charges with all it can."""
    async with watched(database, extra=extra) as home:
        assert await home.ask("loadpoints/1/mode/now") == 200
        await trio.sleep(20)
        assert home.house.charge_w == FULL_W
        yield home


async def shown(home: Watched) -> dict[str, Any]:
    """What the state says of the limit, once it is certain that every channel says the same."""
    await wait_all_tasks_blocked()
    state = await home.client.ask("GET", "/api/state")
    assert isinstance(state, dict)
    found = {key: value for key, value in state.items() if key.startswith("operatorLimit")}
    for key in ("operatorLimit", "operatorLimitSource"):
        value = found.get(key)
        assert home.seen.last(SOCKET, key) == value
        assert home.seen.last(MQTT, f"evcc/site/{key}") == ("" if value is None else str(value))
    return found


@pytest.mark.api("operator-limit", "operator-free")
@in_virtual_time
async def test_a_limit_by_rest_acts_at_once_and_ends_by_itself_or_when_it_is_withdrawn(database: Path) -> None:
    async with charging(database) as home:
        for ends in ("by itself", "withdrawn"):
            assert await home.ask("operatorlimit/2000/100") == 200
            await trio.sleep(1)
            assert home.house.charge_w == 8 * 230
            found = await shown(home)
            until = datetime.fromisoformat(found.pop("operatorLimitUntil"))
            assert abs(until - home.server.clock.utc() - timedelta(seconds=99)) < timedelta(seconds=1)
            assert found == {"operatorLimit": 2000, "operatorLimitSource": "rest", "operatorLimitReason": "given"}
            state: Any = await home.client.ask("GET", "/api/state")
            assert state["loadpoints"][0]["reason"]["limit"] == "operator"
            await trio.sleep(97)
            assert home.house.charge_w == 8 * 230
            if ends == "withdrawn":
                assert await home.ask("operatorlimit", "DELETE") == 200
                await trio.sleep(1)
            else:
                await trio.sleep(INTERVAL_S + 2)
            assert home.house.charge_w == FULL_W, ends
            assert await shown(home) == {}


@in_virtual_time
async def test_a_limit_by_mqtt_stands_beside_that_by_rest_and_the_lowest_counts(database: Path) -> None:
    async with charging(database) as home:
        assert await home.ask("operatorlimit/3000/120") == 200
        await home.command("site/operatorLimit/set", "2000/60")
        await trio.sleep(2)
        assert home.house.charge_w == 8 * 230
        assert (await shown(home))["operatorLimitSource"] == "mqtt"
        await trio.sleep(60 + INTERVAL_S)  # the lower one has expired, the other stands
        assert home.house.charge_w == 13 * 230
        assert (await shown(home))["operatorLimitSource"] == "rest"
        await home.command("site/operatorLimit/set", " 2500 ")  # two hours
        await trio.sleep(7000)
        assert home.house.charge_w == 10 * 230
        await home.command("site/operatorLimit/set", "none")
        await trio.sleep(2)
        assert home.house.charge_w == FULL_W


@in_virtual_time
async def test_a_relay_limits_and_its_silence_leads_to_what_the_owner_has_said(database: Path) -> None:
    async with charging(database, f"{RELAY}  fallback: 1500\n") as home:
        home.house.relay = "on"
        await trio.sleep(3)
        assert home.house.charge_w == 8 * 230
        assert (await shown(home))["operatorLimitSource"] == "relay"
        home.house.relay = None
        await trio.sleep(55)  # the last answer stands
        assert home.house.charge_w == 8 * 230
        await trio.sleep(10)
        assert home.house.charge_w == 6 * 230
        found = await shown(home)
        assert (found["operatorLimit"], found["operatorLimitReason"]) == (1500, "silent")
        assert found["operatorLimitUntil"] == "0001-01-01T00:00:00Z"
        await trio.sleep(3600)
        assert home.house.charge_w == 6 * 230
        home.house.relay = "off"
        await trio.sleep(3)
        assert home.house.charge_w == FULL_W
        home.house.relay = None  # it has said that there is no limit, and that stands as long
        await trio.sleep(55)
        assert home.house.charge_w == FULL_W
        await trio.sleep(20)
        assert home.house.charge_w == 6 * 230


@in_virtual_time
async def test_without_a_fallback_a_limit_of_a_silent_source_ends_when_it_expires(database: Path) -> None:
    async with charging(database, RELAY) as home:
        home.house.relay = "on"
        await trio.sleep(3)
        home.house.relay = None
        await trio.sleep(55)
        assert home.house.charge_w == 8 * 230
        await trio.sleep(10)
        assert home.house.charge_w == FULL_W
        assert await shown(home) == {}


@in_virtual_time
async def test_a_limit_that_cannot_be_written_is_not_given_and_one_that_stands_is_not_withdrawn(
    database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store_module, "BUSY_S", 0.0)
    async with charging(database) as home:
        with held(database):
            assert await home.ask("operatorlimit/2000/600") == 503
            with caplog.at_level(logging.ERROR):
                await home.command("site/operatorLimit/set", "2000/600")
            assert "nothing is changed" in caplog.text
        await trio.sleep(30)
        state: Any = await home.client.ask("GET", "/api/state")
        assert "operatorLimit" not in state
        assert home.house.charge_w == FULL_W
        assert await home.ask("operatorlimit/2000/600") == 200
        with held(database):
            assert await home.ask("operatorlimit", "DELETE") == 503
        await trio.sleep(30)
        assert (await shown(home))["operatorLimit"] == 2000
        assert home.house.charge_w == 8 * 230


@pytest.mark.parametrize("persist", ["true", "false"])
@in_virtual_time
async def test_a_limit_comes_back_with_the_server(database: Path, persist: str) -> None:
    """The clock of the second life has been set back: it stands no longer than it was given for."""
    extra = f"persist: {persist}\n"
    async with charging(database, extra) as home:
        assert await home.ask("operatorlimit/2000/100") == 200
        await trio.sleep(1)
    async with watched(database, extra=extra) as home:
        assert await home.ask("loadpoints/1/mode/now") == 200
        assert (await shown(home))["operatorLimit"] == 2000
        await trio.sleep(80)
        assert home.house.charge_w == 8 * 230
        await trio.sleep(10)
        assert home.house.charge_w == FULL_W


# -- the limits themselves ----------------------------------------------------------------------------------------------------

START = Now(Instant(timedelta(seconds=10)), datetime(2023, 6, 1, 10, tzinfo=UTC))
MINUTE = timedelta(minutes=1)


@in_virtual_time
async def test_what_is_restored_has_the_time_that_is_left(database: Path) -> None:
    async with Store.open(database, inline) as store:
        limits = await OperatorLimits.restored(store, {}, START)
        await limits.give("rest", 4200.0, 10 * MINUTE, START)
        await limits.give("mqtt", 3000.0, 2 * MINUTE, START)
    async with Store.open(database, inline) as store:
        later = Now(Instant(timedelta(seconds=0)), START.utc + 3 * MINUTE)
        limits = await OperatorLimits.restored(store, {}, later)
        found = limits.in_force(later.instant)
        assert found == LimitInForce(4200.0, "rest", LimitReason.GIVEN, later.instant + 7 * MINUTE)
        assert limits.in_force(later.instant + 7 * MINUTE) is None
        await limits.withdraw("rest", later)
        assert (await OperatorLimits.restored(store, {}, later)).in_force(later.instant) is None


@pytest.mark.parametrize(
    "kept",
    [
        None,
        {},
        {"power_w": 1, "lasts_s": 60, "expires": "soon"},
        {"power_w": -1, "lasts_s": 60, "expires": "2023-06-02T00:00:00Z"},
    ],
)
@in_virtual_time
async def test_what_was_stored_and_is_no_limit_is_dropped_with_a_warning(
    database: Path, kept: object, caplog: pytest.LogCaptureFixture
) -> None:
    async with Store.open(database, inline) as store:
        await store.save(snapshots=[Snapshot(SNAPSHOT, {"rest": kept}, START.utc)])
        limits = await OperatorLimits.restored(store, {}, START)
    assert limits.in_force(START.instant) is None
    assert "rest" in caplog.text


@in_virtual_time
async def test_of_several_sources_the_lowest_counts_and_one_that_has_not_spoken_is_silent(database: Path) -> None:
    sources = {name: Source(expiry=MINUTE, fallback_w=power_w) for name, power_w in (("a", 4000.0), ("b", None))}
    async with Store.open(database, inline) as store:
        limits = await OperatorLimits.restored(store, sources, START)
        at = START.instant
        assert limits.in_force(at) == LimitInForce(4000.0, "a", LimitReason.SILENT, None)
        assert limits.hear("a", None, at)
        assert limits.in_force(at) is None
        assert limits.hear("b", 3000.0, at)
        assert not limits.hear("b", 3000.0, at + MINUTE / 2)
        assert limits.in_force(at + MINUTE) == LimitInForce(3000.0, "b", LimitReason.GIVEN, at + MINUTE * 1.5)
        assert limits.in_force(at + 2 * MINUTE) == LimitInForce(4000.0, "a", LimitReason.SILENT, None)
