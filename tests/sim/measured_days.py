"""What measured days of sun and of households are like, in figures, and the same figures of any other day.

Sources. Sky: k is the measured global irradiance over the clear sky's of pvlib while that is above 150 W/m2; d60 the change from
one minute's mean to the next, TV its sum in an hour, s60 the standard deviation within a minute.

* Payerne (BSRN, MeteoSwiss), June 2016: minute means and the standard deviation of 60 samples a minute; 18 broken days and 10
  overcast ones.
* Lyngby (DTU, minute means): 19 broken days of April; the stations' own scatter of broken days is a third of most figures.
* The three roughest days of a year of minute values of a roof, taken as 9.8 kWp: 2013-06-22, 07-10 and 08-14 (github
  ttjaden/pvprog, MIT), against the clear sky of that roof. Of that year's days the sum of all changes from minute to minute has
  its 95th percentile at 406 kW and its 99th at 531 kW.
* Melpitz (TROPOS, HOPE campaign 2013): 50 pyranometers at 1 Hz through an hour of strong cumulus; changes in 1, 10 and 60 s.

Household: minute means of days at Sceaux of 12.9 to 29.5 kWh ("Individual household electric power consumption", UCI Machine
Learning Repository, CC BY 4.0), whole multiples of 2 W.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from evcc_sim.plants.sky import Sky

Values: TypeAlias = npt.NDArray[np.float64]

USUAL = 0.3
"""So far a figure may lie beside the measured one, as a share of it: about what lies between two stations."""
MEASURED: Mapping[Sky, Mapping[str, float]] = {
    Sky.CUMULUS: {
        "k mean": 0.73,
        "k p99": 1.35,
        "k > 1.05": 0.18,
        "k = 0.5 per hour": 2.6,
        "d60 p50": 0.010,
        "d60 p90": 0.14,
        "d60 p95": 0.28,
        "d60 p99": 0.54,
        "TV per hour": 2.9,
        "s60 p50": 0.004,
        "s60 p90": 0.086,
        "s60 p99": 0.31,
        "variance 2-5 min": 0.08,
        "variance 5-15 min": 0.15,
        "variance 15-60 min": 0.28,
        "variance > 60 min": 0.50,
    },
    Sky.OVERCAST: {
        "k mean": 0.35,
        "k p99": 1.13,
        "k > 1.05": 0.012,
        "k = 0.5 per hour": 1.5,
        "d60 p50": 0.009,
        "d60 p90": 0.05,
        "d60 p95": 0.10,
        "d60 p99": 0.29,
        "TV per hour": 1.4,
        "s60 p50": 0.003,
        "s60 p90": 0.019,
        "s60 p99": 0.17,
        "variance 2-5 min": 0.03,
        "variance 5-15 min": 0.08,
        "variance 15-60 min": 0.27,
        "variance > 60 min": 0.62,
    },
    Sky.APRIL: {
        "k mean": 0.79,
        "k p99": 1.18,
        "k > 1.05": 0.15,
        "k = 0.5 per hour": 6.1,
        "d60 p50": 0.040,
        "d60 p90": 0.29,
        "d60 p95": 0.37,
        "d60 p99": 0.47,
        "variance 2-5 min": 0.12,  # Lyngby's: the roof's minutes are smoother than any station's
        "variance 5-15 min": 0.27,
        "variance 15-60 min": 0.36,
        "variance > 60 min": 0.30,
        "1 s p95": 0.044,
        "1 s p99": 0.076,
        "1 s p99.9": 0.126,
        "10 s p95": 0.30,
        "10 s p99": 0.46,
        "10 s p99.9": 0.63,
        "60 s p95": 0.56,
        "60 s p99": 0.70,
        "60 s p99.9": 0.79,
    },
}
ROUGH_DAY_KW = (406.0, 531.0)
QUICKEST_S = {"1 s p99": 0.076, "1 s p99.9": 0.126}
"""No sky changes faster than strong cumulus."""
MINUTES_UNCHANGED = (174, 462)
STEPS_OVER_100_W = (127, 297)
STEPS_OVER_500_W = (48, 135)
RESOLUTION_W = 2.0


def figures(days: Sequence[Values]) -> dict[str, float]:
    """Of the clear-sky index in each second of the light hours of several days."""
    whole = [day[: len(day) // 60 * 60] for day in days]
    minutes = [day.reshape(-1, 60) for day in whole]
    means = [each.mean(axis=1) for each in minutes]
    hours = sum(map(len, whole)) / 3600
    changes = np.concatenate([np.abs(np.diff(each)) for each in means])
    k, spread = np.concatenate(means), np.concatenate([each.std(axis=1) for each in minutes])
    found = {
        "k mean": float(k.mean()),
        "k p99": float(np.percentile(k, 99)),
        "k > 1.05": float((k > 1.05).mean()),
        "k = 0.5 per hour": sum(int(np.count_nonzero(np.diff(each > 0.5))) for each in means) / hours,
        "TV per hour": float(changes.sum()) / hours,
        **{f"d60 p{p}": float(np.percentile(changes, p)) for p in (50, 90, 95, 99)},
        **{f"s60 p{p}": float(np.percentile(spread, p)) for p in (50, 90, 99)},
    }
    for lag_s in (1, 10, 60):
        steps = np.concatenate([np.abs(day[lag_s:] - day[:-lag_s]) for day in whole])
        found |= {f"{lag_s} s p{p}": float(np.percentile(steps, p)) for p in (95, 99, 99.9)}
    shares = np.mean([_variance(each) for each in means], axis=0)
    names = ("variance 2-5 min", "variance 5-15 min", "variance 15-60 min", "variance > 60 min")
    return found | dict(zip(names, map(float, shares), strict=True))


def _variance(minutes: Values) -> list[float]:
    """Shares of the variance of a day's minute means at periods of 2-5, 5-15, 15-60 and more minutes."""
    power = np.abs(np.fft.rfft(minutes - minutes.mean()))[1:] ** 2
    period_min = 1 / np.fft.rfftfreq(len(minutes))[1:]
    edges = (2.0, 5.0, 15.0, 60.0, np.inf)
    parts = [power[(low <= period_min) & (period_min < high)].sum() for low, high in pairwise(edges)]
    return [float(part / power.sum()) for part in parts]


def minute_changes(watts: Values) -> Values:
    """From each minute's mean power to the next."""
    changes: Values = np.abs(np.diff(watts[: len(watts) // 60 * 60].reshape(-1, 60).mean(axis=1)))
    return changes
