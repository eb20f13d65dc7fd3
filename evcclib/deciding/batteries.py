"""Home batteries: what calls for which mode, and the commands that bring it about [BAT-1..BAT-9, CIR-3].

charge  while energy costs no more than the owner's limit for that, unless the grid operator limits what is bought, or a circuit
        leaves no room
hold    while a vehicle charges as fast as it can, or for its plan, if the owner has switched discharge control on
normal  otherwise

What an external energy manager says goes before all of this, within limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evcclib.commands import BatteryMode, BatteryOutcome
from evcclib.deciding.battery_room import no_room
from evcclib.events import BatteryModeChanged, Warned, WarningCode
from evcclib.laws.law import Seen, SiteSeen
from evcclib.machines import battery
from evcclib.machines.battery import BatteryControl, Call, Override
from evcclib.pipeline.desk import SiteDesk
from evcclib.pipeline.goals import charges_from_grid, is_operator_limiting
from evcclib.reasons import BatteryCode, BatteryReason, ReasonCode

_HOLDS = {
    ReasonCode.MODE_NOW: BatteryCode.HELD_FAST,
    ReasonCode.MIN_SOC: BatteryCode.HELD_FAST,
    ReasonCode.SMART_COST: BatteryCode.HELD_FAST,
    ReasonCode.PLAN_ACTIVE: BatteryCode.HELD_PLAN,
}
"""Why a vehicle charges from the grid if need be, and what that is to a battery."""


def command_batteries(site: SiteDesk, seen: SiteSeen | None) -> None:
    """Take outcomes in; where the law has decided (``seen``), decide what the batteries do and say so."""
    if not site.layout.commanded:
        return
    controls = list(site.state.battery_controls)
    override = _override(site)
    charge = charges_from_grid(site) if override is None else _charges_for(site, override)
    outcomes = {outcome.battery: outcome for outcome in site.readings.battery_outcomes}
    holds = None
    if seen is not None:
        holds = list(_holds(site, seen.loadpoints)) if override is None else _asked(override)
    for index, modes in site.layout.commanded.items():
        control = _heard(site, index, controls[index], outcomes.get(index))
        if seen is not None and holds is not None:
            calls = [call for call in holds if call.mode in modes]
            ended = _ended(site) if override is None else frozenset(BatteryMode)
            if charge is not None and BatteryMode.CHARGE in modes:
                limit = no_room(site, seen, index, is_charging=control.mode is BatteryMode.CHARGE)
                if limit is None:
                    calls.insert(0, Call(BatteryMode.CHARGE, charge))
                else:
                    calls.append(Call(BatteryMode.NORMAL, BatteryReason(BatteryCode.LIMITED, {"limit": limit})))
                    ended |= {BatteryMode.CHARGE}
            control = _told(site, index, control, calls, ended)
        controls[index] = control
    site.state.battery_controls = tuple(controls)


def _override(site: SiteDesk) -> Override | None:
    """What somebody else wants, as long as that holds [BAT-9]."""
    override = site.state.battery_override
    if override is not None and site.instant >= override.until:
        site.state.battery_override = override = None
    return override


def _asked(override: Override) -> list[Call]:
    reason = BatteryReason(BatteryCode.EXTERNAL, until=override.until)
    return [] if override.mode is BatteryMode.CHARGE else [Call(override.mode, reason)]


def _charges_for(site: SiteDesk, override: Override) -> BatteryReason | None:
    """Why batteries charge for somebody else; None: they do not, or the grid operator's limit forbids it."""
    if override.mode is not BatteryMode.CHARGE or is_operator_limiting(site):
        return None
    return BatteryReason(BatteryCode.EXTERNAL, until=override.until)


def _heard(site: SiteDesk, index: int, control: BatteryControl, outcome: BatteryOutcome | None) -> BatteryControl:
    """Take in what became of the last command; who is told of its end hears of it."""
    outcome = outcome or battery.forgotten(control, index, site.instant)
    if outcome is None:
        return control
    after = battery.take(control, outcome, instant=site.instant)
    if after.failures and not control.failures:
        site.events.append(Warned(WarningCode.BATTERY_FAILED, None, {"battery": index + 1.0, "error": outcome.error}))
    elif control.failures and not after.failures:
        code = WarningCode.BATTERY_FAILED.value
        site.events.append(Warned(WarningCode.RECOVERED, None, {"code": code, "battery": index + 1.0}))
    return after


def _told(
    site: SiteDesk, index: int, before: BatteryControl, calls: list[Call], ended: frozenset[BatteryMode]
) -> BatteryControl:
    control = battery.choose(before, calls, ended=ended, instant=site.instant)
    if control.mode is not before.mode:
        site.events.append(BatteryModeChanged(index, control.mode))
    expiry = battery.expiry_of(site.layout.interval)
    control, command = battery.say(control, expiry=expiry, instant=site.instant)
    if command is not None:
        site.battery_commands[index] = command
    return control


def _ended(site: SiteDesk) -> frozenset[BatteryMode]:
    """What nobody may do any more: the owner has switched it off, or a limit forbids it."""
    settings = site.state.settings
    ended = set()
    if not settings.battery_discharge_control:
        ended.add(BatteryMode.HOLD)
    if settings.battery_grid_charge_limit is None or is_operator_limiting(site):
        ended.add(BatteryMode.CHARGE)
    return frozenset(ended)


def _holds(site: SiteDesk, loadpoints: Sequence[Seen]) -> Iterator[Call]:
    """What calls for hold."""
    if not site.state.settings.battery_discharge_control:
        return
    for lp, seen in zip(site.desks, loadpoints, strict=True):
        asked = seen.demand.reason
        if asked.code in _HOLDS and seen.is_charging and not lp.state.is_silent:
            reason = BatteryReason(_HOLDS[asked.code], {"loadpoint": lp.index + 1.0}, until_utc=asked.until_utc)
            yield Call(BatteryMode.HOLD, reason)
            return
