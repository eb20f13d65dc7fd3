"""A site as a reader may see it: every value that the API shows, typed, unknown as None [LP-18].

Names on the wire are the server's business. Durations and times are computed for the `Now` of the view, so a view taken
between two steps is exact too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from evcclib.commands import BatteryMode, Command
from evcclib.model import ChargerStatus, PhaseAction, PhaseTriple, PvAction, RemoteDemand
from evcclib.planning.power_plan import Shortfall
from evcclib.reasons import BatteryCode, BatteryReason, Reason
from evcclib.settings import LoadpointSettings, SiteSettings, VehicleSettings
from evcclib.tariff import Rate
from evcclib.timetable.plans import CHEAPEST, PlanStrategy


class SavingsView(NamedTuple):
    """Totals since ``since`` [SAV-4]: energies [kWh], share [%], money in the tariff's currency."""

    since: datetime
    total_charged_kwh: float
    grid_charged_kwh: float
    self_consumption_charged_kwh: float
    self_consumption_pct: float
    effective_price: float
    amount: float


class PlanView(NamedTuple):
    """What is due at a loadpoint and when that is charged [PLAN-32].

    ``number`` 0: nothing is due; 1: what comes once; from 2 on weekly plans in their order. ``soc_pct`` None: the goal is an
    energy, or none. ``energy_kwh`` by ``energy_time`` is what the loadpoint's target says, which counts where no SoC is known.
    ``slots`` are those of the plan in force.
    """

    number: int = 0
    soc_pct: float | None = None
    time: datetime | None = None
    energy_kwh: float = 0.0
    energy_time: datetime | None = None
    strategy: PlanStrategy = CHEAPEST
    slots: tuple[Rate, ...] = ()
    projected_end: datetime | None = None


NOTHING_DUE = PlanView()


class LoadpointView(NamedTuple):
    """One loadpoint; ``loadpoint`` is 0-based."""

    loadpoint: int
    title: str
    settings: LoadpointSettings
    status: ChargerStatus | None
    is_enabled: bool
    is_connected: bool
    is_charging: bool
    charge_power_w: float | None
    current_offered_a: float  # 0 while disabled
    currents_a: PhaseTriple | None
    voltages_v: PhaseTriple | None
    energy_charged_kwh: float
    charge_duration: timedelta
    energy_total_kwh: float | None
    remaining_duration: timedelta | None
    remaining_energy_kwh: float | None
    connected_duration: timedelta | None
    can_switch_phases: bool
    phases_enabled: int
    phases_active: int
    phase_action: PhaseAction
    phase_remaining: timedelta
    pv_action: PvAction
    pv_remaining: timedelta
    plan_is_active: bool
    plan_projected_start: datetime | None
    plan_overrun: timedelta | None
    remote_demand: RemoteDemand
    remote_source: str
    charger_is_integrated: bool
    charger_icon: str | None
    vehicle: str | None  # configured name
    vehicle_title: str
    vehicle_icon: str
    vehicle_capacity_kwh: float
    vehicle_soc_pct: float | None
    vehicle_range_km: float | None
    vehicle_soc_limit_pct: float | None
    vehicle_odometer_km: float | None
    vehicle_identity: str | None
    vehicle_detection_is_active: bool
    vehicle_is_offline: bool
    is_climating: bool | None
    reason: Reason
    commands_pending: tuple[Command, ...]
    charger_age: timedelta | None
    session_solar_pct: float | None
    session_price: float | None
    plan_shortfall: Shortfall | None = None  # where power is planned: what the plan in force lacks
    feed_in_priority_is_active: bool = False  # feed-in pays the limit now, ...
    feed_in_priority_next_start: datetime | None = None  # ... or from then on; None: not as far as prices are known
    current_low_a: float | None = None  # the least and the most that may be offered: of settings, station and vehicle
    current_high_a: float | None = None
    priority: int = 0  # in force: the vehicle's own, if it has one
    smart_cost_is_active: bool = False  # energy costs no more than the limit now, ...
    smart_cost_next_start: datetime | None = (
        None  # ... or will from then on; None: as far as prices are known, it will not
    )
    session_price_per_kwh: float | None = None
    session_co2_g_per_kwh: float | None = None
    plan: PlanView = NOTHING_DUE


class BatteryView(NamedTuple):
    """One home battery."""

    power_w: float | None
    soc_pct: float | None
    capacity_kwh: float | None
    energy_discharged_kwh: float | None
    energy_charged_kwh: float | None
    modes: frozenset[BatteryMode] = frozenset()  # that it can be told; nothing: it is not commanded
    mode: BatteryMode | None = BatteryMode.NORMAL  # that it is in; None: nobody knows
    mode_reason: BatteryReason = BatteryReason(BatteryCode.FREE)


class SideView(NamedTuple):
    """What the house, or all cars, use: the share of own energy (0..1), price and emissions [g] of a kWh; None: unknown."""

    green_share: float | None = None
    price: float | None = None
    co2_g: float | None = None


class CircuitView(NamedTuple):
    """The load of one circuit: what its meter shows, else what the loadpoints below it draw; None: unknown."""

    power_w: float | None
    current_a: float | None  # of the phase that carries most


class SiteView(NamedTuple):
    """The whole site. Ages are those of the newest reading; None: never seen. A total is None unless all its parts are known.

    Counters [kWh] stand as they were read last, however old; None: the meter has none.
    """

    title: str
    settings: SiteSettings
    vehicle_settings: Mapping[str, VehicleSettings]
    has_grid: bool
    has_pv: bool
    has_battery: bool
    grid_power_w: float | None
    grid_powers_w: PhaseTriple | None
    grid_currents_a: PhaseTriple | None
    grid_energy_kwh: float | None
    grid_energy_export_kwh: float | None
    grid_age: timedelta | None
    pv_power_w: float | None
    pv_powers_w: tuple[float | None, ...]
    pv_energies_kwh: tuple[float | None, ...]
    pv_ages: tuple[timedelta | None, ...]
    battery_power_w: float | None
    battery_soc_pct: float | None
    battery_capacity_kwh: float | None
    batteries: tuple[BatteryView, ...]
    aux_power_w: float | None
    home_power_w: float | None
    site_power_w: float | None
    green_share: float | None
    tariff_grid: float | None
    tariff_feed_in: float | None
    tariff_co2: float | None
    tariff_effective_price: float | None
    tariff_effective_co2: float | None
    savings: SavingsView
    last_success: datetime | None  # when the grid meter of a decision was read [SITE-18]
    is_healthy: bool
    vehicles: tuple[str, ...]  # titles, in API order
    loadpoints: tuple[LoadpointView, ...]
    home: SideView = SideView()
    cars: SideView = SideView()
    battery_override: BatteryMode | None = None  # what somebody else wants the batteries to do
    circuits: Mapping[str, CircuitView] = MappingProxyType({})
