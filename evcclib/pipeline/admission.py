"""The door of a step and of a request: what is handed over fits the site.

Readings, times and outcomes have looked at their own fields when they were made; what is left is their number, their names, and
that an outcome is one of a batch that has been issued. There are as many readings of a kind as configured, or none at all, as
before the first round.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from evcclib.allowed import instance, one_of
from evcclib.commands import BatteryOutcome, Outcome
from evcclib.config import SiteConfig
from evcclib.errors import IncompatibleState, InvalidReadings
from evcclib.model import Cause, Now
from evcclib.pipeline.check_config import check
from evcclib.pipeline.lookup import SiteLayout
from evcclib.pipeline.state import SiteState
from evcclib.readings import Readings


def admit(layout: SiteLayout, state: SiteState, readings: Readings, now: Now, cause: Cause) -> None:
    """Raises `evcclib.errors.InvalidReadings` unless a step after ``state`` can work with what it is given."""
    if type(readings) is not Readings or type(now) is not Now or type(cause) is not Cause:
        _READINGS.check("readings", readings, InvalidReadings)
        _NOW.check("now", now, InvalidReadings)
        _CAUSE.check("cause", cause, InvalidReadings)
    counts = (len(readings.pv), len(readings.batteries), len(readings.aux), len(readings.chargers))
    if counts != layout.counts:
        _check_counts(counts, layout.counts)
    if readings.grid is not None and not layout.config.has_grid:
        raise InvalidReadings("Readings.grid", readings.grid, "None: there is no grid meter")
    if readings.vehicles:
        _check_names("vehicles", readings.vehicles, layout.vehicles)
    if readings.circuits:
        _check_names("circuits", readings.circuits, layout.metered)
    if readings.outcomes:
        _check_outcomes(state, readings.outcomes)
    for position, outcome in enumerate(readings.battery_outcomes):
        _check_battery_outcome(state, position, outcome)


def admit_state(state: SiteState) -> None:
    """Raises `evcclib.errors.IncompatibleState` unless ``state`` is the state of a site."""
    if type(state) is not SiteState:
        _STATE.check("state", state, IncompatibleState)


def admit_now(now: Now) -> None:
    """Raises `evcclib.errors.InvalidReadings` unless ``now`` is a time."""
    if type(now) is not Now:
        _NOW.check("now", now, InvalidReadings)


def admit_config(config: SiteConfig, state: SiteState) -> None:
    """For a state that another configuration has made: `InvalidConfig`, or `IncompatibleState` if it does not fit."""
    check(config)
    if len(state.loadpoints) != len(config.loadpoints):
        raise IncompatibleState("loadpoints", len(state.loadpoints), f"{len(config.loadpoints)}, as configured")
    known = {vehicle.name for vehicle in config.vehicles}
    for index, loadpoint in enumerate(state.loadpoints):
        if loadpoint.vehicle is not None and loadpoint.vehicle not in known:
            raise IncompatibleState(f"loadpoints[{index}].vehicle", loadpoint.vehicle, "a vehicle that is configured")


def _check_counts(found: tuple[int, ...], configured: tuple[int, ...]) -> None:
    for name, count, expected in zip(("pv", "batteries", "aux", "chargers"), found, configured, strict=True):
        if count not in (0, expected):
            words = f"{expected}, as configured, or none" if expected else "none, as configured"
            raise InvalidReadings(f"len(Readings.{name})", count, words)


def _check_names(where: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            words = ", ".join(sorted(known))
            raise InvalidReadings(
                f"a key of Readings.{where}", name, f"one of {words}" if words else "none, as configured"
            )


def _check_outcomes(state: SiteState, outcomes: tuple[Outcome, ...]) -> None:
    """An outcome is of a batch that has been issued; one that is not awaited any more is late, and changes nothing."""
    for position, outcome in enumerate(outcomes):
        if outcome.loadpoint >= len(state.loadpoints):
            raise _no_outcome(position, "loadpoint", outcome.loadpoint, f"one of {len(state.loadpoints)}, from 0 on")
        charger = state.loadpoints[outcome.loadpoint].charger
        if outcome.number > charger.number:
            raise _no_outcome(position, "number", outcome.number, f"a batch that was issued, 1..{charger.number}")
        pending = charger.pending
        if pending is not None and pending.batch.number == outcome.number:
            count = len(pending.batch.commands)
            if outcome.applied > count:
                raise _no_outcome(position, "applied", outcome.applied, f"0..{count}, the commands of that batch")


def _check_battery_outcome(state: SiteState, position: int, outcome: BatteryOutcome) -> None:
    controls, where = state.battery_controls, f"Readings.battery_outcomes[{position}]"
    if outcome.battery >= len(controls):
        raise InvalidReadings(f"{where}.battery", outcome.battery, f"one of {len(controls)}, from 0 on")
    issued = controls[outcome.battery].number
    if outcome.number > issued:
        raise InvalidReadings(f"{where}.number", outcome.number, f"a command that was issued, 1..{issued}")


def _no_outcome(position: int, name: str, value: int, words: str) -> InvalidReadings:
    return InvalidReadings(f"Readings.outcomes[{position}].{name}", value, words)


_CAUSE = one_of(Cause)
_READINGS = instance(Readings)
_NOW = instance(Now)
_STATE = instance(SiteState)
