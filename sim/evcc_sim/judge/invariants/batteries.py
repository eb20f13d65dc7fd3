"""Home batteries that are told what to do: they must be free again, and leave the cars alone while they are held.

The modes are those that the batteries were in, whoever has told them so; what people mean is in their settings.
"""

from __future__ import annotations

from itertools import pairwise

from evcc_sim.judge.excuses import Grace
from evcc_sim.judge.invariants.frame import Found, invariant
from evcc_sim.judge.invariants.judged import Judged
from evcc_sim.judge.invariants.room import circuits_above
from evcc_sim.judge.trace import BatteryTurn, InForce, Instant
from evcc_sim.plants.faults import Fault, FaultKind
from evcc_sim.worlds.scenario import CircuitSpec
from evcclib.model import ChargeMode

NORMAL = "normal"
REST_S = 180.0
"""So long a battery may stay as it is though nothing calls for it, and as long it stays before it changes again."""
NOTHING_W = 100.0
"""Less than that is no discharge: converters and meters are not exact."""


@invariant
def battery_is_freed(run: Judged) -> Found:
    """Once nothing calls for it any more a home battery is in normal mode within its rest, also if control has died meanwhile
    and come back [BAT-5, BAT-6]."""
    if not run.trace.battery_turns:
        return
    for index, spec in enumerate(run.scenario.battery):
        turns = [turn for turn in run.trace.battery_turns if turn.battery == index]
        excuses = _faults(run, spec.name)
        called_s = 0.0
        for instant, wish in run.moments:
            second = instant.second
            if _is_called(run, instant, wish):
                called_s = second
            begun_s = max([called_s, *[back_s for back_s in run.trace.restarts if back_s <= second]])
            is_late = second - begun_s > REST_S + run.patience_s and not _AFTER.excuses(excuses, second)
            if is_late and _mode_at(turns, second) != NORMAL:
                yield (
                    second,
                    f"battery {index + 1} is in mode {_mode_at(turns, second)} for nothing since {begun_s:g} s",
                )
                break


@invariant
def battery_leaves_room(run: Judged) -> Found:
    """A home battery that has been told to charge from the grid does not take a circuit that it hangs below beyond its limit for
    longer than it needs to be told otherwise [CIR-3]."""
    patience_s = run.patience_s + max((spec.lag_s for spec in run.scenario.battery), default=0.0)
    for index, spec in enumerate(run.scenario.battery):
        turns = [turn for turn in run.trace.battery_turns if turn.battery == index]
        above = set(circuits_above(run.scenario, spec.circuit))
        excuses = _faults(run, spec.name) + run.faults_of("grid", frozenset({FaultKind.LYING, FaultKind.FROZEN}))
        for circuit in run.scenario.circuit if turns else ():
            since_s: float | None = None
            for instant in run.instants if circuit.name in above and circuit.uses_grid_meter else ():
                is_over = _mode_at(turns, instant.second) == "charge" and _is_exceeded(run, circuit, instant)
                since_s = (instant.second if since_s is None else since_s) if is_over else None
                late_s = 0.0 if since_s is None else instant.second - since_s
                if late_s > patience_s and not _AFTER.excuses(excuses, instant.second):
                    yield (
                        instant.second,
                        f"battery {index + 1} charges from the grid beyond the limit of {circuit.name}",
                    )
                    break


def _is_exceeded(run: Judged, circuit: CircuitSpec, instant: Instant) -> bool:
    most_a = max(instant.grid_powers_w) / run.voltage_v
    is_over_a = circuit.current_max_a is not None and most_a > circuit.current_max_a + 0.1
    return is_over_a or (circuit.power_max_w is not None and instant.grid_w > circuit.power_max_w * 1.005 + 10)


@invariant
def battery_does_not_charge_the_car(run: Judged) -> Found:
    """Where its owner has said so, a home battery does not discharge while a car charges in mode now [BAT-3]."""
    if not any(wish.site.battery_discharge_control for wish in run.trace.wishes):
        return
    excuses = [fault for spec in run.scenario.battery for fault in _faults(run, spec.name)]
    excuses += [fault for fault in run.faults if fault.device in {each.box.name for _n, each in run.loadpoints}]
    settled_s = run.patience_s + max((spec.lag_s for spec in run.scenario.battery), default=0.0)
    since_s: float | None = None
    for instant, wish in run.moments:
        if not wish.site.battery_discharge_control or not _charges_fast(instant, wish):
            since_s = None
            continue
        since_s = instant.second if since_s is None else since_s
        has_rested = not any(
            turn.mode == NORMAL and 0 <= instant.second - turn.second < REST_S + settled_s
            for turn in run.trace.battery_turns
        )
        is_due = has_rested and instant.second - since_s > settled_s and not _AFTER.excuses(excuses, instant.second)
        if is_due and instant.battery_w > NOTHING_W:
            yield instant.second, f"{instant.battery_w:.0f} W out of the battery while a car charges in mode now"
            since_s = None


@invariant
def battery_mode_writes_are_few(run: Judged) -> Found:
    """A home battery does not change its mode again so soon, unless its owner, the grid operator, a fault or a new start of the
    control asks for it [BAT-4]."""
    for index, spec in enumerate(run.scenario.battery):
        turns = [turn for turn in run.trace.battery_turns if turn.battery == index]
        excuses = _faults(run, spec.name)
        for before, now in pairwise(turns):
            is_soon = now.second - before.second < REST_S - run.interval_s
            if is_soon and not _AFTER.excuses(excuses, now.second) and not _is_asked(run, before.second, now.second):
                message = f"battery {index + 1} goes from {before.mode} to {now.mode} after {now.second - before.second:.0f} s"
                yield now.second, message


_AFTER = Grace(10.0, 2 * REST_S)
"""What a fault has kept from the battery, or from control, is said again a while later."""


def _faults(run: Judged, battery: str) -> list[Fault]:
    """Those that keep control from its battery."""
    return [fault for fault in run.faults if fault.device == battery or fault.kind is FaultKind.CLOCK_JUMP]


def _is_asked(run: Judged, start_s: float, end_s: float) -> bool:
    """Whether somebody has asked for a change in that time."""
    wishes = run.trace.in_force_between(start_s - run.interval_s, end_s)
    is_wished = any(one.site != other.site for one, other in pairwise(wishes))
    is_limited = start_s <= run.operator.unchanged_since(end_s)
    return is_wished or is_limited or any(start_s - 1 <= back_s <= end_s for back_s in run.trace.restarts)


def _is_called(run: Judged, instant: Instant, wish: InForce) -> bool:
    """Whether anything can call for another mode than normal."""
    limit = wish.site.battery_grid_charge_limit
    if limit is not None and run.meant.is_cheap(limit, instant.second):
        return True
    return wish.site.battery_discharge_control and any(
        now.power_w > 0 and run.meant.may_buy(index, instant, wish) for index, now in enumerate(instant.loadpoints)
    )


def _charges_fast(instant: Instant, wish: InForce) -> bool:
    return any(
        now.power_w > 0 and settings.mode is ChargeMode.NOW
        for now, settings in zip(instant.loadpoints, wish.loadpoints, strict=True)
    )


def _mode_at(turns: list[BatteryTurn], second: float) -> str:
    return next((turn.mode for turn in reversed(turns) if turn.second <= second), NORMAL)
