"""Our clear sky against pvlib's parts of it, over the year and over the world."""

from __future__ import annotations

import math
import warnings
from datetime import UTC, datetime, timedelta

import pandas as pd
import pvlib
import pytest

from evcc_server.config.model import Roof
from evcc_server.tariffs.clear_sky import clear_sky, irradiance_w_m2, power_w, sun_at

ROOFS = [
    Roof(latitude_deg=52.5, longitude_deg=13.4, tilt_deg=30, azimuth_deg=0, peak_kw=10),
    Roof(latitude_deg=52.5, longitude_deg=13.4, tilt_deg=45, azimuth_deg=-90, peak_kw=10),
    Roof(latitude_deg=-33.9, longitude_deg=151.2, tilt_deg=20, azimuth_deg=180, peak_kw=10),
    Roof(latitude_deg=65.0, longitude_deg=25.0, tilt_deg=90, azimuth_deg=60, peak_kw=10),
]
DAYS = ["2026-03-29", "2026-06-21", "2026-10-25", "2026-12-21"]


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("roof", ROOFS, ids=lambda roof: f"{roof.latitude_deg:g},{roof.tilt_deg:g}")
def test_sun_and_irradiance_are_as_pvlib_has_them(roof: Roof, day: str) -> None:
    """pvlib's position is good to a thousandth of a degree; the rest are the same formulas."""
    times = pd.date_range(day, periods=48, freq="30min", tz="UTC")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pvlib uses what pandas will rename
        there = pvlib.solarposition.get_solarposition(times, roof.latitude_deg, roof.longitude_deg)
        everything = pvlib.clearsky.haurwitz(there["zenith"])["ghi"]
        split = pvlib.irradiance.erbs(everything, there["zenith"], times)
        plane = pvlib.irradiance.get_total_irradiance(
            roof.tilt_deg,
            (roof.azimuth_deg + 180) % 360,
            there["zenith"],
            there["azimuth"],
            split["dni"],
            everything,
            split["dhi"],
            albedo=0.25,
            model="isotropic",
        )["poa_global"].fillna(0.0)
    for time in times:
        sun = sun_at(roof.latitude_deg, roof.longitude_deg, time.to_pydatetime())
        assert math.degrees(math.asin(sun.up)) == pytest.approx(there["elevation"][time], abs=0.02)
        assert irradiance_w_m2(roof, sun) == pytest.approx(plane[time], abs=1.0)


def test_the_sun_stands_in_the_south_at_noon_and_a_unit_away() -> None:
    sun = sun_at(52.5, 15.0, datetime(2026, 6, 21, 11, 2, tzinfo=UTC))  # the equation of time is two minutes then
    assert (sun.east, sun.north) == pytest.approx((0.0, -math.cos(math.radians(90 - 52.5 + 23.44))), abs=0.003)
    assert math.hypot(sun.east, sun.north, sun.up) == pytest.approx(1.0)


def test_power_is_the_peak_at_a_thousand_watts_and_no_more_than_the_inverter_passes_on() -> None:
    roof = Roof(latitude_deg=0, longitude_deg=0, tilt_deg=0, azimuth_deg=0, peak_kw=10, ac_limit_kw=8, efficiency=0.9)
    assert (power_w(roof, 500), power_w(roof, 1000), power_w(roof, -5)) == (4500, 8000, 0)
    assert power_w(roof, 500, air_deg=7.9) == 4500  # 7.9 + 0.0342 * 500 = 25 degrees


def test_a_clear_sky_has_a_value_for_each_quarter_and_none_at_night() -> None:
    start = datetime(2026, 6, 21, tzinfo=UTC)
    found = clear_sky(ROOFS[0], start, start + timedelta(days=1))
    assert len(found) == 96
    assert (found[0].start, found[-1].end) == (start, start + timedelta(days=1))
    assert found[0].price == 0
    assert 60 < sum(rate.price for rate in found) / 4000 < 90  # kWh, of 10 kW on the longest day
