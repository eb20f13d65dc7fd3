"""A battery is told nothing that a crash would make forget: first the disk, then the device."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest
import trio
from watched_home import held

from evcc_server.keeping import store as store_module
from evcc_sim.plants.battery import BatterySpec
from evcc_sim.plants.car import CarSpec, Visit
from evcc_sim.plants.wallbox import WallboxSpec
from evcc_sim.runs.fullstack import FullStack, FullStackResult
from evcc_sim.runs.virtual_time import run_virtually
from evcc_sim.worlds.scenario import ActionSpec, ChargerSpec, LoadpointSpec, Scenario
from evcclib.model import ChargeMode

HELD_FROM_S, HELD_UNTIL_S = 270, 420
WORLD = Scenario(
    name="home",
    hours=0.2,
    battery=(BatterySpec(name="cellar", soc_pct=90),),
    charger=(ChargerSpec(box=WallboxSpec(name="bay"), loadpoint=LoadpointSpec(mode=ChargeMode.NOW, vehicle="car")),),
    car=(CarSpec(name="car", visits=(Visit(charger="bay", arrive=time(0, 5), depart=time(1), soc_pct=20),)),),
    action=(ActionSpec(at=time(0, 1), setting="battery_discharge_control", value=True),),
    allowed=("battery_does_not_charge_the_car",),  # while nothing can be written
)


def test_while_the_database_cannot_be_written_to_the_battery_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "BUSY_S", 0.0)
    run = FullStack(WORLD, database=tmp_path / "evcc.db")

    async def hold() -> None:
        await trio.sleep(HELD_FROM_S)
        with held(tmp_path / "evcc.db"):
            await trio.sleep(HELD_UNTIL_S - HELD_FROM_S)

    async def main() -> FullStackResult:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hold)
            return await run.main()

    result = run_virtually(main, seed=1)
    assert result.violations == ()
    turn, _left = result.trace.battery_turns
    assert turn.mode == "hold"
    assert HELD_UNTIL_S < turn.second < HELD_UNTIL_S + 180
