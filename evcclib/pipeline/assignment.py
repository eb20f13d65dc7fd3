"""What changes at a loadpoint with its vehicle: goals, actions, estimates, the session's name [VEH-3..VEH-7, ACT-1..ACT-6].

A vehicle's goals are the owner's if one has been set for it, else those of its onIdentify; they come back whenever it does. A
loadpoint that resets when it is unplugged has the owner's for its default vehicle forgotten.
"""

from __future__ import annotations

from dataclasses import fields, replace

from evcclib.config import Actions
from evcclib.events import GuestFound, SessionChanged, SettingChanged, VehicleAssigned
from evcclib.laws.law import News
from evcclib.ledger import meter_ledger, session
from evcclib.machines import asking, detection, soc
from evcclib.machines.unmetered import NOTHING_SEEN
from evcclib.model import ChargeMode
from evcclib.pipeline.desk import LoadpointDesk, SiteDesk, tell_law
from evcclib.pipeline.lookup import VehicleLayout
from evcclib.planning import plan_follow
from evcclib.settings import Scope, VehicleSettings


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
        act(site, lp, vehicle.config.on_identify)
        ask_odometer(lp)
    describe_session(lp, vehicle_title=title_of(vehicle))


def act(site: SiteDesk, lp: LoadpointDesk, actions: Actions) -> None:
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
    own = (
        VehicleSettings()
        if state.vehicle is None
        else site.state.vehicle_settings.get(state.vehicle, VehicleSettings())
    )
    lp.change(
        soc_min_pct=_first(own.soc_min_pct, actions.soc_min_pct, 0),
        soc_target_pct=_first(own.soc_target_pct, actions.soc_target_pct, 100),
    )


def set_goal(site: SiteDesk, name: str, *, soc_min_pct: int | None = None, soc_target_pct: int | None = None) -> None:
    """Set a goal of the vehicle ``name``, in force at once where it is active."""
    old = site.state.vehicle_settings.get(name, VehicleSettings())
    changes = {
        key: value
        for key, value in (("soc_min_pct", soc_min_pct), ("soc_target_pct", soc_target_pct))
        if value is not None and getattr(old, key) != value
    }
    if changes:
        site.state.vehicle_settings = {**site.state.vehicle_settings, name: replace(old, **changes)}
        site.events.extend(SettingChanged(Scope.VEHICLE, name, key, value) for key, value in changes.items())
    for lp in site.desks:
        if lp.state.vehicle == name:
            lp.change(**changes)


def forget_goals(site: SiteDesk, name: str) -> None:
    """Let the vehicle ``name`` have no goals but those of its onIdentify."""
    old = site.state.vehicle_settings.get(name)
    if old is not None:
        site.state.vehicle_settings = {
            other: settings for other, settings in site.state.vehicle_settings.items() if other != name
        }
        forgotten = [each.name for each in fields(old) if getattr(old, each.name) is not None]
        site.events.extend(SettingChanged(Scope.VEHICLE, name, key, None) for key in forgotten)


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
        act(site, lp, vehicle.config.on_identify)
    state.poll = asking.connected(state.poll)
    state.climate_poll = asking.connected(state.climate_poll)
    lp.change(target_time=None, energy_target_kwh=0.0)
    state.plan, state.power_plan, state.power_drawn_w = plan_follow.IDLE, None, 0.0


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
