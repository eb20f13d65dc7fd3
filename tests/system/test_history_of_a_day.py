"""The history through the whole server: it holds the energies of the world, over kills and a disk that fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from watched_home import held

from evcc_server.keeping import store as store_module
from evcc_server.keeping.history import read_means
from evcc_server.keeping.means import MINUTE, QUARTER, Mean
from evcc_sim.runs.fullstack import FullStack, FullStackResult
from evcc_sim.runs.virtual_time import run_virtually
from evcc_sim.worlds import scenario

INTERVAL_S = 30.0
EVER = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
NOON = """
household = { constant_w = 400.0 }
pv = [{ name = "roof", constant_w = 6700.0 }]
battery = [{ name = "cellar", soc_pct = 50 }]
charger = [{ box = { name = "garage" }, loadpoint = { mode = "off" } }]
"""
KILLED = """
[[fault]]
device = "site"
kind = "kill"
at = "00:10:30"
lasts = "60s"
"""


def kept(database: Path, width: timedelta = QUARTER) -> Sequence[Mean]:
    with closing(sqlite3.connect(database)) as connection:
        return read_means(connection, width, *EVER)


def energy_kwh(means: Sequence[Mean], series: str) -> float:
    return sum(mean.mean * mean.seconds for mean in means if mean.series == series) / 3.6e6


def known_s(means: Sequence[Mean], series: str = "gridImport") -> float:
    return sum(mean.seconds for mean in means if mean.series == series)


def noon(minutes: float, extra: str = "") -> scenario.Scenario:
    return scenario.parse(NOON + extra, name="noon").with_changes(hours=minutes / 60)


@pytest.mark.timeout(300)
def test_a_day_has_the_energies_of_the_world(tmp_path: Path) -> None:
    """Within what one sample at each interval can know: half a percent of what the day moved.

    A sample stands for the time until the next one, of which the world may be different for any part, by as much one way as
    the other.
    """
    world = scenario.load("battery-home")
    run = FullStack(world.with_changes(site=replace(world.site, interval_s=INTERVAL_S)), database=tmp_path / "evcc.db")
    result = run_virtually(run.main, seed=1)
    summary, last, means = result.summary, result.trace.instants[-1], kept(tmp_path / "evcc.db")
    true_kwh = {
        "gridImport": summary.import_kwh,
        "gridExport": summary.export_kwh,
        "pv": summary.pv_kwh,
        "home": summary.household_kwh,
        "chargePower garage": last.loadpoints[0].energy_kwh,
    }
    found_kwh = {series: energy_kwh(means, series) for series in true_kwh}
    assert found_kwh == pytest.approx(true_kwh, abs=0.005 * summary.pv_kwh)
    stored_kwh = energy_kwh(means, "batteryCharge") - energy_kwh(means, "batteryDischarge")
    balance_kwh = summary.import_kwh - summary.export_kwh + summary.pv_kwh - summary.household_kwh
    assert stored_kwh == pytest.approx(balance_kwh - summary.charged_kwh, abs=0.005 * summary.pv_kwh)
    assert 86_400 - INTERVAL_S <= known_s(means) <= 86_400
    minutes = kept(tmp_path / "evcc.db", MINUTE)
    assert energy_kwh(minutes, "pv") == pytest.approx(found_kwh["pv"])
    assert max(mean.seconds for mean in minutes) == pytest.approx(60)


def test_a_kill_loses_the_minutes_that_were_not_written_and_no_more(tmp_path: Path) -> None:
    run = FullStack(noon(20, KILLED), database=tmp_path / "evcc.db")
    run_virtually(run.main, seed=1)
    means = kept(tmp_path / "evcc.db", MINUTE)
    known = {mean.start.minute: mean.seconds for mean in means if mean.series == "gridImport"}
    assert all(known[minute] == pytest.approx(60) for minute in (*range(1, 9), *range(12, 20)))
    assert 20 * 60 - 60 - 2 * 60 - 10 <= sum(known.values()) < 20 * 60 - 60


def test_what_a_failing_disk_does_not_take_is_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "BUSY_S", 0.0)
    run = FullStack(noon(20), database=tmp_path / "evcc.db")
    before: list[float] = []

    async def hold() -> None:
        await trio.sleep(270)
        with held(tmp_path / "evcc.db"):
            await trio.sleep(420)
            before.append(known_s(kept(tmp_path / "evcc.db", MINUTE)))

    async def main() -> FullStackResult:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hold)
            return await run.main()

    run_virtually(main, seed=1)
    assert before[0] < 270
    means = kept(tmp_path / "evcc.db", MINUTE)
    assert known_s(means) >= 20 * 60 - 10
    assert max(mean.seconds for mean in means) == pytest.approx(60)
