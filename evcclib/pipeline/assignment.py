"""What changes at a loadpoint with its vehicle: goals, actions, estimates, the session's name [VEH-3..VEH-7, ACT-1..ACT-6].

A vehicle's goals are the owner's if one has been set for it, else those of its onIdentify; they come back whenever it does.
"""

from __future__ import annotations

from dataclasses import replace

from evcclib.config import Actions
from evcclib.events import GuestFound, SessionChanged, SettingChanged, VehicleAssigned
from evcclib.ledger import meter_ledger, session
from evcclib.machines import asking, detection, soc
from evcclib.machines.hold import ELAPSED
from evcclib.machines.phases import AT_REST
from evcclib.machines.unmetered import NOTHING_SEEN
from evcclib.model import ChargeMode, PvAction
from evcclib.pipeline.desk import Work
from evcclib.pipeline.state import LoadpointState
from evcclib.planning import plan_follow
from evcclib.settings import Scope, VehicleSettings


def set_mode(work: Work, index: int, mode: ChargeMode) -> None:
    """Change the mode and what it resets [SET-2]."""
    loadpoint = work.state.loadpoints[index]
    if loadpoint.settings.mode is mode:
        return
    work.change(index, mode=mode)
    if mode is not ChargeMode.PV:
        loadpoint.pv_timer = None
        loadpoint.pv_action = PvAction.INACTIVE
    if mode is ChargeMode.NOW or mode is ChargeMode.OFF:
        loadpoint.scaling = AT_REST
        loadpoint.plan = plan_follow.IDLE


def assign(work: Work, index: int, name: str | None) -> None:
    """Make ``name`` (None: a guest) the active vehicle; nothing happens if it is already [VEH-3]."""
    loadpoint = work.state.loadpoints[index]
    if loadpoint.vehicle == name:
        return
    owners = tuple((each.vehicle, position) for position, each in enumerate(work.state.loadpoints) if each.vehicle)
    _, loser = detection.assign(owners, index, name)
    if loser is not None:
        assign(work, loser, None)
    loadpoint.vehicle = name
    loadpoint.vehicle_since = work.instant
    loadpoint.priority_of_vehicle = None
    loadpoint.poll = asking.connected(loadpoint.poll)
    loadpoint.climate_poll = asking.connected(loadpoint.climate_poll)
    loadpoint.soc = soc.UNKNOWN
    loadpoint.progress_pct = 0.0
    loadpoint.odometer_km = None
    loadpoint.odometer_asked_at = None
    work.events.append(VehicleAssigned(index, name))
    if name is None:
        work.change(index, soc_min_pct=0, soc_target_pct=100, energy_target_kwh=0.0)
        title = ""
    else:
        config = work.layout.vehicles[name].config
        work.change(index, energy_target_kwh=0.0)
        act(work, index, config.on_identify)
        ask_odometer(work, loadpoint)
        title = config.title or name
    describe_session(work, index, vehicle_title=title)


def act(work: Work, index: int, actions: Actions) -> None:
    """What identifying the active vehicle changes; unset values of the loadpoint stay, goals start anew [ACT-1]."""
    loadpoint = work.state.loadpoints[index]
    config = work.layout.loadpoints[index].config
    actions = detection.admitted(actions, current_min_a=config.current_min_a, current_max_a=config.current_max_a)
    if actions.mode is not None:
        set_mode(work, index, actions.mode)
    settings = loadpoint.settings
    low = settings.current_min_a if actions.current_min_a is None else actions.current_min_a
    high = settings.current_max_a if actions.current_max_a is None else actions.current_max_a
    if low <= high:
        work.change(index, current_min_a=low, current_max_a=high)
    loadpoint.priority_of_vehicle = actions.priority
    own = (
        VehicleSettings()
        if loadpoint.vehicle is None
        else work.state.vehicle_settings.get(loadpoint.vehicle, VehicleSettings())
    )
    work.change(
        index,
        soc_min_pct=_first(own.soc_min_pct, actions.soc_min_pct, 0),
        soc_target_pct=_first(own.soc_target_pct, actions.soc_target_pct, 100),
    )


def set_goal(work: Work, name: str, *, soc_min_pct: int | None = None, soc_target_pct: int | None = None) -> None:
    """Set a goal of the vehicle ``name``, in force at once where it is active."""
    old = work.state.vehicle_settings.get(name, VehicleSettings())
    changes = {
        key: value
        for key, value in (("soc_min_pct", soc_min_pct), ("soc_target_pct", soc_target_pct))
        if value is not None and getattr(old, key) != value
    }
    if changes:
        work.state.vehicle_settings = {**work.state.vehicle_settings, name: replace(old, **changes)}
        work.events.extend(SettingChanged(Scope.VEHICLE, name, key, value) for key, value in changes.items())
    for index, loadpoint in enumerate(work.state.loadpoints):
        if loadpoint.vehicle == name:
            work.change(index, **changes)


def connect(work: Work, index: int) -> None:
    """A vehicle was plugged in [EV-10, VEH-6]."""
    loadpoint = work.state.loadpoints[index]
    layout = work.layout.loadpoints[index]
    loadpoint.ledger = meter_ledger.connected(loadpoint.ledger)
    loadpoint.timer = meter_ledger.STANDING
    loadpoint.idle_switches = 0
    loadpoint.connected_at = loadpoint.vehicle_since = work.instant
    loadpoint.poll = asking.connected(loadpoint.poll)
    loadpoint.climate_poll = asking.connected(loadpoint.climate_poll)
    loadpoint.soc = soc.UNKNOWN
    loadpoint.progress_pct = 0.0
    if not layout.charger.is_integrated:
        default = layout.config.vehicle
        if default is not None and loadpoint.vehicle != default:
            assign(work, index, default)
        elif loadpoint.vehicle is not None:
            ask_odometer(work, loadpoint)
        elif work.layout.vehicles:
            loadpoint.detection = detection.search(loadpoint.detection, work.instant)


def open_session(work: Work, index: int, meter_kwh: float | None) -> None:
    """Begin a charging session if none is open [SES-1]."""
    loadpoint = work.state.loadpoints[index]
    if loadpoint.session is None:
        loadpoint.session = session.connect(
            position=index,
            title=work.layout.loadpoints[index].config.title,
            vehicle=title_of(work, loadpoint.vehicle),
            identifier=loadpoint.identity,
            meter_kwh=meter_kwh,
            now=work.utc,
        )


def disconnect(work: Work, index: int) -> None:
    """A vehicle was unplugged [EV-13, ACT-2, ACT-3, DEF-33]."""
    loadpoint = work.state.loadpoints[index]
    config = work.layout.loadpoints[index].config
    loadpoint.session = None
    loadpoint.connected_at = None
    loadpoint.limited_at = None
    loadpoint.narrowed = None
    loadpoint.measured_phases = loadpoint.proven_phases = 0
    loadpoint.doubts = NOTHING_SEEN
    work.state.load = None
    loadpoint.identity = ""
    loadpoint.detection = detection.stop_searching(loadpoint.detection)
    assign(work, index, config.vehicle)
    if loadpoint.vehicle is None:
        work.change(index, soc_min_pct=0, soc_target_pct=100)
    if config.reset_on_disconnect:
        set_mode(work, index, config.mode)
        work.change(index, current_min_a=config.current_min_a, current_max_a=config.current_max_a)
    if loadpoint.vehicle is not None:
        act(work, index, work.layout.vehicles[loadpoint.vehicle].config.on_identify)
    loadpoint.poll = asking.connected(loadpoint.poll)
    loadpoint.climate_poll = asking.connected(loadpoint.climate_poll)
    work.change(index, target_time=None, energy_target_kwh=0.0)
    loadpoint.plan = plan_follow.IDLE


def identify(work: Work, index: int) -> None:
    """Find out which vehicle it is: by the charger's id, then by the vehicles' status [VEH-8..VEH-16]."""
    loadpoint = work.state.loadpoints[index]
    reading = work.readings.chargers[index]
    if work.layout.loadpoints[index].charger.has_identity:
        identity = detection.identity(loadpoint.identity, reading.identity, oldest=work.oldest)
        if identity != loadpoint.identity:
            loadpoint.identity = identity
            describe_session(work, index, identifier=identity)
            found = detection.vehicle_by_identity(identity, work.layout.config.vehicles)
            if found is not None:
                loadpoint.detection = detection.stop_searching(loadpoint.detection)
                assign(work, index, found)
    if loadpoint.detection.started_at is not None:
        _detect(work, index, loadpoint)


def _detect(work: Work, index: int, loadpoint: LoadpointState) -> None:
    if loadpoint.vehicle is not None:
        loadpoint.detection = detection.stop_searching(loadpoint.detection)  # [DEF-36]
        return
    owners = tuple((each.vehicle, position) for position, each in enumerate(work.state.loadpoints) if each.vehicle)
    names = detection.candidates(work.layout.config.vehicles, owners, index)
    seen = detection.detect(loadpoint.detection, names, work.readings.vehicles, now=work.instant)
    loadpoint.detection = seen.state
    work.reads |= seen.reads
    if seen.is_guest:
        work.events.append(GuestFound(index))
    if seen.vehicle is not None:
        assign(work, index, seen.vehicle)


def ask_odometer(work: Work, loadpoint: LoadpointState) -> None:
    """Have the next step ask once; the answer is taken whenever it comes [VEH-7]."""
    if loadpoint.vehicle is not None and work.layout.vehicles[loadpoint.vehicle].config.has_odometer:
        loadpoint.odometer_asked_at = ELAPSED


def describe_session(
    work: Work,
    index: int,
    *,
    vehicle_title: str | None = None,
    identifier: str | None = None,
    odometer_km: float | None = None,
) -> None:
    """Write into the open session what has become known, and have it stored if it has begun [SES-4]."""
    loadpoint = work.state.loadpoints[index]
    if loadpoint.session is None:
        return
    described = session.describe(
        loadpoint.session, vehicle=vehicle_title, identifier=identifier, odometer_km=odometer_km
    )
    if described is not loadpoint.session:
        loadpoint.session = described
        store_session(work, index)


def store_session(work: Work, index: int) -> None:
    """Ask for the session to be stored, if there is something to store."""
    loadpoint = work.state.loadpoints[index]
    record = None if loadpoint.session is None else session.record(loadpoint.session)
    if record is not None:
        work.events.append(SessionChanged(index, record))


def title_of(work: Work, name: str | None) -> str:
    """What the vehicle is called; empty for a guest."""
    return "" if name is None else work.layout.vehicles[name].config.title or name


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)
