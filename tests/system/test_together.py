"""Clients of all channels, the house and whoever holds the disk, all at once and in any order: in the end all agree."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio_test import in_virtual_time, orders
from watched_home import Watched, held, watched

from evcc_server.keeping import store as store_module
from evcc_sim.quiet import quiet
from evcc_sim.runs.clients import Seen


@pytest.fixture(scope="module", autouse=True)
def without_waiting_in_real_time() -> Iterator[None]:
    """SQLite says at once that somebody else writes; `watched_home.Patient` waits for it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store_module, "BUSY_S", 0.0)
        yield


GONE_S = 0.07
"""How soon a client has had enough."""
HELD_S = 0.7
"""How long somebody else writes."""
ASKED = (
    "maxCurrent/32",
    "maxCurrent/10",
    "minCurrent/20",
    "minCurrent/8",
    "mode/now",
    "mode/off",
    "minSoc/30",
    "vehicle/zoe",
    "vehicle/golf",
)
HAPPENS = (
    *(f"{channel} {what}" for channel in ("rest", "mqtt", "impatient") for what in ASKED),
    *("unplug", "plug", "card", "hold") * 3,
)


@settings(max_examples=40)
@given(
    orders, st.lists(st.tuples(st.sampled_from(HAPPENS), st.sampled_from([0.0, 0.05, 1.0])), min_size=2, max_size=12)
)
@quiet()
@in_virtual_time
async def test_in_the_end_all_channels_and_a_restart_show_the_same(
    order: int, happens: list[tuple[str, float]]
) -> None:
    seen = Seen()
    with tempfile.TemporaryDirectory() as folder:
        async with watched(Path(folder) / "evcc.db", seen=seen) as home:
            disk = trio.Lock()
            async with trio.open_nursery() as nursery:
                for what, pause_s in happens:
                    nursery.start_soon(happen, home, disk, what)
                    await trio.sleep(pause_s)
            await trio.sleep(20)
            await home.client.look()
            assert seen.check(home.server.hub.snapshot) == []
            await home.client.look()
        async with watched(Path(folder) / "evcc.db") as again:
            assert seen.check(again.server.hub.snapshot) == []


@in_virtual_time
async def test_several_commands_on_one_topic_at_once_are_all_answered(tmp_path: Path) -> None:
    async with watched(tmp_path / "evcc.db") as home:
        with trio.fail_after(60):
            async with trio.open_nursery() as clients:
                for payload in ("20", "nonsense", "10"):
                    clients.start_soon(home.command, "loadpoints/1/maxCurrent/set", payload)


async def happen(home: Watched, disk: trio.Lock, what: str) -> None:
    match what.split():
        case "rest", path:
            await home.ask(f"loadpoints/1/{path.lower()}")
        case "impatient", path:
            with trio.move_on_after(GONE_S):
                await home.ask(f"loadpoints/1/{path.lower()}")
        case "mqtt", path:
            key, value = path.split("/")
            await home.command(f"loadpoints/1/{key}/set", value)
        case ["unplug"]:
            home.unplug()
        case ["plug"]:
            home.house.is_plugged_in = True
        case ["card"]:
            home.house.card = "card-1"
        case ["hold"]:
            async with disk:
                with held(home.database):
                    await trio.sleep(HELD_S)
