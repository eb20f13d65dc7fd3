"""A home with one loadpoint, for the tests of the rules."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bench import Bench, loadpoint, site_config

from evcclib.config import VehicleConfig
from evcclib.events import (
    ChargeStarted,
    ChargeStopped,
    SessionChanged,
    SessionRecord,
    VehicleConnected,
    VehicleDisconnected,
)
from evcclib.model import ChargeMode, ChargerStatus
from evcclib.readings import Measured
from evcclib.view import LoadpointView

A, B, C = ChargerStatus.A, ChargerStatus.B, ChargerStatus.C
HOUR: Any = timedelta(hours=1)
ZERO = timedelta(0)
CAR = VehicleConfig(name="zoe", title="Zoe", capacity_kwh=60.0, has_soc=True, has_range=True, has_soc_limit=True)


def home(*vehicles: VehicleConfig, status: ChargerStatus = A, **values: object) -> Bench:
    values.setdefault("mode", ChargeMode.OFF)
    values.setdefault("phases", 0 if values.get("can_switch_phases") else 3)
    bench = Bench(site_config(loadpoint(**values), vehicles=vehicles))
    bench.box.status = status
    return bench


def shown(bench: Bench) -> LoadpointView:
    return bench.site.view(now=bench.now).loadpoints[0]


def names(bench: Bench) -> list[str]:
    kinds = (VehicleConnected, ChargeStarted, ChargeStopped, VehicleDisconnected)
    return [type(event).__name__ for event in bench.events if isinstance(event, kinds)]


def stored(bench: Bench) -> list[SessionRecord]:
    return [event.session for event in bench.events if isinstance(event, SessionChanged)]


def counter(bench: Bench, kwh: float) -> None:
    bench.box.extra["energy_total_kwh"] = Measured(kwh, bench.t)
