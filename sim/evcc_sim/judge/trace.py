"""What happened in a run, instant by instant: true physics, what the control commanded, said and why.

What it says of itself, reasons and events, is there to be shown; who judges it goes by the rest. The same record is made in
process and by the full-stack runner; invariants, summaries, plots and reports read nothing else. Equal worlds give equal digests,
byte for byte.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import NamedTuple, TypeVar

from evcc_sim.plants.faults import Fault
from evcc_sim.plants.fuse import Trip
from evcc_sim.plants.wallbox import Wallbox
from evcc_sim.worlds.house import House
from evcc_sim.worlds.scenario import Scenario
from evcc_sim.worlds.site_config import site_config
from evcclib.commands import Command, Disable, Enable, SetCurrent
from evcclib.events import Event, SessionRecord
from evcclib.model import ChargeMode, PhaseTriple, TariffKind
from evcclib.reason_history import History, Spell, noted
from evcclib.reasons import Reason
from evcclib.requests import AssignVehicle, ChangeLoadpointSetting, ChangeSiteSetting, ChangeVehicleSetting, Request
from evcclib.settings import LoadpointSettings, SettingValue, SiteSettings, VehicleSettings
from evcclib.site import Site
from evcclib.timetable.plans import VehiclePlan, WeeklyPlan
from evcclib.view import SiteView

Settings = TypeVar("Settings", SiteSettings, LoadpointSettings)


class LoadpointInstant(NamedTuple):
    """One charging station. Currents are true ones at grid phases, ``pilot_a`` is what the car is offered (0: nothing)."""

    status: str
    pilot_a: float
    phases: int
    power_w: float
    powers_w: PhaseTriple
    car: str  # name, "" without
    soc_pct: float  # true, NaN without a car
    mode: ChargeMode
    enabled: bool  # as commanded and confirmed
    limit_a: float  # as commanded and confirmed
    reason: str
    energy_kwh: float  # true, since the start of the run


class Instant(NamedTuple):
    """The house at ``second``. Powers [W] with the library's signs; energies [kWh] since the start of the run."""

    second: float
    grid_powers_w: PhaseTriple
    household_w: float
    pv_w: float
    pv_available_w: float
    battery_w: float
    battery_soc_pct: float  # mean, NaN without batteries
    grid_in_kwh: float
    grid_out_kwh: float
    price: float  # NaN without a tariff
    loadpoints: tuple[LoadpointInstant, ...]

    @property
    def grid_w(self) -> float:
        """Grid power, + import [W]."""
        return self.grid_powers_w[0] + self.grid_powers_w[1] + self.grid_powers_w[2]

    @property
    def charge_w(self) -> float:
        """What all cars draw [W]."""
        return sum(loadpoint.power_w for loadpoint in self.loadpoints)


class Sent(NamedTuple):
    """A command as it reached the station; ``accepted``: acknowledged. ``enabled`` is the station's state before it."""

    second: float
    loadpoint: int
    command: Command
    accepted: bool
    batch: int
    was_enabled: bool
    drawn_w: float


class BatteryTurn(NamedTuple):
    """A home battery (0-based) is in ``mode`` from ``second`` on, whoever has told it so."""

    second: float
    battery: int
    mode: str


class Happened(NamedTuple):
    """An event of the library."""

    second: float
    event: Event


class Note(NamedTuple):
    """Something that the world or a person did."""

    second: float
    text: str


class Look(NamedTuple):
    """What a client was shown of ``meter`` (``grid``, ``pv`` or ``battery``) while it measured ``flows_w``; None: no value."""

    second: float
    meter: str
    flows_w: float
    shown_w: float | None


class Plans(NamedTuple):
    """Those of a vehicle: the one that comes once, and those that come again."""

    plan: VehiclePlan | None = None
    weekly_plans: tuple[WeeklyPlan, ...] = ()

    @property
    def socs_pct(self) -> list[int]:
        """What they ask for."""
        once = [] if self.plan is None else [self.plan.soc_pct]
        return once + [each.soc_pct for each in self.weekly_plans if each.is_active and each.weekdays]


class InForce(NamedTuple):
    """What people wish from ``second`` on: the settings of the site and of each loadpoint, the vehicle it has been given, and
    what is planned for vehicles."""

    second: float
    site: SiteSettings
    loadpoints: tuple[LoadpointSettings, ...]
    vehicles: tuple[str | None, ...]
    plans: Mapping[str, Plans]

    def planned_pct(self, loadpoint: int) -> list[int]:
        """What the vehicle that a loadpoint has been given is planned to have."""
        return self.plans.get(self.vehicles[loadpoint] or "", Plans()).socs_pct

    def is_planned(self, loadpoint: int) -> bool:
        """Whether anything there is to be reached by a time."""
        return self.loadpoints[loadpoint].target_time is not None or bool(self.planned_pct(loadpoint))


@dataclass(slots=True)
class Trace:
    """A run's record. ``settings_lost`` names settings that differ after a restart."""

    scenario: Scenario
    seed: int
    days: int = 1
    faults: tuple[Fault, ...] = ()  # of all these days
    instants: list[Instant] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    events: list[Happened] = field(default_factory=list)
    reasons: list[History] = field(default_factory=list)  # of each loadpoint, since the start of the run
    notes: list[Note] = field(default_factory=list)
    wishes: list[InForce] = field(default_factory=list)  # by time; the first from the start on
    unbalance_w: float = 0.0  # largest difference between the grid and the sum of all taps
    fuse_trips: list[Trip] = field(default_factory=list)
    fuse_heat: float = 0.0
    switched_under_load: list[tuple[float, int]] = field(default_factory=list)
    contactor_switches: list[int] = field(default_factory=list)
    phase_switches: list[int] = field(default_factory=list)
    car_starts: dict[str, int] = field(default_factory=dict)
    vehicle_reads: dict[str, int] = field(default_factory=dict)
    wake_ups: dict[str, int] = field(default_factory=dict)
    battery_turns: list[BatteryTurn] = field(default_factory=list)  # by time; all begin in normal mode
    settings_lost: list[str] = field(default_factory=list)
    restarts: list[float] = field(default_factory=list)
    energy_error_kwh: float = 0.0  # energy that came from nowhere
    stored_sessions: tuple[SessionRecord, ...] | None = None  # in the database, oldest first; None: no database
    looks: list[Look] = field(default_factory=list)  # at /api/state; none in process, where no driver reads a meter
    is_ours: bool = True  # the library's own control has decided

    def in_force(self, second: float) -> InForce:
        """The settings in force at ``second``; of several changes at that second, the last."""
        return self.wishes[max(0, bisect_right(self.wishes, second, key=lambda wish: wish.second) - 1)]

    def in_force_between(self, start_s: float, end_s: float) -> list[InForce]:
        """All settings that were in force at some time between the two seconds, by time."""
        first = max(0, bisect_right(self.wishes, start_s, key=lambda wish: wish.second) - 1)
        return self.wishes[first : max(first + 1, bisect_right(self.wishes, end_s, key=lambda wish: wish.second))]

    def digest(self) -> str:
        """A hash over everything recorded; the same seed must give the same one."""
        digest = hashlib.sha256()
        for rows in (self.instants, self.sent, self.events, self.notes, self.battery_turns):
            for row in rows:
                digest.update(repr(row).encode())
        digest.update(repr((self.contactor_switches, self.phase_switches, self.car_starts, self.fuse_trips)).encode())
        return digest.hexdigest()


class Recorder:
    """Writes a `Trace` from a `House` and from what the control says."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.trace = Trace(house.scenario, house.seed, max(1, house.days), house.faults.all)
        self.trace.reasons = [() for _box in house.wallboxes]
        self.enabled = [box.spec.power_on_enabled for box in house.wallboxes]
        self.limits_a = [0.0 for _box in house.wallboxes]
        self._price_until = -1.0
        self._price = float("nan")
        self._ticks = 0
        self._last: list[LoadpointInstant | None] = [None for _box in house.wallboxes]
        self._stored_kwh = self._stored_in_batteries_kwh()

    def observe(self, reasons: Sequence[Reason]) -> None:
        """Add an instant: the house as it is now, and the reasons of the last decision."""
        house = self.house
        second = house.now_s
        settings = self.trace.wishes[-1].loadpoints
        loadpoints = [
            self._loadpoint(index, box, settings[index].mode, reasons[index].code.value if index < len(reasons) else "")
            for index, box in enumerate(house.wallboxes)
        ]
        grid = house.bus.grid
        grid_in_kwh, grid_out_kwh = grid.energies_kwh()
        batteries = house.batteries
        self.trace.instants.append(
            Instant(
                second,
                grid.powers_w,
                house.household.tap.power_w,
                sum(inverter.power_w for inverter in house.inverters),
                sum(inverter.available_w for inverter in house.inverters),
                sum(battery.power_w for battery in batteries),
                sum(battery.soc_pct for battery in batteries) / len(batteries) if batteries else float("nan"),
                grid_in_kwh,
                grid_out_kwh,
                self._price_at(second),
                tuple(loadpoints),
            )
        )
        self._note_reasons(reasons)
        self._ticks += 1
        if self._ticks % 16 == 0:
            self._check_balance()

    def _note_reasons(self, reasons: Sequence[Reason]) -> None:
        """A control of somebody else may have none."""
        at = self.house.base.instant(self.house.now_s)
        for index, reason in enumerate(reasons):
            box, offered_a = self.house.wallboxes[index], self.limits_a[index] if self.enabled[index] else 0.0
            history, spell = self.trace.reasons[index], Spell(at, reason, offered_a, box.phases, box.tap.power_w)
            if not history or history[-1][1:] != spell[1:]:  # else it goes on
                self.trace.reasons[index] = noted(history, spell)

    def _loadpoint(self, index: int, box: Wallbox, mode: ChargeMode, reason: str) -> LoadpointInstant:
        car, tap, last = box.car, box.tap, self._last[index]
        enabled, limit_a = self.enabled[index], self.limits_a[index]
        if (
            car is None
            and last is not None
            and last.car == ""
            and last.reason == reason
            and last.mode is mode
            and last.enabled == enabled
            and last.limit_a == limit_a
            and last.pilot_a == box.pilot_a
            and last.phases == box.phases
        ):
            return last
        now = LoadpointInstant(
            box.true_status.value,
            box.pilot_a,
            box.phases,
            tap.power_w,
            tap.powers_w,
            "" if car is None else car.spec.name,
            float("nan") if car is None else car.soc_pct,
            mode,
            enabled,
            limit_a,
            reason,
            tap.energy_in_kwh,
        )
        self._last[index] = now
        return now

    def commanded(self, loadpoint: int, batch: int, command: Command, *, is_done: bool) -> None:
        """A command has been sent to a station; ``is_done``: acknowledged, so that what it says holds from now on."""
        second, drawn_w = self.house.now_s, self.house.wallboxes[loadpoint].tap.power_w
        was_enabled = self.enabled[loadpoint]
        self.trace.sent.append(Sent(second, loadpoint, command, is_done, batch, was_enabled, drawn_w))
        match command:
            case Enable() | Disable() if is_done:
                self.enabled[loadpoint] = isinstance(command, Enable)
            case SetCurrent(current_a=current_a) if is_done:
                self.limits_a[loadpoint] = current_a
            case _:
                pass

    def begins(self, view: SiteView) -> None:
        """A control begins, or begins anew, with these settings; another one than ours with those of the owner's file."""
        self._shown = _in_force(self.house.now_s, view)
        if self.trace.is_ours:
            self.trace.wishes.append(self._shown)
        else:
            wished = self.trace.wishes[-1] if self.trace.wishes else _configured(self.house)
            self.trace.wishes.append(wished._replace(second=self._shown.second))

    def shows(self, view: SiteView, request: Request | None = None) -> None:
        """A control shows these settings, after it has accepted ``request``.

        What people have asked for is in force, whatever the control makes of it, and so is what it has changed by itself since;
        but of another control than ours only to what the owner has written down or asked for some time: goals of a vehicle that
        comes, settings that go back when it leaves.
        """
        shown, wish = _in_force(self.house.now_s, view), self.trace.wishes[-1]
        if request is not None:
            wish = _granted(wish, request)
        if shown[1:] != self._shown[1:]:
            followed = _followed(wish, self._shown, shown)
            wish = followed if self.trace.is_ours else self._written(wish, followed)
        self._shown = shown
        if wish[1:] != self.trace.wishes[-1][1:]:
            self.trace.wishes.append(wish._replace(second=shown.second))

    def _written(self, wish: InForce, followed: InForce) -> InForce:
        """``followed`` as far as it has values that the owner has given, else ``wish``."""
        given = [(wished.site, *wished.loadpoints) for wished in self.trace.wishes]
        config = site_config(self.house.scenario)
        vehicles = (*config.vehicles, *config.loadpoints)
        loadpoints = [
            _known(own, new, [LoadpointSettings(), *vehicles, *(each[index + 1] for each in given)])
            for index, (own, new) in enumerate(zip(wish.loadpoints, followed.loadpoints, strict=True))
        ]
        site = _known(wish.site, followed.site, [SiteSettings(), config, *(each[0] for each in given)])
        return followed._replace(site=site, loadpoints=tuple(loadpoints))

    def took(self, events: Iterable[Event]) -> None:
        """The control has raised events."""
        self.trace.events += [Happened(self.house.now_s, event) for event in events]

    def note(self, text: str) -> None:
        """The world or a person has done something."""
        self.trace.notes.append(Note(self.house.now_s, text))

    def looked(self, shown_w: Mapping[str, float | None]) -> None:
        """A client has looked at the powers of the meters, each under its name in `Look`."""
        house = self.house
        site = house.scenario.site
        flows_w = {"grid": house.grid_meter.power_w, "pv": sum(meter.power_w for meter in house.pv_meters)}
        flows_w["battery"] = sum(meter.power_w for meter in house.battery_meters)
        is_there = {"grid": site.has_grid_meter, "pv": site.sees_pv and house.inverters, "battery": house.batteries}
        for meter, power_w in flows_w.items():
            if is_there[meter]:
                self.trace.looks.append(Look(house.now_s, meter, power_w, shown_w.get(meter)))

    def finish(self) -> Trace:
        """The record with what only the plants know."""
        trace, house = self.trace, self.house
        self._check_balance()
        trace.fuse_trips = list(house.fuse.trips)
        trace.fuse_heat = house.fuse.hottest
        trace.switched_under_load = [
            (second, index) for index, box in enumerate(house.wallboxes) for second in box.switched_under_load
        ]
        trace.contactor_switches = [box.switches for box in house.wallboxes]
        trace.phase_switches = [box.phase_switches for box in house.wallboxes]
        trace.battery_turns = sorted(
            BatteryTurn(second, index, mode.value)
            for index, battery in enumerate(house.batteries)
            for second, mode in battery.turns
        )
        trace.car_starts = {name: car.starts for name, car in house.cars.items()}
        trace.vehicle_reads = {name: car.reads for name, car in house.cars.items()}
        trace.wake_ups = {name: car.wakes for name, car in house.cars.items()}
        delivered = house.bus.grid.energy_in_kwh + sum(tap.energy_out_kwh for tap in house.bus.taps)
        taken = house.bus.grid.energy_out_kwh + sum(tap.energy_in_kwh for tap in house.bus.taps)
        stored = self._stored_in_batteries_kwh() - self._stored_kwh
        flowed = sum(battery.tap.energy_in_kwh - battery.tap.energy_out_kwh for battery in house.batteries)
        losses = sum(battery.losses_kwh for battery in house.batteries)
        trace.energy_error_kwh = max(abs(delivered - taken), abs(flowed - losses - stored))
        return trace

    def _stored_in_batteries_kwh(self) -> float:
        return sum(battery.soc_pct / 100 * battery.spec.capacity_kwh for battery in self.house.batteries)

    def _check_balance(self) -> None:
        summed, grid = self.house.bus.sum_of_taps(), self.house.bus.grid.powers_w
        self.trace.unbalance_w = max(self.trace.unbalance_w, *(abs(a - b) for a, b in zip(summed, grid, strict=True)))

    def _price_at(self, second: float) -> float:
        if second >= self._price_until:
            price = self.house.tariffs.price(TariffKind.GRID, second)
            self._price = float("nan") if price is None else price
            self._price_until = (second // 300 + 1) * 300
        return self._price


def _in_force(second: float, view: SiteView) -> InForce:
    vehicles: Mapping[str, VehicleSettings] = getattr(
        view, "vehicle_settings", {}
    )  # controls of others need not show them
    return InForce(
        second,
        view.settings,
        tuple([loadpoint.settings for loadpoint in view.loadpoints]),
        tuple([loadpoint.vehicle for loadpoint in view.loadpoints]),
        {name: Plans(own.plan, own.weekly_plans) for name, own in vehicles.items()},
    )


def _granted(wish: InForce, request: Request) -> InForce:
    """``wish`` with what ``request`` asks for. The goals of a vehicle are those of where it is."""
    match request:
        case ChangeSiteSetting(name, value):
            return wish._replace(site=_with(wish.site, name, value))
        case ChangeLoadpointSetting(owner, name, value):
            changed = [_with(each, name, value) if n == owner else each for n, each in enumerate(wish.loadpoints)]
            return wish._replace(loadpoints=tuple(changed))
        case ChangeVehicleSetting(vehicle, name, value) if name in Plans._fields:
            plans = wish.plans.get(vehicle, Plans())._replace(**{name: value})  # type: ignore[arg-type]  # by its name
            return wish._replace(plans={**wish.plans, vehicle: plans})
        case ChangeVehicleSetting(vehicle, name, value) if name != "plan_strategy":
            there = zip(wish.loadpoints, wish.vehicles, strict=True)
            changed = [_with(each, name, value) if own == vehicle else each for each, own in there]
            return wish._replace(loadpoints=tuple(changed))
        case AssignVehicle(owner, vehicle):
            vehicles = [vehicle if n == owner else own for n, own in enumerate(wish.vehicles)]
            return wish._replace(vehicles=tuple(vehicles))
        case _:
            return wish


def _followed(wish: InForce, before: InForce, shown: InForce) -> InForce:
    """``wish`` with whatever is shown otherwise than before."""
    return InForce(
        shown.second,
        _changed(wish.site, before.site, shown.site),
        tuple(map(_changed, wish.loadpoints, before.loadpoints, shown.loadpoints)),
        tuple(map(_newer, wish.vehicles, before.vehicles, shown.vehicles)),
        {name: wish.plans[name] if plans == before.plans.get(name) else plans for name, plans in shown.plans.items()},
    )


def _changed(wish: Settings, before: Settings, shown: Settings) -> Settings:
    if shown == before:
        return wish
    names = [each.name for each in fields(wish)]
    news = {name: getattr(shown, name) for name in names if getattr(shown, name) != getattr(before, name)}
    return replace(wish, **news)


def _known(wish: Settings, followed: Settings, given: Sequence[object]) -> Settings:
    """``wish`` with what is otherwise in ``followed`` and has that value in one of ``given``, too."""
    news = {
        each.name: value
        for each in fields(wish)
        if (value := getattr(followed, each.name)) != getattr(wish, each.name)
        and any(hasattr(one, each.name) and getattr(one, each.name) == value for one in given)
    }
    return replace(wish, **news)


def _configured(house: House) -> InForce:
    """What the owner has written down."""
    now = house.base.now(house.now_s)
    return _in_force(house.now_s, Site(site_config(house.scenario), now=now).view(now=now))


def _newer(wish: str | None, before: str | None, shown: str | None) -> str | None:
    return wish if shown == before else shown


def _with(settings: Settings, name: str, value: SettingValue) -> Settings:
    return replace(settings, **{name: value})  # type: ignore[arg-type]  # by its name
