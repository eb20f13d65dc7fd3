"""What clouds let through, second by second: the clear-sky index of a day, drawn from a seed.

Cloudiness wanders over hours. It sets how long clouds and gaps last (log-normal, so that one lasts seconds and the next an
hour) and how far gaps lie above a clear sky, where bright edges of clouds add to the sun. Edges are ramps, and a small wander
goes over all. Each day is a draw of its own, whatever the days before it were.

The parameters were fitted to the statistics of measured days, which tests/sim/measured_days.py has with their sources: broken
and overcast days of the station Payerne; the roughest days of a year of minute values, with the steps of one second of the
sensors of Melpitz. A clear sky has the small wander of haze only.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import exp, sqrt
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from evcc_sim.timebase import stream

Seconds: TypeAlias = npt.NDArray[np.float64]
"""A value for each second of a day."""

LONGEST_DAY_S = 25 * 3600
WANDER_STEP_S = 20.0
"""The wander is drawn this often and linear between: seconds follow each other smoothly."""
SHORTEST_EDGE_S = 4.0


class Sky(StrEnum):
    """The day's weather."""

    CLEAR = "clear"
    APRIL = "april"  # one of the roughest days of a year
    CUMULUS = "cumulus"  # an ordinary day of sun and clouds
    OVERCAST = "overcast"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wander:
    """A slow random drift, a share of what the clouds let through: its standard deviation and how long it remembers."""

    sd: float
    memory_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Clouds:
    """How clouds come, how long they stay and what they let through. Lengths are medians, sigmas those of their logarithms."""

    spell_s: float  # of a cloud and of a gap while the sky is half covered
    spell_sigma: float
    cover: float  # logit of the usual cloudiness
    cover_sd: float
    cover_memory_s: float
    passes: tuple[float, float]
    darker: float  # clouds of a covered sky let through less by this share
    above: tuple[float, float]  # of a gap, above clear; a gap in a covered sky has all of it
    edge_s: float
    edge_sigma: float


WANDERS = {
    Sky.CLEAR: Wander(sd=0.003, memory_s=600.0),
    Sky.CUMULUS: Wander(sd=0.025, memory_s=166.0),
    Sky.APRIL: Wander(sd=0.071, memory_s=170.0),
    Sky.OVERCAST: Wander(sd=0.066, memory_s=205.0),
}
CLOUDS = {
    Sky.CUMULUS: Clouds(
        spell_s=136.0,
        spell_sigma=1.325,
        cover=1.2,
        cover_sd=2.71,
        cover_memory_s=15_100.0,
        passes=(0.337, 0.877),
        darker=0.03,
        above=(0.0, 0.53),
        edge_s=14.7,
        edge_sigma=0.46,
    ),
    Sky.APRIL: Clouds(
        spell_s=50.0,
        spell_sigma=1.41,
        cover=0.3,
        cover_sd=0.7,
        cover_memory_s=8290.0,
        passes=(0.34, 0.744),
        darker=0.06,
        above=(-0.01, 0.24),
        edge_s=10.2,
        edge_sigma=0.38,
    ),
    Sky.OVERCAST: Clouds(
        spell_s=440.0,
        spell_sigma=1.8,
        cover=2.2,
        cover_sd=0.8,
        cover_memory_s=11_350.0,
        passes=(0.16, 0.6),
        darker=0.4,
        above=(-0.1, 0.05),
        edge_s=80.0,
        edge_sigma=0.8,
    ),
}


def clear_sky_index(sky: Sky, seed: int, day: int) -> Seconds:
    """What reaches the ground in each second of ``day``, 1.0 being a clear sky."""
    seconds = np.arange(LONGEST_DAY_S)
    drift = np.array(list(_wander(WANDERS[sky], stream(seed, "haze", day))))
    index: Seconds = 1.0 + np.interp(seconds, WANDER_STEP_S * np.arange(len(drift)), drift)
    if sky in CLOUDS:
        moments, levels = zip(*_levels(CLOUDS[sky], stream(seed, "clouds", day)), strict=True)
        index *= np.interp(seconds, moments, levels)
    return index.clip(min=0.0)


def _wander(wander: Wander, rng: random.Random) -> Iterator[float]:
    keeps = exp(-WANDER_STEP_S / wander.memory_s)
    value = rng.gauss(0.0, wander.sd)
    for _ in range(int(LONGEST_DAY_S / WANDER_STEP_S) + 1):
        yield value
        value = keeps * value + sqrt(1 - keeps**2) * rng.gauss(0.0, wander.sd)


def _levels(clouds: Clouds, rng: random.Random) -> Iterator[tuple[float, float]]:
    """What clouds and gaps let through, linear between the moments [s].

    A spell that is over before its edge is keeps what it has reached: small clouds dim less.
    """
    second, level = 0.0, 1.0
    cover = rng.gauss(0.0, 1.0)
    is_cloud = rng.random() < 0.5
    yield second, level
    while second < LONGEST_DAY_S:
        cloudiness = 1 / (1 + exp(-(clouds.cover + clouds.cover_sd * cover)))
        share = cloudiness if is_cloud else 1 - cloudiness
        spell_s = max(1.0, 2 * clouds.spell_s * share * exp(rng.gauss(0.0, clouds.spell_sigma)))
        if is_cloud:
            target = rng.uniform(*clouds.passes) * (1 - clouds.darker * cloudiness)
        else:
            target = 1.0 + rng.uniform(*clouds.above) * cloudiness
        edge_s = max(SHORTEST_EDGE_S, clouds.edge_s * exp(rng.gauss(0.0, clouds.edge_sigma)))
        ramp_s = min(edge_s, spell_s)
        level += (target - level) * ramp_s / edge_s
        yield second + ramp_s, level
        second += spell_s
        yield second, level
        is_cloud = not is_cloud
        keeps = exp(-spell_s / clouds.cover_memory_s)
        cover = keeps * cover + sqrt(1 - keeps**2) * rng.gauss(0.0, 1.0)
