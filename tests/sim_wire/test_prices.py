"""In process and through the whole server, the control is shown the same prices at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from evcc_server.loop.control import ControlLoop
from evcc_sim.runs.fullstack import run_scenario
from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds import scenario
from evcclib import Site
from evcclib.config import SiteConfig
from evcclib.decision import Decision
from evcclib.model import Cause, Now, TariffKind
from evcclib.readings import Readings
from evcclib.tariff import Rates

WORLD = """
title = "Prices"
hours = 25
[site]
start = "{start}"
interval_s = 60
[household]
constant_w = 400
[[charger]]
box = {{ name = "garage" }}
[tariff]
grid = {{ {grid} }}
feed_in = {{ zones = [["00:00", 0.08]] }}
"""
ZONES = 'zones = [["00:00", 0.20], ["06:30", 0.30], ["22:00", 0.25]]'
FIXED = ZONES
AUCTION = f"{ZONES}, day_ahead = true"
NOISY = f"{ZONES}, noise = 0.1, slot_minutes = 15"
NOISY_AUCTION = f"{NOISY}, day_ahead = true"

Shown = dict[datetime, Mapping[TariffKind, Rates]]


class Watching(Site):
    """A site that remembers which prices it was shown when."""

    shown: Shown

    def step(self, readings: Readings, *, now: Now, cause: Cause) -> Decision:
        self.shown[now.utc] = readings.tariffs
        return super().step(readings, now=now, cause=cause)


def in_process(world: scenario.Scenario) -> Shown:
    shown: Shown = {}

    def control(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Site:
        site = Watching(config, now=now)
        site.shown = shown
        return site

    simulate(world, control=control)
    return shown


def full_stack(world: scenario.Scenario, monkeypatch: pytest.MonkeyPatch) -> Shown:
    shown: Shown = {}
    step = ControlLoop._step

    def watching(self: ControlLoop, cause: Cause, nursery: object) -> None:
        shown[self._clock.utc()] = self._samples.readings(()).tariffs
        step(self, cause, nursery)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(ControlLoop, "_step", watching)
    run_scenario(world)
    return shown


def newest(shown: Shown, at: datetime) -> Mapping[TariffKind, Rates]:
    """What the control knows at ``at``."""
    return shown[max(time for time in shown if time <= at)]


def price(rates: Rates, at: datetime) -> float | None:
    rate = rates.at(at)
    return None if rate is None else rate.price


@pytest.mark.parametrize("grid", [FIXED, AUCTION, NOISY, NOISY_AUCTION])
@pytest.mark.parametrize("start", ["2026-06-15", "2026-10-24"])
def test_both_ways_show_the_same_prices(grid: str, start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also across midnight and, in autumn, on the night on which the clocks change."""
    world = scenario.parse(WORLD.format(grid=grid, start=start), name="prices")
    one, two = in_process(world), full_stack(world, monkeypatch)
    midnight = world.base.utc(0.0)
    for hours in (0.1, 6.0, 13.0, 13.2, 13.3, 20.0, 24.5):
        at = midnight + timedelta(hours=hours)
        ours, theirs = newest(one, at), newest(two, at)
        assert set(ours) == set(theirs) == {TariffKind.GRID, TariffKind.FEED_IN}
        for kind in ours:
            first, second = ours[kind].rates, theirs[kind].rates
            assert (first[0].start, first[-1].end, ours[kind].unit) == (
                second[0].start,
                second[-1].end,
                theirs[kind].unit,
            )
            edges = sorted({rate.start for rate in (*first, *second)})
            assert [price(ours[kind], edge) for edge in edges] == [price(theirs[kind], edge) for edge in edges]


@pytest.mark.parametrize(("grid", "before_days", "after_days"), [(AUCTION, 1, 2), (FIXED, 7, 7), (NOISY, 3, 3)])
def test_tomorrow_is_known_when_it_is_published(
    grid: str, before_days: int, after_days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = scenario.parse(WORLD.format(grid=grid, start="2026-06-15"), name="prices")
    midnight = datetime(2026, 6, 14, 22, tzinfo=UTC)
    for shown in (in_process(world), full_stack(world, monkeypatch)):
        for minute, days in ((13 * 60 + 14, before_days), (13 * 60 + 16.5, after_days)):
            rates = newest(shown, midnight + timedelta(minutes=minute))[TariffKind.GRID].rates
            assert rates[-1].end == midnight + timedelta(days=days)
