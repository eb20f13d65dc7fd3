"""A bench with one loadpoint, in few words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bench import Bench, loadpoint, site_config

from evcclib.config import VehicleConfig
from evcclib.model import ChargeMode, ChargerStatus
from evcclib.readings import Measured, Missing, VehicleReading
from evcclib.reasons import ReasonCode

A, B, C, E, F = ChargerStatus.A, ChargerStatus.B, ChargerStatus.C, ChargerStatus.E, ChargerStatus.F
OFF, NOW, MINPV, PV = ChargeMode
S: Any = timedelta(seconds=1)
HOUR: Any = timedelta(hours=1)
CAR = VehicleConfig(name="car", title="Car", capacity_kwh=54.0, has_soc=True)


def bench(
    mode: ChargeMode = PV, *, status: ChargerStatus | None = B, cars: tuple[VehicleConfig, ...] = (), **values: Any
) -> Bench:
    values.setdefault("phases", 3)
    found = Bench(site_config(loadpoint(mode=mode, **values), vehicles=cars))
    found.box.status = status
    return found


def with_soc(site: Bench, soc: float | None, name: str = "car", **values: Any) -> None:
    reading = Missing(site.t) if soc is None else Measured(soc, site.t)
    site.vehicles[name] = VehicleReading(soc_pct=reading, **values)


def reason(site: Bench) -> ReasonCode:
    return site.lp.reason.code
