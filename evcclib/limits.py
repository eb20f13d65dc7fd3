"""Which limits are in force now, from the circuits' meters and the grid operator [DEF-47, design of circuits]."""

from __future__ import annotations

from typing import TypeVar

from evcclib.circuits import Allotment, Draw, Limit
from evcclib.commands import SwitchPhases
from evcclib.config import CircuitConfig
from evcclib.loadpoint import Facts
from evcclib.model import PhaseTriple
from evcclib.readings import Measured, MeterReading, Reading
from evcclib.work import Work

T = TypeVar("T")

OPERATOR = "operator"
GRID = ""
NO_LOAD: PhaseTriple = (0.0, 0.0, 0.0)


def allotment(work: Work, facts: list[Facts], claims: list[bool]) -> Allotment | None:
    """What divides the limits of this step; None when there are none. ``claims``: who counts on its minimum."""
    limits = _limits(work, facts)
    if not limits:
        return None
    draws = tuple(_draw(work, index, each, claims[index]) for index, each in enumerate(facts))
    return Allotment(limits, draws, voltage_v=work.layout.voltage_v)


def committed_a(work: Work, index: int, facts: Facts) -> float:
    """What a loadpoint may be drawing at most: its current, or its maximum when nobody knows [A]."""
    charger = work.state.loadpoints[index].charger
    if charger.current_a is None and (charger.is_enabled or not charger.is_certain):
        return max(facts.bounds.maximum_a, charger.current_committed_a)
    return charger.current_committed_a


def _limits(work: Work, facts: list[Facts]) -> tuple[Limit, ...]:
    limits: list[Limit] = []
    operator = work.readings.operator_limit
    if operator is not None and work.instant < operator.expires_at:
        limits.append(Limit(name=OPERATOR, members=work.layout.everyone, power_max_w=max(operator.power_w, 0.0)))
    config = work.layout.config
    if config.circuits:
        _keep_meters(work)
    for circuit in config.circuits:
        members = work.layout.members[circuit.name]
        if not members or (circuit.current_max_a is None and circuit.power_max_w is None):
            continue
        other_a = _other_currents(work, circuit, facts) if circuit.current_max_a is not None else NO_LOAD
        other_w = _other_power(work, circuit, facts) if circuit.power_max_w is not None else 0.0
        is_proven = other_a is not None and other_w is not None
        limits.append(
            Limit(
                name=circuit.name,
                members=members,
                current_max_a=circuit.current_max_a,
                other_a=other_a or NO_LOAD,
                power_max_w=circuit.power_max_w,
                other_w=other_w or 0.0,
                safe_current_a=None if is_proven else circuit.safe_current_a,
            )
        )
    return tuple(limits)


def _draw(work: Work, index: int, facts: Facts, claims_minimum: bool) -> Draw:
    active = facts.active
    pending = work.state.loadpoints[index].charger.pending
    if pending is not None:
        for command in pending.batch.commands:
            if isinstance(command, SwitchPhases):
                active = max(active, min(command.phases, facts.vehicle_phases or command.phases))
    return Draw(
        rotation=tuple(phase - 1 for phase in facts.layout.config.phase_rotation),
        active=active,
        minimum_a=facts.bounds.minimum_a,
        committed_a=committed_a(work, index, facts),
        claims_minimum=claims_minimum,
    )


def _meter(work: Work, circuit: CircuitConfig) -> MeterReading | None:
    return work.state.meters.get(GRID if circuit.uses_grid_meter else circuit.name)


def _keep_meters(work: Work) -> None:
    """Take in the meters of circuits; a failed value leaves the last one until it is too old [DEF-48]."""
    state, readings = work.state, work.readings
    newest: dict[str, MeterReading] = dict(readings.circuits)
    if readings.grid is not None:
        newest[GRID] = readings.grid
    state.meters = {**state.meters, **{name: _merged(state.meters.get(name), new) for name, new in newest.items()}}


def _merged(old: MeterReading | None, new: MeterReading) -> MeterReading:
    if old is None:
        return new
    return MeterReading(
        power_w=_newest(old.power_w, new.power_w),
        powers_w=_newest(old.powers_w, new.powers_w),
        currents_a=_newest(old.currents_a, new.currents_a),
    )


def _newest(old: Reading[T], new: Reading[T]) -> Reading[T]:
    return new if isinstance(new, Measured) else old


def _children(work: Work, circuit: CircuitConfig) -> list[CircuitConfig]:
    return [child for child in work.layout.config.circuits if child.parent == circuit.name]


def _other_currents(work: Work, circuit: CircuitConfig, facts: list[Facts]) -> PhaseTriple | None:
    """Current in each grid phase that loadpoints do not cause [A]; None: unknown."""
    if not circuit.has_meter and not circuit.uses_grid_meter:
        total = [0.0, 0.0, 0.0]
        for child in _children(work, circuit):
            other = _other_currents(work, child, facts)
            if other is None:
                return None
            total = [a + b for a, b in zip(total, other, strict=True)]
        return (total[0], total[1], total[2])
    measured = _phase_currents(work, _meter(work, circuit))
    if measured is None:
        return None
    rest = list(measured)
    for index in work.layout.members[circuit.name]:
        for phase, current in enumerate(_drawn(work, facts[index])):
            rest[phase] -= current
    return (rest[0], rest[1], rest[2])


def _other_power(work: Work, circuit: CircuitConfig, facts: list[Facts]) -> float | None:
    """Power that loadpoints do not cause [W]; None: unknown."""
    if not circuit.has_meter and not circuit.uses_grid_meter:
        total = 0.0
        for child in _children(work, circuit):
            other = _other_power(work, child, facts)
            if other is None:
                return None
            total += other
        return total
    meter = _meter(work, circuit)
    if meter is None or not isinstance(meter.power_w, Measured) or meter.power_w.sampled_at < work.oldest:
        return None
    return meter.power_w.value - sum(
        max(facts[index].power_w or 0.0, 0.0) for index in work.layout.members[circuit.name]
    )


def _phase_currents(work: Work, meter: MeterReading | None) -> PhaseTriple | None:
    """Signed phase currents; worked out from phase powers where the meter has no currents [SITE-8]."""
    if meter is None:
        return None
    currents, powers = meter.currents_a, meter.powers_w
    has_powers = isinstance(powers, Measured) and powers.sampled_at >= work.oldest
    if isinstance(currents, Measured) and currents.sampled_at >= work.oldest:
        if not has_powers:
            return currents.value
        return signed_currents(currents.value, powers.value if isinstance(powers, Measured) else NO_LOAD)
    if has_powers and isinstance(powers, Measured):
        first, second, third = powers.value
        voltage_v = work.layout.voltage_v
        return (first / voltage_v, second / voltage_v, third / voltage_v)
    return None


def signed_currents(currents_a: PhaseTriple, powers_w: PhaseTriple) -> PhaseTriple:
    """Currents of a meter that shows them without sign: negative where the phase's power is [SITE-8]."""
    first, second, third = (
        -current if current > 0 and power < 0 else current for current, power in zip(currents_a, powers_w, strict=True)
    )
    return (first, second, third)


def _drawn(work: Work, facts: Facts) -> PhaseTriple:
    """What a loadpoint draws from each grid phase [A]: measured, or worked out from its power; unknown counts as nothing, so
    that it is taken for other load."""
    drawn = [0.0, 0.0, 0.0]
    rotation = facts.layout.config.phase_rotation
    if facts.currents_a is not None:
        for phase, current in zip(rotation, facts.currents_a, strict=True):
            drawn[phase - 1] = max(current, 0.0)
    elif facts.power_w is not None and facts.power_w > 0:
        for phase in rotation[: facts.active]:
            drawn[phase - 1] = facts.power_w / (facts.active * work.layout.voltage_v)
    return (drawn[0], drawn[1], drawn[2])
