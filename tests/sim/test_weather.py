"""Generated skies and households against measured ones (`measured_days`), and what the control makes of them."""

from __future__ import annotations

from datetime import date
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import simpy
from sim.measured_days import (
    MEASURED,
    MINUTES_UNCHANGED,
    QUICKEST_S,
    RESOLUTION_W,
    ROUGH_DAY_KW,
    STEPS_OVER_100_W,
    STEPS_OVER_500_W,
    USUAL,
    Values,
    figures,
    minute_changes,
)

from evcc_sim.inprocess import simulate
from evcc_sim.plants.bus import Bus
from evcc_sim.plants.household import Household, HouseholdSpec
from evcc_sim.plants.sky import Sky, clear_sky_index
from evcc_sim.plants.sunshine import STEP_SHARE, PvSpec, clear_sky_fractions, noticed
from evcc_sim.plants.wallbox import WallboxSpec
from evcc_sim.runs.result import Summary
from evcc_sim.timebase import Timebase
from evcc_sim.worlds.house import House
from evcc_sim.worlds.packs import one_car
from evcc_sim.worlds.scenario import ChargerSpec, LoadpointSpec, Scenario, SiteSpec, WeatherSpec, load

SEEDS = range(60)
LIGHT = slice(6 * 3600, 19 * 3600)
PAYERNE = (46.815, 6.944)
JUNE = date(2026, 6, 17)
PEAK_W = 9800.0

WIDER = {
    (Sky.CUMULUS, "s60 p50"): 0.5,  # thousandths, measured to one digit
    (Sky.OVERCAST, "s60 p50"): 0.6,
    # ten days were measured, and gaps in a grey sky are rare
    (Sky.OVERCAST, "k > 1.05"): 1.0,
    (Sky.OVERCAST, "variance 5-15 min"): 0.7,
}


@cache
def generated(sky: Sky) -> dict[str, float]:
    return figures([clear_sky_index(sky, seed, 0)[LIGHT] for seed in SEEDS])


@pytest.mark.parametrize(("sky", "figure"), [(sky, figure) for sky, of_sky in MEASURED.items() for figure in of_sky])
def test_a_generated_sky_is_like_measured_ones(sky: Sky, figure: str) -> None:
    assert generated(sky)[figure] == pytest.approx(MEASURED[sky][figure], rel=WIDER.get((sky, figure), USUAL))


@pytest.mark.parametrize("sky", Sky)
def test_no_sky_changes_faster_than_strong_cumulus(sky: Sky) -> None:
    assert all(generated(sky)[figure] <= most for figure, most in QUICKEST_S.items())


def test_a_clear_sky_has_haze_and_no_clouds() -> None:
    found = generated(Sky.CLEAR)
    assert 0.0005 < found["d60 p50"] < 0.002 and found["d60 p99"] < 0.005
    assert found["k mean"] == pytest.approx(1.0, abs=0.002) and found["k > 1.05"] == 0.0


def sunny_w(sky: Sky, seed: int) -> Values:
    """What the roof delivers in each second of a day."""
    fractions = clear_sky_fractions(*PAYERNE, "Europe/Berlin", JUNE, 30.0, 180.0)
    seconds = np.arange(86_400)
    clear_w = PEAK_W * 0.86 * np.interp(seconds, 300 * np.arange(len(fractions)), fractions)
    return np.asarray(clear_w * clear_sky_index(sky, seed, 0)[:86_400])


def test_an_april_day_is_as_rough_as_the_roughest_of_a_year() -> None:
    low_kw, high_kw = ROUGH_DAY_KW
    days_kw = [float(minute_changes(sunny_w(Sky.APRIL, seed)).sum()) / 1000 for seed in SEEDS]
    assert low_kw <= np.mean(days_kw) <= high_kw
    assert sum(low_kw * 0.9 <= kw <= high_kw * 1.1 for kw in days_kw) >= 0.8 * len(days_kw)


def test_days_between_clear_and_rough_exist() -> None:
    days_kw = sorted(float(minute_changes(sunny_w(Sky.CUMULUS, seed)).sum()) / 1000 for seed in SEEDS)
    assert days_kw[5] < 160 < 300 < days_kw[-5]
    assert max(b - a for a, b in pairwise(days_kw[5:-5])) < 30


@pytest.mark.parametrize("sky", Sky)
def test_a_roof_follows_the_sky_second_by_second(sky: Sky) -> None:
    spec = load("april-clouds")
    house = House(spec.with_changes(weather=WeatherSpec(sky=sky)), seed=4)
    fractions = clear_sky_fractions(spec.site.latitude, spec.site.longitude, "Europe/Berlin", spec.site.start, 30, 180)
    index = clear_sky_index(sky, 4, 0)
    peak_w = spec.pv[0].peak_w
    for second in range(12 * 3600, 12 * 3600 + 900):
        house.run(second)
        expected_w = (
            peak_w * 0.86 * float(np.interp(second / 300, np.arange(len(fractions)), fractions)) * index[second]
        )
        assert house.inverters[0].power_w == pytest.approx(expected_w, abs=STEP_SHARE * peak_w + 0.1)


def test_small_changes_wait_until_they_have_grown_and_the_end_of_the_day_is_told() -> None:
    powers_w = [0.0, 5.0, 9.0, 12.0, 15.0, 40.0, 35.0, 3.0, 0.0, 0.0]
    assert list(noticed(powers_w, 10.0)) == [(0, 0.0), (3, 12.0), (5, 40.0), (7, 3.0), (8, 0.0)]


def test_the_days_of_a_run_differ_and_do_not_depend_on_each_other() -> None:
    spec = load("april-clouds")
    longer, later = House(spec, seed=2), House(spec.with_changes(site=SiteSpec(start=date(2026, 4, 14))), seed=2)
    longer.run(36 * 3600)
    assert not np.array_equal(clear_sky_index(Sky.APRIL, 2, 0), clear_sky_index(Sky.APRIL, 2, 1))
    later.run(20 * 3600)
    later.run(36 * 3600)
    assert longer.inverters[0].available_w == later.inverters[0].available_w > 0


def minutes_of(annual_kwh: float, start: date, seed: int) -> Values:
    """A household's mean power in each minute of a day [W]."""
    env = simpy.Environment()
    bus = Bus(env)
    base = Timebase(start, ZoneInfo("Europe/Berlin"))
    household = Household(env, bus.tap("household"), HouseholdSpec(annual_kwh=annual_kwh), base, seed)
    counted_kwh = [0.0]
    for minute in range(1, 1441):
        env.run(until=60 * minute)
        counted_kwh.append(household.tap.energy_in_kwh)
    return np.diff(counted_kwh) * 60_000


@pytest.mark.parametrize("annual_kwh", [4500.0, 8000.0])
def test_a_generated_household_is_as_lively_as_measured_ones(annual_kwh: float) -> None:
    for seed in range(10):
        watts = minutes_of(annual_kwh, date(2026, 5, 18 + seed % 7), seed)
        changes = np.abs(np.diff((watts / RESOLUTION_W).round() * RESOLUTION_W))
        found = [int(np.count_nonzero(changes == 0)), *(int(np.count_nonzero(changes > step)) for step in (100, 500))]
        for count, (fewest, most) in zip(found, (MINUTES_UNCHANGED, STEPS_OVER_100_W, STEPS_OVER_500_W), strict=True):
            assert fewest <= count <= most, (seed, found)


@pytest.mark.parametrize("annual_kwh", [1500.0, 4500.0, 8000.0])
def test_a_household_uses_in_a_year_what_is_set(annual_kwh: float) -> None:
    days = [date(2026, month, day) for month in range(1, 13) for day in (4, 13, 22)]
    used_kwh = [minutes_of(annual_kwh, day, seed).sum() / 60_000 for seed, day in enumerate(days)]
    assert np.mean(used_kwh) * 365 == pytest.approx(annual_kwh, rel=0.05)


@cache
def classic_day(sky: Sky, seed: int, *, by_minute: bool) -> Summary:
    """A day at Payerne: a household of 22 kWh a day, a car that never gets full, phases that switch.

    ``by_minute``: the sun as the measured days had it, minute means with straight lines between them, in steps of ten seconds.
    """
    roof = PvSpec(name="roof", peak_w=PEAK_W)
    if by_minute:
        means = sunny_w(sky, seed).reshape(-1, 60).mean(axis=1)
        tens = np.arange(0, 86_400, 10)
        watts = np.interp(tens, 60 * np.arange(1440) + 30, means).round(1)
        roof = PvSpec(name="roof", series=tuple(zip(map(float, tens), watts.tolist(), strict=True)))
    world = Scenario(
        name="",
        title="A measured day's setting",
        site=SiteSpec(start=JUNE, latitude=PAYERNE[0], longitude=PAYERNE[1], residual_power_w=100.0),
        household=HouseholdSpec(annual_kwh=9300.0),
        weather=WeatherSpec(sky=sky),
        pv=(roof,),
        charger=(ChargerSpec(box=WallboxSpec(name="garage", can_switch_phases=True), loadpoint=LoadpointSpec()),),
        car=(one_car("blue", "garage", 6.0, 22.0, capacity_kwh=120.0, soc_pct=10.0),),
    )
    return simulate(world, seed).summary


@pytest.mark.day
@pytest.mark.parametrize(
    ("sky", "bought_kwh", "phase_switches"),
    [
        (Sky.CUMULUS, 1.2, 18.0),
        (Sky.APRIL, None, 38.0),  # the three roughest days of a year, which had households of their own
        (Sky.OVERCAST, None, 9.0),  # bought: some tenths of a kWh
    ],
)
def test_classic_buys_and_switches_as_on_measured_days(
    sky: Sky, bought_kwh: float | None, phase_switches: float
) -> None:
    days = [classic_day(sky, seed, by_minute=True) for seed in range(1, 13)]
    assert np.mean([day.phase_switches for day in days]) == pytest.approx(phase_switches, rel=0.3)
    if bought_kwh is not None:
        assert np.mean([day.import_in_pv_mode_kwh for day in days]) == pytest.approx(bought_kwh, rel=0.3)


@pytest.mark.day
def test_minutes_hide_what_seconds_buy() -> None:
    minutes_kwh, seconds_kwh = (
        np.mean([classic_day(Sky.CUMULUS, seed, by_minute=by_minute).import_in_pv_mode_kwh for seed in range(1, 7)])
        for by_minute in (True, False)
    )
    assert 1.1 * minutes_kwh < seconds_kwh < 2.5 * minutes_kwh
