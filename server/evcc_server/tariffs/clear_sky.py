"""What a roof gives under a sky without a cloud. Pure.

sun     the Astronomical Almanac's short series (good to a hundredth of a degree until 2050), as a vector east, north, up
global  Haurwitz: 1098 cos z exp(-0.059 / cos z) [W/m2], z being the angle from the zenith
diffuse Erbs, by the share kt of what arrives above the air; the rest is beam, none within 3 degrees of the horizon
plane   beam cos a + diffuse (1 + cos b) / 2 + global 0.25 (1 - cos b) / 2, b being the tilt, a the angle to the beam
power   peak times plane / 1000 W/m2 times efficiency, at most what the inverter passes on

All of it is well known, and in pvlib, which is the witness of the tests; it needs numpy and pandas, a server does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from evcc_server.config.model import Roof
from evcclib.tariff import Rate

STEP = timedelta(minutes=15)
_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)
_DAY = timedelta(days=1)
_SOLAR_CONSTANT_W_M2 = 1366.1
_ALBEDO = 0.25
_COS_ZENITH_MIN = 0.065
"""In kt: at the horizon it would be one of two numbers near zero."""
_BEAM_COS_ZENITH_MIN = math.cos(math.radians(87))


class Sun(NamedTuple):
    """The direction to the sun as a unit vector, and how much nearer than usual it is, as the square of a ratio."""

    east: float
    north: float
    up: float
    nearness: float


def sun_at(latitude_deg: float, longitude_deg: float, time: datetime) -> Sun:
    """Where the sun is; ``time`` may have any zone."""
    days = (time.astimezone(UTC) - _J2000) / _DAY
    anomaly = math.radians(357.528 + 0.9856003 * days)
    ecliptic = math.radians(280.460 + 0.9856474 * days + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly))
    obliquity = math.radians(23.439 - 0.0000004 * days)
    ascension = math.atan2(math.cos(obliquity) * math.sin(ecliptic), math.cos(ecliptic))
    declination = math.asin(math.sin(obliquity) * math.sin(ecliptic))
    sidereal = math.radians(280.46061837 + 360.98564736629 * days + longitude_deg)
    angle, latitude = sidereal - ascension, math.radians(latitude_deg)
    distance = 1.00014 - 0.01671 * math.cos(anomaly) - 0.00014 * math.cos(2 * anomaly)
    return Sun(
        east=-math.cos(declination) * math.sin(angle),
        north=math.cos(latitude) * math.sin(declination) - math.sin(latitude) * math.cos(declination) * math.cos(angle),
        up=math.sin(latitude) * math.sin(declination) + math.cos(latitude) * math.cos(declination) * math.cos(angle),
        nearness=distance**-2,
    )


def irradiance_w_m2(roof: Roof, sun: Sun) -> float:
    """What falls on a square metre of the modules."""
    if sun.up <= 0:
        return 0.0
    everything = 1098 * sun.up * math.exp(-0.059 / sun.up)
    diffuse = everything * _diffuse_share(
        everything / (_SOLAR_CONSTANT_W_M2 * sun.nearness * max(sun.up, _COS_ZENITH_MIN))
    )
    beam = (everything - diffuse) / sun.up if sun.up > _BEAM_COS_ZENITH_MIN else 0.0
    tilt, azimuth = math.radians(roof.tilt_deg), math.radians(roof.azimuth_deg)
    to_beam = sun.up * math.cos(tilt) - math.sin(tilt) * (sun.north * math.cos(azimuth) + sun.east * math.sin(azimuth))
    around = diffuse * (1 + math.cos(tilt)) / 2 + everything * _ALBEDO * (1 - math.cos(tilt)) / 2
    return beam * max(0.0, to_beam) + around


def _diffuse_share(kt: float) -> float:
    if kt <= 0.22:
        return 1 - 0.09 * kt
    if kt <= 0.80:
        return 0.9511 - 0.1604 * kt + 4.388 * kt**2 - 16.638 * kt**3 + 12.336 * kt**4
    return 0.165


def power_w(roof: Roof, irradiance: float, air_deg: float | None = None) -> float:
    """What the roof gives of so much irradiance [W/m2] on its modules; they lose when they are warm, if the air is known.

    A module is ``air + kelvin_per_w_m2 * irradiance`` warm (Ross).
    """
    power = roof.peak_kw * max(0.0, irradiance) * roof.efficiency
    if air_deg is not None:
        warmer = air_deg + roof.kelvin_per_w_m2 * irradiance - 25.0
        power *= max(0.0, 1 + roof.power_per_kelvin * warmer)
    return power if roof.ac_limit_kw is None else min(power, roof.ac_limit_kw * 1000)


def clear_sky(roof: Roof, start: datetime, end: datetime) -> tuple[Rate, ...]:
    """The power [W] of each quarter of an hour from ``start`` until ``end``, as in its middle."""

    def quarters() -> Iterator[Rate]:
        begin = start.astimezone(UTC)
        while begin < end:
            sun = sun_at(roof.latitude_deg, roof.longitude_deg, begin + STEP / 2)
            yield Rate(begin, begin + STEP, power_w(roof, irradiance_w_m2(roof, sun)))
            begin += STEP

    return tuple(quarters())
