"""Who comes first, and what each loadpoint sees of the surplus [DEF-49, PRIO-1..PRIO-3, DEF-20].

Every step decides all loadpoints, the highest priority first, equal ones in the order of the configuration. Each sees the site
power after what the others' latest commands will change of it, so that no surplus is given out twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from evcclib.commands import Command, Disable, Enable, SetCurrent, SwitchPhases
from evcclib.machines.hold import Timer, first_after
from evcclib.machines.surplus import CURRENT_SLACK_A
from evcclib.machines.unmetered import Taken
from evcclib.pipeline.state import NO_EFFECT, Effect, LoadpointState
from evcclib.units import Instant

RAMP = timedelta(seconds=30)
"""A vehicle may take so long from being enabled to drawing current; what it was promised stays reserved meanwhile."""
OBEDIENCE = timedelta(seconds=5)
"""A vehicle follows another offer within so long (IEC 61851-1); what is measured sooner does not show it."""


def priority_of(loadpoint: LoadpointState) -> int:
    """The vehicle's priority if it has one, else the loadpoint's [DEF-20]."""
    own = loadpoint.priority_of_vehicle
    return loadpoint.settings.priority if own is None else own


def order(priorities: Sequence[int]) -> list[int]:
    """Positions of the loadpoints, the highest priority first [DEF-49]."""
    return sorted(range(len(priorities)), key=priorities.__getitem__, reverse=True)


def effect_of(
    commands: Sequence[Command],
    *,
    is_enabled: bool,
    is_charging: bool,
    is_ramping: bool,
    current_a: float | None,
    drawn: Taken | None,
    drawn_a: float | None,
    phases: int,
    voltage_v: float,
) -> Effect:
    """What ``commands`` will change of the site power.

    A vehicle follows a lower limit at once; a higher one only if it makes use of the one it has. ``drawn`` is what it draws,
    None if not known, ``drawn_a`` its busiest phase, None if not measured; ``is_ramping``: it has been enabled a moment ago.
    """
    offered_a, is_on = current_a, is_enabled
    for command in commands:
        if isinstance(command, SetCurrent):
            offered_a = command.current_a
        elif isinstance(command, SwitchPhases):
            phases = command.phases
        elif isinstance(command, Enable | Disable):
            is_on = isinstance(command, Enable)
    least_w, most_w = (0.0, 0.0) if drawn is None else (drawn.least_w, drawn.most_w)
    if not is_on:
        return Effect(-most_w, -least_w)
    offered_a = offered_a or 0.0
    watts_a = phases * voltage_v
    if not is_enabled or is_ramping:
        return Effect(offered_a * watts_a - most_w, offered_a * watts_a - least_w)
    if not is_charging:
        return NO_EFFECT
    before_a = offered_a if current_a is None else current_a
    # without its currents nobody knows how unevenly the phases are used
    least_a, most_a = (least_w / watts_a, before_a) if drawn_a is None else (drawn_a, drawn_a)
    if offered_a < before_a:
        return Effect(min(0.0, offered_a - most_a) * watts_a, min(0.0, offered_a - least_a) * watts_a)
    raised_w = (offered_a - before_a) * watts_a
    return Effect(
        raised_w if least_a + CURRENT_SLACK_A >= before_a else 0.0,
        raised_w if most_a + CURRENT_SLACK_A >= before_a else 0.0,
    )


def is_shown(loadpoint: LoadpointState, sampled_at: Instant) -> bool:
    """Whether a site power sampled at ``sampled_at`` shows what the loadpoint's last command has changed."""
    effect_at = loadpoint.effect_at
    return effect_at is None or loadpoint.effect == NO_EFFECT or sampled_at >= effect_at + OBEDIENCE


def outstanding(loadpoint: LoadpointState, *, sampled_at: Instant, instant: Instant) -> float:
    """The most that a loadpoint's last command may add to a site power sampled at ``sampled_at`` [W]."""
    if is_shown(loadpoint, sampled_at) and not is_ramping(loadpoint, instant):
        return 0.0
    return loadpoint.effect.most_w


def is_ramping(loadpoint: LoadpointState, instant: Instant) -> bool:
    """Whether a vehicle has been enabled a moment ago and does not draw yet."""
    until = _ramps_until(loadpoint)
    return until is not None and instant < until


def _ramps_until(loadpoint: LoadpointState) -> Timer:
    charger = loadpoint.charger
    if not charger.is_enabled or charger.wake_timer is None or charger.enable_changed_at is None:
        return None
    return charger.enable_changed_at + RAMP


def next_change(loadpoint: LoadpointState, instant: Instant) -> Instant | None:
    """When `is_ramping` could say something else, or `is_shown` of a site power that is sampled then."""
    effect_at = loadpoint.effect_at
    return first_after(instant, _ramps_until(loadpoint), None if effect_at is None else effect_at + OBEDIENCE)
