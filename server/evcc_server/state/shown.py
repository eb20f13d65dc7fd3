"""All that a document is made of, in one hand: what the step has computed, and what it has not."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from evcc_server.state.document import Labels, LimitInForce
from evcclib.model import Now, TariffKind
from evcclib.tariff import Rates
from evcclib.view import SiteView


class Total(NamedTuple):
    """What has been charged in a while: energy [kWh], the sun's part [%], price and emissions [g] of a kWh; None: unknown."""

    charged_kwh: float = 0.0
    solar_pct: float | None = None
    price: float | None = None
    co2_g: float | None = None


class Shown(NamedTuple):
    """A ``view`` taken at ``now``, the grid operator's ``limit`` if there is one, price lists and totals by their span."""

    view: SiteView
    labels: Labels
    now: Now
    limit: LimitInForce | None = None
    rates: Mapping[TariffKind, Rates] = MappingProxyType({})
    totals: Mapping[str, Total] = MappingProxyType({})
