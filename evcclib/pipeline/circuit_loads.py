"""Which limits are in force now: circuits with what their meters show, and the grid operator's [DEF-47].

A meter and the loadpoints below it are read at different moments, and a command may lie between. So a loadpoint's part in what
a meter shows is known as a range over its samples around that of the meter, and the rest, the other loads, as a range too.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import NamedTuple, TypeVar

from evcclib.commands import SwitchPhases
from evcclib.config import CircuitConfig
from evcclib.machines.circuits import NO_LOAD, Allotment, Draw, Limit, Load
from evcclib.machines.plausible import are_numbers
from evcclib.machines.unmetered import fallen, surely_taken
from evcclib.model import PhaseTriple
from evcclib.pipeline.desk import Work
from evcclib.pipeline.observe_loadpoint import Facts
from evcclib.pipeline.sharing import OBEDIENCE, RAMP
from evcclib.pipeline.state import LoadpointState, Offer
from evcclib.readings import ABSENT, Measured, MeterReading, Reading

T = TypeVar("T")

OPERATOR = "operator"
GRID = ""
UNKNOWN_METER = MeterReading(power_w=ABSENT)
SAMPLES_KEPT = 4
ROUND = timedelta(milliseconds=500)
"""Samples that were asked for together are no further apart."""
VOLTAGE_SHARE_MAX = 1.15
"""More than this of the assumed voltage is no voltage of a phase (EN 50160: 10 % and some), but one between two."""
VOLTAGE_HELD = timedelta(minutes=5)
"""The highest voltage counts for so long: it moves with every load, and limits must not move with it."""
METER_LAG = timedelta(seconds=3)
"""What a meter shows may have flowed so long before it was read."""


class Range(NamedTuple):
    """A load that lies between two; ``least`` is not above ``most`` in any phase."""

    least: Load
    most: Load


def allotment(work: Work, facts: list[Facts], claims: list[bool]) -> Allotment | None:
    """What divides the limits of this step; None when there are none. ``claims``: who counts on its minimum."""
    limits = _limits(work, facts)
    if not limits:
        return None
    draws = tuple([_draw(work, index, each, claims[index]) for index, each in enumerate(facts)])
    return Allotment(limits, draws, voltage_v=_voltage_v(work))


def see_voltage(work: Work) -> None:
    """Keep the highest voltage that is measured anywhere, as far as it is above the assumed one [DEF-47]."""
    assumed_v, highest = work.layout.voltage_v, work.state.voltage
    if highest is not None and work.instant - highest.sampled_at >= VOLTAGE_HELD:
        highest = None
    readings = work.readings
    shown = [meter.voltages_v for meter in readings.circuits.values()]
    shown += [charger.voltages_v for charger in readings.chargers]
    if readings.grid is not None:
        shown.append(readings.grid.voltages_v)
    for voltages in shown:
        if type(voltages) is Measured and voltages.sampled_at >= work.oldest:
            for voltage_v in voltages.value:
                is_believed = assumed_v < voltage_v <= assumed_v * VOLTAGE_SHARE_MAX
                if is_believed and (highest is None or voltage_v >= highest.value):
                    highest = Measured(voltage_v, voltages.sampled_at)
    work.state.voltage = highest


def _voltage_v(work: Work) -> float:
    """The voltage at which a current is the most power that it can be."""
    return work.layout.voltage_v if work.state.voltage is None else work.state.voltage.value


def drawable_a(work: Work, index: int, facts: Facts) -> float:
    """What a loadpoint may be drawing at most: `committed_a`, or what is measured if it draws more than it was told [A]."""
    committed = committed_a(work, index, facts)
    drawn = facts.report.drawn_a
    if drawn is None or not work.state.loadpoints[index].charger.resists_current:
        return committed
    return max(committed, drawn.value)


def committed_a(work: Work, index: int, facts: Facts) -> float:
    """What a loadpoint may draw if it obeys: what may be offered, or all that can be when nobody knows [A].

    Who draws what it was told not to is counted with what is measured.
    """
    charger = work.state.loadpoints[index].charger
    unknown_a = max(facts.bounds.maximum_a, facts.layout.charger.current_max_a or 0.0)
    if charger.runs_unasked:
        drawn = facts.report.drawn_a
        return unknown_a if drawn is None else max(drawn.value, 0.0)
    return charger.committed_a(unknown_a)


def take_in(work: Work, facts: list[Facts]) -> None:
    """Keep what limits depend on: the newest values of circuit meters, and what the loadpoints draw [DEF-48]."""
    state, readings = work.state, work.readings
    newest: dict[str, MeterReading] = dict(readings.circuits)
    if readings.grid is not None:
        newest[GRID] = readings.grid
    state.meters = {**state.meters, **{name: _merged(state.meters.get(name), new) for name, new in newest.items()}}
    for index, each in enumerate(facts):
        loadpoint = state.loadpoints[index]
        sample = _sample(work, index, each)
        if sample is not None and (not loadpoint.drawn or loadpoint.drawn[-1] != sample):
            loadpoint.drawn = (*loadpoint.drawn, sample)[-SAMPLES_KEPT:]
        _see_offer(work, index, each)


def _see_offer(work: Work, index: int, facts: Facts) -> None:
    """Keep what a loadpoint is offered, since when more than before, and the most it may have drawn since its newest sample."""
    loadpoint = work.state.loadpoints[index]
    before, drawn = loadpoint.offer, loadpoint.drawn
    charger = loadpoint.charger
    current_a = drawable_a(work, index, facts) if charger.may_be_enabled or charger.runs_unasked else 0.0
    is_known = charger.standing_a is not None or charger.runs_unasked
    raised_at = work.instant if is_known and current_a > before.current_a else before.raised_at
    effect_at = loadpoint.effect_at
    is_obeyed = drawn and (effect_at is None or drawn[-1].sampled_at >= effect_at + OBEDIENCE)
    most_a = current_a if is_obeyed else max(current_a, before.drawable_a)
    loadpoint.offer = Offer(current_a, most_a, raised_at)


def _limits(work: Work, facts: list[Facts]) -> tuple[Limit, ...]:
    limits: list[Limit] = []
    operator = work.readings.operator_limit
    if operator is not None and work.instant < operator.expires_at:
        limits.append(Limit(name=OPERATOR, members=work.layout.everyone, power_max_w=max(operator.power_w, 0.0)))
    for circuit in work.layout.config.circuits:
        members = work.layout.members[circuit.name]
        if not members or (circuit.current_max_a is None and circuit.power_max_w is None):
            continue
        other = _other(work, circuit, facts, circuit)
        limits.append(
            Limit(
                name=circuit.name,
                members=members,
                current_max_a=circuit.current_max_a,
                power_max_w=circuit.power_max_w,
                other=NO_LOAD if other is None else other.least,
                other_most=NO_LOAD if other is None else other.most,
                safe_current_a=circuit.safe_current_a if other is None else None,
            )
        )
    return tuple(limits)


def _draw(work: Work, index: int, facts: Facts, claims_minimum: bool) -> Draw:
    active = facts.limited
    pending = work.state.loadpoints[index].charger.pending
    if pending is not None:
        for command in pending.batch.commands:
            if isinstance(command, SwitchPhases):
                active = max(active, command.phases)
    return Draw(
        rotation=tuple([phase - 1 for phase in facts.layout.config.phase_rotation]),
        active=active,
        minimum_a=facts.bounds.minimum_a,
        committed_a=drawable_a(work, index, facts),
        sure_a=work.state.loadpoints[index].charger.sure_a,
        drawable_a=work.state.loadpoints[index].offer.drawable_a,
        claims_minimum=claims_minimum,
        claimed=1 if work.state.loadpoints[index].narrowed is not None else 0,
    )


def _other(work: Work, circuit: CircuitConfig, facts: list[Facts], limited: CircuitConfig) -> Range | None:
    """What flows in ``circuit`` without its loadpoints, as far as the limits of ``limited`` need it; None: unknown.

    Without a meter of its own it is the sum of the circuits below.
    """
    if not circuit.has_meter and not circuit.uses_grid_meter:
        least, most = NO_LOAD, NO_LOAD
        for child in work.layout.config.circuits:
            if child.parent == circuit.name:
                below = _other(work, child, facts, limited)
                if below is None:
                    return None
                least, most = _sum(least, below.least), _sum(most, below.most)
        return Range(least, most)
    meter = work.state.meters.get(GRID if circuit.uses_grid_meter else circuit.name)
    currents = None if meter is None else _phase_currents(work, meter)
    power = None if meter is None or not _is_fresh(work, meter.power_w) else meter.power_w
    if (limited.current_max_a is not None and currents is None) or (limited.power_max_w is not None and power is None):
        return None
    least_a = most_a = NO_LOAD.currents_a
    least_w = most_w = 0.0
    if currents is not None:
        least_a = most_a = currents.value
    if isinstance(power, Measured):
        least_w = most_w = power.value
    doubtful_a, doubtful_w = NO_LOAD.currents_a, 0.0  # what unmetered vehicles count with
    for index in work.layout.members[circuit.name]:
        is_measured = facts[index].is_measured
        if currents is not None:
            drawn = _drawn_at(work, index, facts[index], currents.sampled_at)
            least_a = _minus(least_a, drawn.most.currents_a)
            most_a = _minus(most_a, drawn.least.currents_a)
            doubtful_a = doubtful_a if is_measured else _plus(doubtful_a, drawn.least.currents_a)
        if isinstance(power, Measured):
            drawn = _drawn_at(work, index, facts[index], power.sampled_at)
            least_w -= drawn.most.power_w
            most_w -= drawn.least.power_w
            doubtful_w += 0.0 if is_measured else drawn.least.power_w
    less = _less_since(work, circuit, facts, Load(doubtful_a, doubtful_w))
    return Range(Load(least_a, least_w), Load(_plus(most_a, less.currents_a), most_w + less.power_w))


def _less_since(work: Work, circuit: CircuitConfig, facts: list[Facts], counted: Load) -> Load:
    """How much less than the ``counted`` load the unmetered vehicles in ``circuit`` may draw, if a load that has fallen since
    was theirs: together no more than that, whoever of them it was [MEA-2]."""
    unmetered = [index for index in work.layout.members[circuit.name] if not facts[index].is_measured]
    fallen_w = fallen(work.state.loadpoints[index].watch for index in unmetered)
    if fallen_w == 0:
        return NO_LOAD
    fewest = min(facts[index].limited for index in unmetered)
    first, second, third = (min(each, fallen_w / (fewest * _voltage_v(work))) for each in counted.currents_a)
    return Load((first, second, third), min(counted.power_w, fallen_w))


def _drawn_at(work: Work, index: int, facts: Facts, metered_at: timedelta) -> Range:
    """What a loadpoint was drawing when a meter was read."""
    loadpoint = work.state.loadpoints[index]
    if not facts.is_measured:
        return _estimated_at(work, loadpoint, facts, metered_at)
    samples = loadpoint.drawn
    if not samples or samples[-1].sampled_at < work.oldest:
        return _span([NO_LOAD, _load(work, facts, loadpoint.offer.drawable_a)])  # nobody knows
    newest = samples[-1]
    if not facts.is_connected and newest.sampled_at <= metered_at + ROUND:
        # what a vehicle that has left was drawing before is no excuse for what the meter shows now
        return _span([newest.value] if newest.sampled_at >= metered_at - ROUND else [NO_LOAD, newest.value])
    shown_from = metered_at - METER_LAG
    offer, commanded_at = loadpoint.offer, loadpoint.effect_at
    is_obeyed = commanded_at is not None and commanded_at + OBEDIENCE <= shown_from
    around = [each.value for each in samples if each.sampled_at > shown_from]
    before = next((each.value for each in reversed(samples) if each.sampled_at <= shown_from), None)
    if before is not None:
        around.append(_at_most(before, offer.current_a, _voltage_v(work)) if is_obeyed else before)
    is_ramping = offer.raised_at is not None and newest.sampled_at < offer.raised_at + RAMP
    if is_ramping or newest.sampled_at < metered_at - ROUND:
        # the meter may show what no sample does yet: how a command takes effect, or a vehicle that begins by itself
        around.append(_load(work, facts, offer.current_a if is_obeyed else offer.drawable_a))
    standing_a = loadpoint.charger.standing_a
    if standing_a is not None and newest.sampled_at < metered_at - ROUND:  # it may have been lowered since
        around.append(_at_most(newest.value, standing_a.least_a, _voltage_v(work)))
    return _span(around)


def _estimated_at(work: Work, loadpoint: LoadpointState, facts: Facts, metered_at: timedelta) -> Range:
    """What an unmetered vehicle was drawing, of what it was offered then or since [MEA-2]."""
    least_w = surely_taken(loadpoint.doubts, loadpoint.watch, metered_at, work.layout.voltage_v)
    standing_a = loadpoint.charger.standing_a
    # what may have been lowered since, by a command whose answer was lost, is not surely drawn
    least_a = min(least_w / (facts.limited * _voltage_v(work)), 0.0 if standing_a is None else standing_a.least_a)
    return Range(_load(work, facts, least_a), _load(work, facts, loadpoint.offer.drawable_a))


def _at_most(load: Load, current_a: float, voltage_v: float) -> Load:
    """``load`` after the vehicle has followed an offer of ``current_a``."""
    if max(load.currents_a) <= current_a:
        return load
    first, second, third = (min(each, current_a) for each in load.currents_a)
    return Load((first, second, third), min(load.power_w, (first + second + third) * voltage_v))


def _load(work: Work, facts: Facts, current_a: float) -> Load:
    """``current_a`` on the phases that a loadpoint may use."""
    currents = [0.0, 0.0, 0.0]
    for phase in facts.layout.config.phase_rotation[: facts.limited]:
        currents[phase - 1] = current_a
    return Load((currents[0], currents[1], currents[2]), current_a * facts.limited * _voltage_v(work))


def _sample(work: Work, index: int, facts: Facts) -> Measured[Load] | None:
    """The load of a loadpoint on the grid phases: measured, or worked out from its power; None: unknown."""
    rotation = facts.layout.config.phase_rotation
    power = work.state.loadpoints[index].power
    drawn = [0.0, 0.0, 0.0]
    currents_a = facts.currents_a if facts.currents_a is None or are_numbers(facts.currents_a) else None
    if currents_a is not None:
        for phase, current in zip(rotation, currents_a, strict=True):
            drawn[phase - 1] = max(current, 0.0)
    elif facts.power_w is not None:
        for phase in rotation[: facts.limited]:
            drawn[phase - 1] = max(facts.power_w, 0.0) / (facts.limited * _voltage_v(work))
    else:
        return None
    power_w = sum(drawn) * work.layout.voltage_v if facts.power_w is None else max(facts.power_w, 0.0)
    chargers = work.readings.chargers
    sampled_at = work.instant if power is None else power.sampled_at
    if currents_a is not None and index < len(chargers) and isinstance(chargers[index].currents_a, Measured):
        currents = chargers[index].currents_a
        sampled_at = currents.sampled_at if isinstance(currents, Measured) else sampled_at
    return Measured(Load((drawn[0], drawn[1], drawn[2]), power_w), sampled_at)


def _phase_currents(work: Work, meter: MeterReading) -> Measured[PhaseTriple] | None:
    """Signed phase currents; worked out from phase powers, at the meter's own voltages, where it has no currents [SITE-8]."""
    currents, powers = meter.currents_a, meter.powers_w
    is_power_known = isinstance(powers, Measured) and _is_fresh(work, powers)
    if isinstance(currents, Measured) and _is_fresh(work, currents):
        if not isinstance(powers, Measured) or not is_power_known:
            return currents
        return Measured(signed_currents(currents.value, powers.value), currents.sampled_at)
    if isinstance(powers, Measured) and is_power_known:
        first, second, third = powers.value
        one_v, two_v, three_v = _phase_voltages(work, meter)
        return Measured((first / one_v, second / two_v, third / three_v), powers.sampled_at)
    return None


def _phase_voltages(work: Work, meter: MeterReading) -> PhaseTriple:
    """What a meter shows of each phase, the assumed voltage where that can be none of a phase."""
    assumed_v, voltages = work.layout.voltage_v, meter.voltages_v
    if not isinstance(voltages, Measured) or not _is_fresh(work, voltages):
        return (assumed_v, assumed_v, assumed_v)
    low_v, high_v = assumed_v / VOLTAGE_SHARE_MAX, assumed_v * VOLTAGE_SHARE_MAX
    first, second, third = (each if low_v <= each <= high_v else assumed_v for each in voltages.value)
    return (first, second, third)


def signed_currents(currents_a: PhaseTriple, powers_w: PhaseTriple) -> PhaseTriple:
    """Currents of a meter that shows them without sign: negative where the phase's power is [SITE-8], NaN without a power."""
    first, second, third = (
        -current if current > 0 and power < 0 else current if power == power else math.nan
        for current, power in zip(currents_a, powers_w, strict=True)
    )
    return (first, second, third)


def _is_fresh(work: Work, reading: Reading[T]) -> bool:
    return isinstance(reading, Measured) and reading.sampled_at >= work.oldest


def _merged(old: MeterReading | None, new: MeterReading) -> MeterReading:
    """The newest values; a failed one, or one that is no number, leaves the last one until it is too old [DEF-48]."""
    known = UNKNOWN_METER if old is None else old
    power, powers, currents, voltages = new.power_w, new.powers_w, new.currents_a, new.voltages_v
    return MeterReading(
        power_w=power if isinstance(power, Measured) and math.isfinite(power.value) else known.power_w,
        powers_w=powers if isinstance(powers, Measured) and math.isfinite(sum(powers.value)) else known.powers_w,
        currents_a=currents
        if isinstance(currents, Measured) and math.isfinite(sum(currents.value))
        else known.currents_a,
        voltages_v=voltages if isinstance(voltages, Measured) else known.voltages_v,
    )


def _span(loads: list[Load]) -> Range:
    currents = list(zip(*(load.currents_a for load in loads), strict=True))
    powers = [load.power_w for load in loads]
    (a, b, c), (x, y, z) = map(min, currents), map(max, currents)
    return Range(Load((a, b, c), min(powers)), Load((x, y, z), max(powers)))


def _sum(one: Load, other: Load) -> Load:
    return Load(_plus(one.currents_a, other.currents_a), one.power_w + other.power_w)


def _plus(one: PhaseTriple, other: PhaseTriple) -> PhaseTriple:
    first, second, third = (a + b for a, b in zip(one, other, strict=True))
    return (first, second, third)


def _minus(one: PhaseTriple, other: PhaseTriple) -> PhaseTriple:
    first, second, third = (a - b for a, b in zip(one, other, strict=True))
    return (first, second, third)
