"""What changes at a loadpoint with its vehicle: goals, actions, estimates, the session's name [VEH-3..VEH-7, ACT-1..ACT-6].

A vehicle's goals are the owner's if one has been set for it, else those of its onIdentify; they come back whenever it does. A
loadpoint that resets when it is unplugged has the owner's for its default vehicle forgotten.
"""

from __future__ import annotations

from dataclasses import replace

from evcclib.config import Actions
from evcclib.events import GuestFound, SessionChanged, SettingChanged, VehicleAssigned
from evcclib.laws.law import News
from evcclib.ledger import meter_ledger, session
from evcclib.machines import asking, detection, soc
from evcclib.machines.unmetered import NOTHING_SEEN
from evcclib.model import ChargeMode
from evcclib.pipeline.desk import NOTHING_SET, LoadpointDesk, SiteDesk, tell_law
from evcclib.pipeline.lookup import VehicleLayout
from evcclib.planning import plan_follow
from evcclib.settings import Scope, SettingValue
from evcclib.timetable.plans import VehiclePlan


def set_mode(lp: LoadpointDesk, mode: ChargeMode) -> None:
    """Change the mode and what it resets [SET-2]."""
    state = lp.state
    if state.settings.mode is mode:
        return
    lp.change(mode=mode)
    if mode is not ChargeMode.PV:
        tell_law(lp, News.PV_LEFT)
    if mode is ChargeMode.NOW or mode is ChargeMode.OFF:
        tell_law(lp, News.SUN_LEFT)
        state.plan = plan_follow.IDLE


def assign(site: SiteDesk, lp: LoadpointDesk, name: str | None) -> None:
    """Make ``name`` (None: a guest) the active vehicle; nothing happens if it is already [VEH-3]."""
    state = lp.state
    if state.vehicle == name:
        return
    _, loser = detection.assign(_owners(site), lp.index, name)
    if loser is not None:
        assign(site, site.desks[loser], None)
    state.vehicle = name
    state.vehicle_since = lp.instant
    state.priority_of_vehicle = None
    state.poll = asking.connected(state.poll)
    state.climate_poll = asking.connected(state.climate_poll)
    state.soc = soc.UNKNOWN
    state.progress_pct = 0.0
    state.odometer_km = None
    state.wants_odometer, state.odometer_asked_at = False, None
    lp.events.append(VehicleAssigned(lp.index, name))
    vehicle = lp.vehicle
    if vehicle is None:
        lp.change(soc_min_pct=0, soc_target_pct=100, energy_target_kwh=0.0)
    else:
        lp.change(energy_target_kwh=0.0)
        act(lp, vehicle.config.on_identify)
        ask_odometer(lp)
    describe_session(lp, vehicle_title=title_of(vehicle))


def act(lp: LoadpointDesk, actions: Actions) -> None:
    """What identifying the active vehicle changes; unset values of the loadpoint stay, goals start anew [ACT-1]."""
    state = lp.state
    config = lp.layout.config
    actions = detection.admitted(actions, current_min_a=config.current_min_a, current_max_a=config.current_max_a)
    if actions.mode is not None:
        set_mode(lp, actions.mode)
    settings = state.settings
    low = settings.current_min_a if actions.current_min_a is None else actions.current_min_a
    high = settings.current_max_a if actions.current_max_a is None else actions.current_max_a
    if low <= high:
        lp.change(current_min_a=low, current_max_a=high)
    state.priority_of_vehicle = actions.priority
    own = lp.vehicle_settings
    lp.change(
        soc_min_pct=_first(own.soc_min_pct, actions.soc_min_pct, 0),
        soc_target_pct=_first(own.soc_target_pct, actions.soc_target_pct, 100),
    )


GOALS = ("soc_min_pct", "soc_target_pct")
"""Those of a vehicle's settings that are its loadpoint's too while it is active."""


def set_own(site: SiteDesk, name: str, setting: str, value: SettingValue) -> None:
    """Set one of the settings of the vehicle ``name``; a goal is in force at once where it is active."""
    old = site.state.vehicle_settings.get(name, NOTHING_SET)
    if getattr(old, setting) != value:
        changed = replace(old, **{setting: value})  # type: ignore[arg-type]  # checked by the table
        site.state.vehicle_settings = {**site.state.vehicle_settings, name: changed}
        site.events.append(SettingChanged(Scope.VEHICLE, name, setting, value))
        for lp in site.desks:
            if setting in GOALS and lp.state.vehicle == name:
                lp.change(**{setting: value})


def forget_goals(site: SiteDesk, name: str) -> None:
    """Let the vehicle ``name`` have no goals but those of its onIdentify; its plans are kept."""
    for setting in GOALS:
        if name in site.state.vehicle_settings:
            _forget(site, name, setting)


def _forget(site: SiteDesk, name: str, setting: str) -> None:
    old = site.state.vehicle_settings[name]
    if getattr(old, setting) is not None:
        left = replace(old, **{setting: None})  # type: ignore[arg-type]  # as a goal is that was never set
        others = {other: own for other, own in site.state.vehicle_settings.items() if other != name}
        site.state.vehicle_settings = others if left == NOTHING_SET else {**others, name: left}
        site.events.append(SettingChanged(Scope.VEHICLE, name, setting, None))


def end_plans(site: SiteDesk) -> None:
    """Forget plans whose time is over, unless one is still being charged for [PLAN-33]."""
    for name, own in site.state.vehicle_settings.items():
        plan = own.plan
        if plan is not None and plan.time < site.utc and not any(_overruns(lp, name, plan) for lp in site.desks):
            set_own(site, name, "plan", None)


def _overruns(lp: LoadpointDesk, name: str, plan: VehiclePlan) -> bool:
    state = lp.state
    return (
        state.vehicle == name
        and state.plan.is_active
        and state.due is not None
        and (state.due.time, state.due.soc_pct) == (plan.time, plan.soc_pct)
    )


def connect(site: SiteDesk, lp: LoadpointDesk) -> None:
    """A vehicle was plugged in [EV-10, VEH-6]."""
    state = lp.state
    layout = lp.layout
    state.ledger = meter_ledger.connected(state.ledger)
    state.timer = meter_ledger.STANDING
    state.idle_switches = 0
    state.connected_at = state.vehicle_since = lp.instant
    state.poll = asking.connected(state.poll)
    state.climate_poll = asking.connected(state.climate_poll)
    state.soc = soc.UNKNOWN
    state.progress_pct = 0.0
    if not layout.charger.is_integrated:
        default = layout.config.vehicle
        if default is not None and state.vehicle != default:
            assign(site, lp, default)
        elif state.vehicle is not None:
            ask_odometer(lp)
        elif site.layout.vehicles:
            state.detection = detection.search(state.detection, lp.instant)


def open_session(lp: LoadpointDesk, meter_kwh: float | None) -> None:
    """Begin a charging session if none is open [SES-1]."""
    state = lp.state
    if state.session is None:
        state.session = session.connect(
            position=lp.index,
            title=lp.layout.config.title,
            vehicle=title_of(lp.vehicle),
            identifier=state.identity,
            meter_kwh=meter_kwh,
            now=lp.utc,
        )


def disconnect(site: SiteDesk, lp: LoadpointDesk) -> None:
    """A vehicle was unplugged [EV-13, ACT-2, ACT-3, DEF-33]."""
    state = lp.state
    config = lp.layout.config
    state.session = None
    state.connected_at = None
    state.limited_at = None
    state.narrowed = None
    state.measured_phases = state.proven_phases = 0
    state.doubts = NOTHING_SEEN
    site.state.load = None
    state.identity = ""
    state.detection = detection.stop_searching(state.detection)
    assign(site, lp, config.vehicle)
    if state.vehicle is None:
        lp.change(soc_min_pct=0, soc_target_pct=100)
    if config.reset_on_disconnect:
        set_mode(lp, config.mode)
        lp.change(current_min_a=config.current_min_a, current_max_a=config.current_max_a)
        if state.vehicle is not None:
            forget_goals(site, state.vehicle)
    vehicle = lp.vehicle
    if vehicle is not None:
        act(lp, vehicle.config.on_identify)
    state.poll = asking.connected(state.poll)
    state.climate_poll = asking.connected(state.climate_poll)
    lp.change(target_time=None, energy_target_kwh=0.0)
    state.plan, state.due, state.plan_slots = plan_follow.IDLE, None, ()
    state.power_plan, state.power_drawn_w = None, 0.0


def identify(site: SiteDesk, lp: LoadpointDesk) -> None:
    """Find out which vehicle it is: by the charger's id, then by the vehicles' status [VEH-8..VEH-16]."""
    state = lp.state
    reading = lp.reading
    if lp.layout.charger.has_identity:
        identity = detection.identity(state.identity, reading.identity, oldest=lp.oldest)
        if identity != state.identity:
            state.identity = identity
            describe_session(lp, identifier=identity)
            found = detection.vehicle_by_identity(identity, site.layout.config.vehicles)
            if found is not None:
                state.detection = detection.stop_searching(state.detection)
                assign(site, lp, found)
    if state.detection.started_at is not None:
        _detect(site, lp)


def _detect(site: SiteDesk, lp: LoadpointDesk) -> None:
    state = lp.state
    if state.vehicle is not None:
        state.detection = detection.stop_searching(state.detection)  # [DEF-36]
        return
    names = detection.candidates(site.layout.config.vehicles, _owners(site), lp.index)
    seen = detection.detect(state.detection, names, lp.readings.vehicles, now=lp.instant)
    state.detection = seen.state
    lp.reads.update(seen.reads)
    if seen.is_guest:
        lp.events.append(GuestFound(lp.index))
    if seen.vehicle is not None:
        assign(site, lp, seen.vehicle)


def ask_odometer(lp: LoadpointDesk) -> None:
    """Have the next step ask once; the answer is taken whenever it comes [VEH-7]."""
    vehicle = lp.vehicle
    if vehicle is not None and vehicle.config.has_odometer:
        lp.state.wants_odometer, lp.state.odometer_asked_at = True, None


def describe_session(
    lp: LoadpointDesk,
    *,
    vehicle_title: str | None = None,
    identifier: str | None = None,
    odometer_km: float | None = None,
) -> None:
    """Write into the open session what has become known, and have it stored if it has begun [SES-4]."""
    state = lp.state
    if state.session is None:
        return
    described = session.describe(state.session, vehicle=vehicle_title, identifier=identifier, odometer_km=odometer_km)
    if described is not state.session:
        state.session = described
        store_session(lp)


def store_session(lp: LoadpointDesk) -> None:
    """Ask for the session to be stored, if there is something to store."""
    open_one = lp.state.session
    record = None if open_one is None else session.record(open_one)
    if record is not None:
        lp.events.append(SessionChanged(lp.index, record))


def title_of(vehicle: VehicleLayout | None) -> str:
    """What the vehicle is called; empty for a guest."""
    return "" if vehicle is None else vehicle.config.title or vehicle.config.name


def _owners(site: SiteDesk) -> tuple[tuple[str, int], ...]:
    """The active vehicles, and where each is."""
    return tuple((lp.state.vehicle, lp.index) for lp in site.desks if lp.state.vehicle)


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)
