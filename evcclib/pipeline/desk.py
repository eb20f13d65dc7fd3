"""The desks of one step, a site's and one for each loadpoint: the state being changed, what was read, and what comes out of it.

What concerns one loadpoint takes its `LoadpointDesk`; who must know the others as well takes the `SiteDesk` that has them all.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from evcclib.commands import Batch, BatteryCommand, Read
from evcclib.events import Event, SettingChanged, Warned, WarningCode
from evcclib.laws.law import News
from evcclib.machines.battery import AT_REST
from evcclib.machines.charger import Report
from evcclib.machines.soc import EstimatorConfig
from evcclib.machines.unmetered import Taken
from evcclib.model import Now, PhaseTriple
from evcclib.pipeline.lookup import Bounds, LoadpointLayout, SiteLayout, VehicleLayout
from evcclib.pipeline.state import Balance, LoadpointState, SiteState, begin_afresh
from evcclib.planning.joint.programme import Solver
from evcclib.readings import ChargerReading, Missing, Readings, VehicleReading
from evcclib.settings import LoadpointSettings, Scope, SettingValue, VehicleSettings
from evcclib.units import Instant

NO_BALANCE = Balance()
NO_VEHICLE = VehicleReading()
NOTHING_SET = VehicleSettings()
SILENT = ChargerReading(status=Missing())


@dataclass(slots=True)
class Facts:
    """What one step knows of a loadpoint; ``is_usable`` False: the charger must not be commanded.

    ``power_w`` is what the vehicle draws, as far as anybody knows, None: unknown; ``taken`` says how well that is known.
    In ``currents_a`` NaN stands for a phase of which nothing is known; at least one is.
    ``is_charging`` is what a decision goes by: the status, as far as the power drawn does not tell otherwise.
    ``active`` are the phases that the law counts on [PH-3], ``limited`` those that limits do [DEF-47].
    """

    bounds: Bounds
    power_w: float | None
    taken: Taken | None
    is_measured: bool
    currents_a: PhaseTriple | None
    is_connected: bool
    is_charging: bool
    is_usable: bool
    active: int
    limited: int
    report: Report


@dataclass(slots=True, eq=False)
class LoadpointDesk:
    """One loadpoint in one step or request.

    ``state`` is ours to change; ``oldest`` is when a sample must have been taken to count. ``facts`` are there once the
    loadpoint has been observed: in a step, not in a request or a view. ``events``, ``reads`` and ``batches`` are the site's.
    """

    index: int
    state: LoadpointState
    layout: LoadpointLayout
    reading: ChargerReading
    site_layout: SiteLayout
    site_state: SiteState
    readings: Readings
    instant: Instant
    utc: datetime
    oldest: Instant
    voltage_v: float
    events: list[Event]
    reads: set[Read]
    batches: dict[int, Batch]
    facts: Facts = field(init=False, repr=False)

    @property
    def settings(self) -> LoadpointSettings:
        """Those in force now."""
        return self.state.settings

    @property
    def vehicle(self) -> VehicleLayout | None:
        """The active one; None: a guest, or none at all."""
        name = self.state.vehicle
        return None if name is None else self.site_layout.vehicles[name]

    @property
    def vehicle_phases(self) -> int:
        """On how many phases the active vehicle can charge, 0: unknown."""
        name = self.state.vehicle
        return 0 if name is None else self.site_layout.vehicles[name].config.phases

    @property
    def vehicle_settings(self) -> VehicleSettings:
        """What the owner has set for the active vehicle."""
        name = self.state.vehicle
        return NOTHING_SET if name is None else self.site_state.vehicle_settings.get(name, NOTHING_SET)

    @property
    def vehicle_reading(self) -> VehicleReading:
        """What the active vehicle has told."""
        name = self.state.vehicle
        return NO_VEHICLE if name is None else self.readings.vehicles.get(name, NO_VEHICLE)

    @property
    def estimator(self) -> EstimatorConfig:
        """How the SoC of the active vehicle is estimated here."""
        return self.site_layout.estimator(self.index, self.state.vehicle)

    def bounds(self) -> Bounds:
        """What the charger can be set to, as far as is known by now."""
        state = self.state
        settings = state.settings
        step_a = state.charger.rounding.step_a
        return self.site_layout.bounds(
            self.index, settings.current_min_a, settings.current_max_a, state.vehicle, step_a
        )

    def change(self, **values: SettingValue) -> None:
        """Give settings new values and say so; those that do not change are left alone."""
        settings = self.state.settings
        changed = {name: value for name, value in values.items() if getattr(settings, name) != value}
        if changed:
            self.state.settings = replace(settings, **changed)  # type: ignore[arg-type]  # checked by the table
            self.events.extend(
                SettingChanged(Scope.LOADPOINT, self.index, name, value) for name, value in changed.items()
            )

    def warn(self, code: WarningCode, is_so: bool, **params: float | str) -> None:
        """Announce that a warning begins or ends; nothing while it goes on."""
        state = self.state
        if is_so is (code in state.warnings):
            return
        if is_so:
            state.warnings = state.warnings | {code}
            self.events.append(Warned(code, self.index, params))
        else:
            state.warnings = state.warnings - {code}
            self.events.append(Warned(WarningCode.RECOVERED, self.index, {"code": code.value}))


@dataclass(slots=True, eq=False)
class SiteDesk:
    """One step or one request of a whole site. ``state`` and ``oldest`` as in `LoadpointDesk`; ``solver`` is there in a step."""

    layout: SiteLayout
    state: SiteState
    readings: Readings
    now: Now
    instant: Instant
    utc: datetime
    oldest: Instant
    events: list[Event]
    reads: set[Read]
    batches: dict[int, Batch]
    desks: list[LoadpointDesk]
    balance: Balance = NO_BALANCE
    battery_commands: dict[int, BatteryCommand] = field(default_factory=dict)
    solver: Solver | None = None


def begin(layout: SiteLayout, state: SiteState, readings: Readings, now: Now) -> SiteDesk:
    """The desks with a copy of ``state`` on them."""
    state, chargers = state.copy(), readings.chargers or (SILENT,) * len(layout.loadpoints)
    if state.law != layout.law.name:
        begin_afresh(state, layout.law)
    if len(state.battery_controls) != layout.battery_count:
        state.battery_controls = (state.battery_controls + (AT_REST,) * layout.battery_count)[: layout.battery_count]
    instant, utc = now.instant, now.utc
    oldest, voltage_v = instant - layout.age_max, layout.voltage_v
    events: list[Event] = []
    reads: set[Read] = set()
    batches: dict[int, Batch] = {}
    desks = [
        LoadpointDesk(
            own.index,
            state.loadpoints[own.index],
            own,
            chargers[own.index],
            layout,
            state,
            readings,
            instant,
            utc,
            oldest,
            voltage_v,
            events,
            reads,
            batches,
        )
        for own in layout.loadpoints
    ]
    return SiteDesk(layout, state, readings, now, instant, utc, oldest, events, reads, batches, desks)


def tell_law(lp: LoadpointDesk, news: News) -> None:
    """Let the law hear what has happened."""
    lp.state.memory = lp.site_layout.law.hear(lp.state.memory, news)


def elapse(lp: LoadpointDesk) -> bool:
    """Make the next decision on surplus immediate, whatever guard runs; False: it is already, and the guard stays [PVT-3]."""
    before = lp.state.memory
    tell_law(lp, News.HURRY)
    is_news = lp.state.memory is not before
    if is_news:
        lp.state.charger = lp.state.charger._replace(guard=None)
    return is_news


def phases_became(lp: LoadpointDesk, phases: int) -> None:
    """So many phases are connected from now on: what was counted, and waited for, on others counts no more."""
    state = lp.state
    if state.charger.phases != phases:
        state.charger = state.charger._replace(phases=phases)
    tell_law(lp, News.PHASES_BECAME)
    state.measured_phases = state.proven_phases = 0
