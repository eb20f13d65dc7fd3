"""What the numbers and names of a scenario may be: one row for each field, asked before anything runs.

`problems` walks over a scenario and says of each value that cannot be what is allowed. A field without a row may be anything of
its type; a test keeps a row for every number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import timedelta
from enum import Enum
from math import inf, isfinite
from typing import Protocol

from evcc_sim.plants.faults import FaultKind, ReadBack
from evcclib.errors import InvalidSetting
from evcclib.model import PollMode
from evcclib.settings import SPECS, LoadpointDefaults, Scope, SettingSpec, SiteDefaults


class Allowed(Protocol):
    """Says what a value may be."""

    def holds(self, value: object) -> bool: ...


@dataclass(frozen=True, slots=True)
class Between:
    """A finite number from ``low`` to ``high``; ``low`` itself only if ``has_low``."""

    low: float
    high: float = inf
    has_low: bool = True

    def holds(self, value: object) -> bool:
        """Numbers only."""
        if not isinstance(value, (int, float)) or not isfinite(value):
            return False
        return (self.low <= value if self.has_low else self.low < value) and value <= self.high

    def __str__(self) -> str:
        if self.high == inf:
            return f"{self.low:g} or more" if self.has_low else f"more than {self.low:g}"
        return f"{self.low:g} to {self.high:g}" if self.has_low else f"more than {self.low:g}, at most {self.high:g}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few."""

    values: tuple[object, ...]

    def holds(self, value: object) -> bool:
        """Equal to one of them."""
        return value in self.values

    def __str__(self) -> str:
        *others, last = map(str, self.values)
        return f"{', '.join(others)} or {last}"


@dataclass(frozen=True, slots=True)
class OfSetting:
    """What a setting may be."""

    spec: SettingSpec

    def holds(self, value: object) -> bool:
        """Whatever the library takes for a value of it."""
        try:
            self.spec.judged(value)  # type: ignore[arg-type]  # whatever it is
        except InvalidSetting:
            return False
        return True

    def __str__(self) -> str:
        return self.spec.allowed


NOT_NEGATIVE, POSITIVE = Between(0), Between(0, has_low=False)
PERCENT, SHARE = Between(0, 100), Between(0, 1)
FRACTION = Between(0, 1, has_low=False)
DAY_S = Between(0, 86_400)
POWER_W = Between(0, 1e7)
SIGNED_POWER_W = Between(-1e7, 1e7)
CURRENT_A = Between(0, 1000)
VOLTAGE_V = Between(50, 500)
PHASE = Between(1, 3)

ALLOWED: Mapping[str, Allowed] = {
    **{f"SiteSpec.{each.name}": OfSetting(SPECS[Scope.SITE, each.name]) for each in fields(SiteDefaults)},
    **{f"LoadpointSpec.{each.name}": OfSetting(SPECS[Scope.LOADPOINT, each.name]) for each in fields(LoadpointDefaults)},
    "Scenario.rows": Between(1, 1000),
    "Scenario.days": Between(1, 3660),
    "Scenario.hours": Between(0, 87_840, has_low=False),
    "Scenario.seed": NOT_NEGATIVE,
    "SiteSpec.latitude": Between(-90, 90),
    "SiteSpec.longitude": Between(-180, 180),
    "SiteSpec.interval_s": Between(1, 3600),
    "SiteSpec.voltage_v": VOLTAGE_V,
    "SiteSpec.true_voltage_v": VOLTAGE_V,
    "SiteSpec.fuse_a": Between(0, 10_000, has_low=False),
    "SiteSpec.grid_supply_max_while_battery_charges_w": POWER_W,
    "SiteSpec.skew_s": Between(0, 10),
    "MeterSpec.refresh_s": DAY_S,
    "MeterSpec.lag_s": DAY_S,
    "MeterSpec.noise_w": POWER_W,
    "MeterSpec.resolution_w": POWER_W,
    "MeterSpec.counter_resolution_kwh": Between(0, 1000),
    "MeterSpec.rotation": PHASE,
    "HouseholdSpec.annual_kwh": Between(0, 1e7),
    "HouseholdSpec.constant_w": POWER_W,
    "HouseholdSpec.steps": POWER_W,
    "HouseholdSpec.series": Between(0, 1e9),
    "HouseholdSpec.split": SHARE,
    "WeatherSpec.dimming": SHARE,
    "WeatherSpec.forecast": SHARE,
    "PvSpec.peak_w": POWER_W,
    "PvSpec.tilt_deg": Between(0, 90),
    "PvSpec.azimuth_deg": Between(0, 360),
    "PvSpec.losses": Between(0, 1),
    "PvSpec.ac_limit_w": POWER_W,
    "PvSpec.phases": OneOf((1, 3)),
    "PvSpec.follow_lag_s": DAY_S,
    "PvSpec.constant_w": POWER_W,
    "PvSpec.steps": POWER_W,
    "PvSpec.series": Between(0, 1e9),
    "PvSpec.wave": Between(0, 1e7),
    "BatterySpec.capacity_kwh": Between(0, 1e6, has_low=False),
    "BatterySpec.charge_max_w": POWER_W,
    "BatterySpec.discharge_max_w": POWER_W,
    "BatterySpec.soc_pct": PERCENT,
    "BatterySpec.soc_min_pct": PERCENT,
    "BatterySpec.soc_max_pct": PERCENT,
    "BatterySpec.efficiency": FRACTION,
    "BatterySpec.lag_s": DAY_S,
    "CarSpec.capacity_kwh": Between(0, 1e5, has_low=False),
    "CarSpec.phases": OneOf((1, 2, 3)),
    "CarSpec.current_min_a": CURRENT_A,
    "CarSpec.current_max_a": CURRENT_A,
    "CarSpec.soc_pct": PERCENT,
    "CarSpec.soc_limit_pct": PERCENT,
    "CarSpec.efficiency": FRACTION,
    "CarSpec.start_delay_s": DAY_S,
    "CarSpec.stop_delay_s": DAY_S,
    "CarSpec.dead_time_s": DAY_S,
    "CarSpec.dead_time_down_s": DAY_S,
    "CarSpec.ramp_a_per_s": POSITIVE,
    "CarSpec.taper_from_pct": PERCENT,
    "CarSpec.taper_end_w": POWER_W,
    "CarSpec.sleep_after_s": NOT_NEGATIVE,
    "CarSpec.phase_pause_min_s": DAY_S,
    "CarSpec.climate_w": POWER_W,
    "CarSpec.api_refresh_s": DAY_S,
    "CarSpec.range_km_per_pct": Between(0, 1000),
    "CarSpec.odometer_km": Between(0, 1e7),
    "Visit.soc_pct": PERCENT,
    "Visit.used_pct": PERCENT,
    "Visit.days": NOT_NEGATIVE,
    "WallboxSpec.current_max_a": Between(0, 1000, has_low=False),
    "WallboxSpec.current_step_a": Between(0, 100, has_low=False),
    "WallboxSpec.true_step_a": Between(0, 100),
    "WallboxSpec.phases": OneOf((1, 2, 3)),
    "WallboxSpec.phase_switch_s": DAY_S,
    "WallboxSpec.contactor_s": DAY_S,
    "WallboxSpec.phase_rotation": PHASE,
    "WallboxSpec.watchdog_s": DAY_S,
    "WallboxSpec.failsafe_a": CURRENT_A,
    "WallboxSpec.power_on_current_a": CURRENT_A,
    "WallboxSpec.energy_total_kwh": Between(0, 1e9),
    "WallboxSpec.rfid_delay_s": DAY_S,
    "LoadpointSpec.phases": OneOf((0, 1, 3)),
    "LoadpointSpec.guard_duration_s": DAY_S,
    "LoadpointSpec.poll_mode": OneOf(tuple(mode.value for mode in PollMode)),
    "LoadpointSpec.poll_interval_s": NOT_NEGATIVE,
    "CircuitSpec.current_max_a": Between(0, 100_000),
    "CircuitSpec.power_max_w": Between(0, 1e8),
    "CircuitSpec.unbalance_max_a": Between(0, 100_000),
    "CircuitSpec.mean_power_max_w": Between(0, 1e8),
    "CircuitSpec.mean_window_minutes": OneOf((15, 30, 60)),
    "CircuitSpec.safe_current_a": CURRENT_A,
    "PriceSpec.zones": Between(-1000, 10_000),
    "PriceSpec.slot_minutes": OneOf((5, 10, 15, 20, 30, 60)),
    "PriceSpec.noise": Between(0, 10),
    "PriceSpec.series": Between(-1000, 1e9),
    "FaultSpec.day": NOT_NEGATIVE,
    "ActionSpec.day": NOT_NEGATIVE,
    "ActionSpec.loadpoint": NOT_NEGATIVE,
    "ActionSpec.operator_limit_w": POWER_W,
}  # fmt: skip
"""By class and field; in lists and tuples it holds for every number."""

OF_FRAMES: Mapping[str, Allowed] = {"rate": SHARE, "writes_only": OneOf((0, 1))}
PARAMS: Mapping[FaultKind, Mapping[str, Allowed]] = {
    FaultKind.LYING: {"factor": Between(-1000, 1000), "offset_w": SIGNED_POWER_W},
    FaultKind.READ_BACK_LAG: {"lag_s": DAY_S},
    FaultKind.EXCEPTION: {**OF_FRAMES, "code": OneOf((1, 2, 3, 4, 5, 6, 8, 10, 11))},
    FaultKind.DELAY: {**OF_FRAMES, "delay_s": Between(0, 3600)},
    FaultKind.LOSS: OF_FRAMES,
    FaultKind.LOST_REQUESTS: OF_FRAMES,
    FaultKind.DUPLICATE: OF_FRAMES,
    FaultKind.TRUNCATE: OF_FRAMES,
    FaultKind.GARBLE: OF_FRAMES,
    FaultKind.CLOCK_JUMP: {"seconds": Between(-366 * 86_400, 366 * 86_400)},
}
"""What a fault can be told; kinds that are not here can be told nothing."""
SHOWS: Mapping[ReadBack, Allowed] = {
    ReadBack.STATUS: OneOf((0, 1, 2)),
    ReadBack.ENABLED: OneOf((0, 1)),
    ReadBack.CURRENT: CURRENT_A,
    ReadBack.PHASES: OneOf((1, 3)),
    ReadBack.POWER: SIGNED_POWER_W,
}
"""What a read-back that is stuck may show."""
OF_CARS: Mapping[str, Allowed] = {"factor": Between(-1000, 1000), "offset_pct": Between(-100, 100)}
"""What the cloud of a car that lies can be told."""


def params_of(kind: FaultKind, of: ReadBack | None, *, is_at_car: bool) -> Mapping[str, Allowed]:
    """What a fault of this kind can be told."""
    if kind is FaultKind.READ_BACK_STUCK:
        return {} if of is None else {"shows": SHOWS[of]}
    return OF_CARS if kind is FaultKind.LYING and is_at_car else PARAMS.get(kind, {})


def problems(spec: object, path: str) -> Iterator[str]:
    """What cannot be in ``spec``, a dataclass of the scenario format, and in everything below it."""
    for field in fields(spec):  # type: ignore[arg-type]  # callers hand in dataclasses
        value = getattr(spec, field.name)
        where = f"{path}.{field.name}"
        allowed = ALLOWED.get(f"{type(spec).__name__}.{field.name}")
        yield from _of_value(value, allowed, where)


def _of_value(value: object, allowed: Allowed | None, where: str) -> Iterator[str]:
    if is_dataclass(value):
        yield from problems(value, where)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _of_value(item, allowed, f"{where}[{index}]")
    elif allowed is None or value is None or isinstance(value, (bool, Enum)):
        return
    elif isinstance(value, (int, float, str, timedelta)) and not allowed.holds(value):
        yield f"{where}: {value!r} is not allowed, only {allowed}"
