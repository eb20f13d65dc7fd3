"""Whose energy it was: the part of consumption that the sun and the home battery covered [GRN-1, DEF-40].

```
   0        home            home + battery charging       ... + cars
   |---------|-----------------------|-----------------------|
   |== green = pv + battery discharging ==>|
```
Green power covers the house first, then the charging home battery, then the cars.
"""

from __future__ import annotations

from typing import NamedTuple


class GreenShares(NamedTuple):
    """Shares 0..1: of the cars' power (for sessions and savings), and of house and cars together."""

    cars: float
    site: float


def green_shares(*, pv_w: float, battery_w: float, home_w: float, charge_w: float) -> GreenShares:
    """Split the green power [W]; ``battery_w`` is positive while discharging."""
    green_w = max(0.0, pv_w) + max(0.0, battery_w)
    home_w, charge_w = max(0.0, home_w), max(0.0, charge_w)
    before_cars_w = home_w + max(0.0, -battery_w)
    consumed_w = home_w + charge_w
    if consumed_w > 0:
        covered_w = min(green_w, home_w) + _covered(green_w, before_cars_w, charge_w)
        site = covered_w / consumed_w
    else:
        site = 1.0 if green_w > 0 else 0.0
    if charge_w > 0:
        cars = _covered(green_w, before_cars_w, charge_w) / charge_w
    else:
        cars = 1.0 if green_w > before_cars_w else 0.0
    return GreenShares(cars=cars, site=site)


def home_share(*, pv_w: float, battery_w: float, home_w: float) -> float:
    """The house's own share, 0..1: it is served first."""
    green_w, home_w = max(0.0, pv_w) + max(0.0, battery_w), max(0.0, home_w)
    if home_w > 0:
        return min(green_w, home_w) / home_w
    return 1.0 if green_w > 0 else 0.0


def _covered(green_w: float, before_w: float, power_w: float) -> float:
    """How much of ``power_w`` is green when ``before_w`` is served first."""
    return min(max(0.0, green_w - before_w), power_w)
