"""Commands to one charger: from a wish to a batch in flight."""

from __future__ import annotations

from evcclib.commands import Command, SwitchPhases
from evcclib.events import WarningCode
from evcclib.machines.charger import Planned, Wish, issue, plan
from evcclib.machines.rousing import is_due, wake_commands
from evcclib.model import ChargerStatus
from evcclib.pipeline.desk import LoadpointDesk, elapse
from evcclib.pipeline.sharing import effect_of, is_ramping
from evcclib.pipeline.state import LoadpointState


def planned(lp: LoadpointDesk, wish: Wish) -> Planned:
    """The commands that fulfil ``wish``, as far as guard and read-backs let them."""
    return plan(
        lp.state.charger,
        wish,
        instant=lp.instant,
        current_min_a=lp.facts.bounds.minimum_a,
        guard_duration=lp.layout.config.guard_duration,
    )


def want(loadpoint: LoadpointState, current_a: float) -> None:
    """Remember what has been decided, which may take a while to arrive or never do."""
    if loadpoint.charger.wanted_a != current_a:
        loadpoint.charger = loadpoint.charger._replace(wanted_a=current_a)


def wake_up(lp: LoadpointDesk) -> tuple[Command, ...]:
    """Wake a vehicle that does not take what it is offered [WAKE-2]."""
    loadpoint = lp.state
    charger = loadpoint.charger
    if charger.seems_off or lp.facts.is_charging:
        return ()  # there is nothing to wake, whatever the status says
    if not is_due(
        charger.wake_timer,
        lp.instant,
        is_enabled=charger.is_enabled,
        is_waiting=loadpoint.status is ChargerStatus.B,
        soc_pct=loadpoint.soc.soc_pct,
        soc_target_pct=loadpoint.settings.soc_target_pct,
    ):
        return ()
    loadpoint.charger = charger._replace(wake_timer=None)
    vehicle = lp.vehicle
    commands = wake_commands(
        charger_has_wakeup=lp.layout.charger.has_wakeup,
        vehicle=loadpoint.vehicle,
        vehicle_has_wakeup=vehicle is not None and vehicle.config.has_wakeup,
    )
    if commands:
        lp.warn(WarningCode.VEHICLE_ASLEEP, True)
    return commands


def send(
    lp: LoadpointDesk,
    commands: tuple[Command, ...],
    *,
    clears_pv_timer: bool,
    elapses: bool,
    is_repeated: bool,
) -> None:
    """Put commands in flight and note what they will change."""
    loadpoint = lp.state
    charger, drawn_a = loadpoint.charger, lp.facts.report.drawn_a
    starts_guard = True
    if elapses:
        starts_guard = not elapse(lp)  # [PVT-3]
        charger = loadpoint.charger
    switches = SwitchPhases in map(type, commands)
    if switches:
        starts_guard = False  # [DEF-2]
    loadpoint.effect = effect_of(
        commands,
        is_enabled=charger.is_enabled and not charger.seems_off,
        is_charging=lp.facts.is_charging,
        is_ramping=is_ramping(loadpoint, lp.instant),
        current_a=charger.current_a,
        drawn=lp.facts.taken,
        drawn_a=None if drawn_a is None else drawn_a.value,
        phases=lp.facts.active,
        voltage_v=lp.voltage_v,
    )
    loadpoint.effect_at = lp.instant
    loadpoint.charger, lp.batches[lp.index] = issue(
        charger,
        commands,
        instant=lp.instant,
        starts_guard=starts_guard,
        clears_pv_timer=clears_pv_timer,
        is_repeated=is_repeated,
    )
