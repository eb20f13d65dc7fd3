"""What a site is made of: frozen, checked once (`pipeline.check_config`), never changed by a client (`settings`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from typing import NamedTuple

from evcclib.commands import BatteryMode
from evcclib.model import ChargeMode, Planner, PollMode, Sharing, VehicleFeature
from evcclib.settings import LoadpointDefaults, SiteDefaults


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """What identifying a vehicle changes at the loadpoint; None leaves it alone [ACT-1]."""

    mode: ChargeMode | None = None
    current_min_a: float | None = None
    current_max_a: float | None = None
    soc_min_pct: int | None = None
    soc_target_pct: int | None = None
    priority: int | None = None


class CurvePoint(NamedTuple):
    """From so much SoC on a vehicle takes no more than ``most_w`` at the socket, whatever it is offered."""

    from_soc_pct: float
    most_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleConfig:
    """A vehicle. ``name`` is its unique configured name; ``capacity_kwh`` 0 and ``phases`` 0 mean unknown.

    ``charging_curve``: what it takes the fuller it is, by rising SoC; without one it takes as much as it has ever taken.
    """

    name: str
    title: str = ""
    icon: str = ""
    capacity_kwh: float = 0.0
    phases: int = 0
    charging_curve: tuple[CurvePoint, ...] = ()
    identifiers: tuple[str, ...] = ()
    features: frozenset[VehicleFeature] = frozenset()
    on_identify: Actions = field(default_factory=Actions)
    has_soc: bool = False
    has_soc_limit: bool = False
    has_range: bool = False
    has_odometer: bool = False
    has_status: bool = False
    has_climate: bool = False
    has_wakeup: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerConfig:
    """What a charger can do. ``current_step_a`` is its finest step: 1 A, 0.1 A, 0.001 A."""

    current_step_a: float = 1.0
    current_max_a: float | None = None  # what the device itself allows
    can_switch_phases: bool = False
    has_power: bool = True  # charger or separate meter measures power; else the virtual meter is used [MEA-2]
    has_energy_total: bool = False
    has_energy_session: bool = False  # own rater, used only without a separate meter [MET-1]
    has_duration: bool = False
    has_identity: bool = False
    has_soc: bool = False
    has_wakeup: bool = False
    is_integrated: bool = False  # heat pump and the like: no vehicle logic
    icon: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PollConfig:
    """When to ask a vehicle that does not charge [SOC-8]."""

    mode: PollMode = PollMode.CHARGING
    interval: timedelta = timedelta(minutes=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadpointConfig(LoadpointDefaults):
    """One loadpoint; the values that a client may change are only the defaults here [ACT-2]."""

    title: str = ""
    charger: ChargerConfig = field(default_factory=ChargerConfig)
    vehicle: str | None = None  # default vehicle, by name
    circuit: str | None = None
    phases: int = 0  # 0 automatic (switchable) or three (fixed) [PH-1]
    phase_rotation: tuple[int, int, int] = (1, 2, 3)  # grid phase behind the charger's L1, L2, L3
    guard_duration: timedelta = timedelta(minutes=5)
    reset_on_disconnect: bool = False
    poll: PollConfig = field(default_factory=PollConfig)
    estimates_soc: bool = True
    unknown_soc_grace: timedelta = timedelta(minutes=10)  # no forced charge before a SoC is known [DEF-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitConfig:
    """A node of the tree of limits. ``current_max_a`` holds for each phase, ``power_max_w`` for the sum.

    ``unbalance_max_a`` holds for the difference between any two phases: of all that its meter shows on them, and of what the
    loadpoints below it draw where it has none, or one that shows no phases.
    ``mean_power_max_w`` holds for the mean of what its meter shows as bought in each ``mean_window`` of the local clock.

    With ``has_meter`` its own meter's currents count, else the sum of what hangs below it. ``safe_current_a`` is what each
    loadpoint below it may draw while the limit can't be proven (meter silent); 0 pauses it.
    """

    name: str
    parent: str | None = None
    current_max_a: float | None = None
    power_max_w: float | None = None
    unbalance_max_a: float | None = None
    mean_power_max_w: float | None = None
    mean_window: timedelta = timedelta(minutes=15)
    has_meter: bool = False
    uses_grid_meter: bool = False
    safe_current_a: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryConfig:
    """One home battery; ``capacity_kwh`` None means unknown [SITE-7]. ``modes``: what it can be told, nothing of most [BAT-1].

    ``circuit`` is the one that it hangs below: it is a load of that, and what it discharges is nothing to count on [CIR-3].
    ``phases`` 3: it loads all alike, 0: it may be any one. ``charge_power_w`` is what it takes from the grid in mode charge,
    which ends before any limit holds a car down, unless ``charges_before_cars``.
    """

    capacity_kwh: float | None = None
    modes: frozenset[BatteryMode] = frozenset()
    circuit: str | None = None
    phases: int = 0
    charge_power_w: float | None = None
    charges_before_cars: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteConfig(SiteDefaults):
    """One grid connection with its meters, vehicles and loadpoints. `evcclib.check` says what of it cannot be run, and
    `evcclib.Site` does so by itself."""

    title: str = ""
    law: str = "classic"  # who decides between demands and limits, by its name in `evcclib.laws.by_name`
    sharing: Sharing = Sharing.FAIR  # among equals, under a law that divides
    planner: Planner = Planner.CLASSIC
    voltage_v: float = 230.0
    interval: timedelta = timedelta(seconds=10)
    time_zone: tzinfo
    has_grid: bool = True
    pv_count: int = 0
    has_zero_feed_in: bool = False  # the inverters follow the load, and hold back what would be exported [SITE-25]
    batteries: tuple[BatteryConfig, ...] = ()
    aux_count: int = 0
    vehicles: tuple[VehicleConfig, ...] = ()  # ordered by name
    loadpoints: tuple[LoadpointConfig, ...] = ()
    circuits: tuple[CircuitConfig, ...] = ()
    grid_supply_max_while_battery_charges_w: float = 0.0  # 0 = off [SITE-12]
    grid_stale_pause: timedelta = timedelta(minutes=3)  # minimum current this long, then pause [DEF-47]

    @property
    def reading_age_max(self) -> timedelta:
        """How old a reading may be and still steer: max(3 x interval, 30 s) [DEF-47]."""
        return max(3 * self.interval, timedelta(seconds=30))

    def vehicle_by_name(self) -> Mapping[str, VehicleConfig]:
        """The vehicles, keyed by configured name."""
        return {vehicle.name: vehicle for vehicle in self.vehicles}
