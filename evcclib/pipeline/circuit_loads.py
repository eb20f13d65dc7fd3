"""Which limits are in force now: circuits with what their meters show, and the grid operator's [DEF-47].

A meter and the loadpoints below it are read at different moments, and a command may lie between. So a loadpoint's part in what
a meter shows is known as a range over its samples around that of the meter, and the rest, the other loads, as a range too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import cache
from typing import NamedTuple

from evcclib.commands import BatteryMode, SwitchPhases
from evcclib.config import CircuitConfig
from evcclib.machines.hold import first_after
from evcclib.machines.limits.circuits import NO_LOAD, Allotment, Draw, Limit, Load
from evcclib.machines.limits.mean_power import Bought, count, left_w
from evcclib.machines.plausible import are_numbers
from evcclib.machines.unmetered import fallen, surely_taken, taken_of
from evcclib.model import PhaseTriple
from evcclib.pipeline.desk import LoadpointDesk, SiteDesk
from evcclib.pipeline.goals import charges_from_grid
from evcclib.pipeline.samples import fresh, fresh_value
from evcclib.pipeline.sharing import OBEDIENCE, RAMP
from evcclib.pipeline.state import Offer
from evcclib.readings import ABSENT, Measured, MeterReading
from evcclib.reasons import MEAN_POWER, UNBALANCE
from evcclib.units import Instant

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


class Needs(NamedTuple):
    """What a limit must know of the other loads; ``phases``: on which phase what nobody measures is drawn, too.

    ``is_patient``: it bears what a battery gives no more, until that is seen."""

    currents: bool = False
    power: bool = False
    phases: bool = False
    is_patient: bool = False


DrawnAt = Callable[[int, Instant], Range]
"""What a loadpoint was drawing when a meter was read."""
_UNEVEN = Needs(currents=True, phases=True)


def allotment(site: SiteDesk, claims: Callable[[LoadpointDesk], bool], *, calmly: bool = True) -> Allotment | None:
    """What divides the limits of this step; None when there are none. ``claims``: who counts on its minimum.

    ``calmly``: a limit of the mean power is followed; otherwise it only must not be lost, for which there is time.
    """
    if not site.layout.config.circuits and site.readings.operator_limit is None:
        return None
    limits = limits_in_force(site, calmly=calmly)
    if not limits:
        return None
    draws = tuple([_draw(lp, claims(lp)) for lp in site.desks])
    return Allotment(limits, draws, voltage_v=_voltage_v(site))


def see_voltage(site: SiteDesk) -> None:
    """Keep the highest voltage that is measured anywhere, as far as it is above the assumed one [DEF-47]."""
    assumed_v, highest = site.layout.voltage_v, site.state.voltage
    if highest is not None and site.instant - highest.sampled_at >= VOLTAGE_HELD:
        highest = None
    readings = site.readings
    shown = [meter.voltages_v for meter in readings.circuits.values()]
    shown += [charger.voltages_v for charger in readings.chargers]
    if readings.grid is not None:
        shown.append(readings.grid.voltages_v)
    for each in shown:
        voltages = fresh(each, site.oldest)
        if voltages is not None:
            for voltage_v in voltages.value:
                is_believed = assumed_v < voltage_v <= assumed_v * VOLTAGE_SHARE_MAX
                if is_believed and (highest is None or voltage_v >= highest.value):
                    highest = Measured(voltage_v, voltages.sampled_at)
    site.state.voltage = highest


def _voltage_v(site: SiteDesk) -> float:
    """The voltage at which a current is the most power that it can be."""
    highest = site.state.voltage
    return site.layout.voltage_v if highest is None else highest.value


def drawable_a(lp: LoadpointDesk) -> float:
    """What a loadpoint may be drawing at most: `committed_a`, or what is measured if it draws more than it was told [A]."""
    committed = committed_a(lp)
    drawn = lp.facts.report.drawn_a
    if drawn is None or not lp.state.charger.resists_current:
        return committed
    return max(committed, drawn.value)


def committed_a(lp: LoadpointDesk) -> float:
    """What a loadpoint may draw if it obeys: what may be offered, or all that can be when nobody knows [A].

    Who draws what it was told not to is counted with what is measured.
    """
    charger = lp.state.charger
    unknown_a = lp.layout.offers_a(lp.facts.bounds)
    if charger.runs_unasked:
        drawn = lp.facts.report.drawn_a
        return unknown_a if drawn is None else max(drawn.value, 0.0)
    return charger.committed_a(unknown_a)


def take_in(site: SiteDesk) -> None:
    """Keep what limits depend on: the newest values of circuit meters, and what the loadpoints draw [DEF-48]."""
    state, readings = site.state, site.readings
    newest: dict[str, MeterReading] = dict(readings.circuits)
    if readings.grid is not None:
        newest[GRID] = readings.grid
    state.meters = {**state.meters, **{name: _merged(state.meters.get(name), new) for name, new in newest.items()}}
    if site.layout.means:
        state.bought = {
            each.name: _bought(site, each) for each in site.layout.config.circuits if each.name in site.layout.means
        }
    voltage_v = _voltage_v(site)
    for lp in site.desks:
        sample, drawn = _sample(lp, voltage_v), lp.state.drawn
        if sample is not None and (not drawn or drawn[-1] != sample):
            lp.state.drawn = (*drawn, sample)[-SAMPLES_KEPT:]
        _see_offer(lp)


def _bought(site: SiteDesk, circuit: CircuitConfig) -> Bought:
    """What has been bought in the present window by what the circuit's meter shows."""
    meter, known = _meter_of(site, circuit), site.state.bought.get(circuit.name)
    sample = None if meter is None else fresh(meter.power_w, site.oldest)
    terms, age_max = site.layout.means[circuit.name], site.layout.age_max
    return count(known, sample, terms, age_max=age_max, instant=site.instant, utc=site.utc)


def _meter_of(site: SiteDesk, circuit: CircuitConfig) -> MeterReading | None:
    return site.state.meters.get(GRID if circuit.uses_grid_meter else circuit.name)


def _see_offer(lp: LoadpointDesk) -> None:
    """Keep what a loadpoint is offered, since when more than before, and the most it may have drawn since its newest sample."""
    state = lp.state
    before, drawn = state.offer, state.drawn
    charger = state.charger
    current_a = drawable_a(lp) if charger.may_be_enabled or charger.runs_unasked else 0.0
    is_known = charger.standing_a is not None or charger.runs_unasked
    raised_at = lp.instant if is_known and current_a > before.current_a else before.raised_at
    effect_at = state.effect_at
    is_obeyed = drawn and (effect_at is None or drawn[-1].sampled_at >= effect_at + OBEDIENCE)
    most_a = current_a if is_obeyed else max(current_a, before.drawable_a)
    state.offer = Offer(current_a, most_a, raised_at)


def next_change(site: SiteDesk) -> Instant | None:
    """When `see_voltage` or `allotment` could make something else of the same values."""
    state, operator = site.state, site.readings.operator_limit
    times = [] if state.voltage is None else [state.voltage.sampled_at + VOLTAGE_HELD]
    if operator is not None:
        times.append(operator.expires_at)
    if site.layout.config.circuits:
        for loadpoint in state.loadpoints:
            if loadpoint.effect_at is not None:
                times.append(loadpoint.effect_at + OBEDIENCE + METER_LAG)
            if loadpoint.offer.raised_at is not None:
                times.append(loadpoint.offer.raised_at + RAMP)
            if any(sample.value != loadpoint.drawn[-1].value for sample in loadpoint.drawn):
                times += [sample.sampled_at + METER_LAG for sample in loadpoint.drawn]
    return first_after(site.instant, *times)


def limits_in_force(site: SiteDesk, *, calmly: bool = True) -> tuple[Limit, ...]:
    """All of this step; ``calmly`` as in `allotment`."""
    limits: list[Limit] = []
    voltage_v = _voltage_v(site)
    # meters of one round were read at the same time, and so was what a meter shows
    drawn_at = cache(lambda index, metered_at: _drawn_at(site.desks[index], metered_at, voltage_v))
    operator = site.readings.operator_limit
    if operator is not None and site.instant < operator.expires_at:
        limits.append(Limit(name=OPERATOR, members=site.layout.everyone, power_max_w=max(operator.power_w, 0.0)))
    for circuit in site.layout.config.circuits:
        members = site.layout.members[circuit.name]
        if not members and not site.layout.batteries_of[circuit.name]:
            continue
        needs = Needs(currents=circuit.current_max_a is not None, power=circuit.power_max_w is not None)
        if needs.currents or needs.power:
            other = _other(site, circuit, needs, drawn_at)
            limit = Limit(circuit.name, members, circuit.current_max_a, circuit.power_max_w)
            limits.append(_beside(limit, circuit, other))
        if circuit.unbalance_max_a is not None:
            limit = Limit(circuit.name + UNBALANCE, members, unbalance_max_a=circuit.unbalance_max_a)
            limits.append(_beside(limit, circuit, _uneven(site, circuit, drawn_at)))
        if circuit.name in site.layout.means:
            terms, bought = site.layout.means[circuit.name], site.state.bought[circuit.name]
            most_w = left_w(bought, terms, instant=site.instant, utc=site.utc, calmly=calmly)
            limit = Limit(circuit.name + MEAN_POWER, members, power_max_w=most_w)
            limits.append(_beside(limit, circuit, _other(site, circuit, Needs(power=True, is_patient=True), drawn_at)))
    return tuple(limits)


def _beside(limit: Limit, circuit: CircuitConfig, other: Range | None) -> Limit:
    """``limit`` with the ``other`` loads in it, or as one that cannot be proven."""
    if other is None:
        return limit._replace(safe_current_a=circuit.safe_current_a, circuit=circuit.name)
    return limit._replace(other=other.least, other_most=other.most, circuit=circuit.name)


def _uneven(site: SiteDesk, circuit: CircuitConfig, drawn_at: DrawnAt) -> Range | None:
    """The other loads, for their differences between phases; where the meter shows no phases, the loadpoints' alone count."""
    if circuit.has_meter or circuit.uses_grid_meter:
        readings = site.readings.grid if circuit.uses_grid_meter else site.readings.circuits.get(circuit.name)
        kept = _meter_of(site, circuit)
        if readings is not None and kept is not None and _shows_no_phases(readings) and _shows_no_phases(kept):
            return Range(NO_LOAD, NO_LOAD)
    return _other(site, circuit, _UNEVEN, drawn_at)


def _shows_no_phases(meter: MeterReading) -> bool:
    return meter.currents_a is ABSENT and meter.powers_w is ABSENT


def _taken_of(lp: LoadpointDesk) -> float | None:
    state = lp.state
    offered_a = state.offer.drawable_a
    return taken_of(state.doubts, state.watch, offered_a=offered_a, voltage_v=lp.voltage_v, instant=lp.instant)


def _draw(lp: LoadpointDesk, claims_minimum: bool) -> Draw:
    state, facts = lp.state, lp.facts
    active, proven, pending = facts.limited, state.proven_phases, state.charger.pending
    if pending is not None:
        for command in pending.batch.commands:
            if isinstance(command, SwitchPhases):
                active, proven = max(active, command.phases), 0
    return Draw(
        rotation=tuple([phase - 1 for phase in lp.layout.config.phase_rotation]),
        active=active,
        minimum_a=facts.bounds.minimum_a,
        committed_a=drawable_a(lp),
        sure_a=state.charger.sure_a,
        drawable_a=state.offer.drawable_a,
        claims_minimum=claims_minimum,
        claimed=1 if state.narrowed is not None else 0,
        taken_a=None if facts.is_measured else _taken_of(lp),
        proven=proven,
    )


def _other(site: SiteDesk, circuit: CircuitConfig, needs: Needs, drawn_at: DrawnAt) -> Range | None:
    """What flows in ``circuit`` without its loadpoints, as far as a limit ``needs`` it; None: unknown."""
    other = _shown(site, circuit, needs, drawn_at)
    batteries = site.layout.batteries_of[circuit.name]
    if other is None or not batteries:
        return other
    return _with_batteries(site, batteries, other, needs)


def _with_batteries(site: SiteDesk, batteries: Mapping[int, bool], shown: Range, needs: Needs) -> Range:
    """``shown`` without what home batteries give, which may end at any moment, and with what they are about to take [CIR-3]."""
    least, most = shown
    for index, is_shown in batteries.items():
        config, power = site.layout.config.batteries[index], fresh(site.state.batteries[index], site.oldest)
        power_w = None if power is None else power.value
        counts = is_shown and not needs.is_patient
        given_w = max(power_w or 0.0, 0.0) if counts else 0.0
        if counts and power_w is None:  # a silent one may give as much as it may take: nobody is raised for that
            most = plus(most, battery_load(site, index, config.charge_power_w or 0.0))
        more_w = max(reserved_w(site, index) - max(-(power_w or 0.0), 0.0), 0.0)
        given, more = battery_load(site, index, given_w), battery_load(site, index, more_w)
        most = plus(most, plus(given, more))
        if config.phases == 3 or not needs.phases:
            least = plus(least, given)
        if config.charges_before_cars:
            least = plus(least, more)
    return Range(least, most)


def battery_load(site: SiteDesk, battery: int, power_w: float) -> Load:
    """So much of a home battery's power: on each phase what there may be of it."""
    phases = site.layout.config.batteries[battery].phases or 1  # nobody knows on which one
    current_a = power_w / (phases * _voltage_v(site))
    return Load((current_a, current_a, current_a), power_w)


def _battery_draws(site: SiteDesk, battery: int) -> Range | None:
    """What a home battery takes now, for a circuit that has no meter to show it; None: nobody knows."""
    power = fresh(site.state.batteries[battery], site.oldest)
    if power is None:
        return None
    most = battery_load(site, battery, max(-power.value, 0.0))
    is_on_all = site.layout.config.batteries[battery].phases == 3
    return Range(most if is_on_all else NO_LOAD._replace(power_w=most.power_w), most)


def reserved_w(site: SiteDesk, battery: int) -> float:
    """What a home battery takes from the grid, as far as it has been told to, or comes first where it is to."""
    config, control = site.layout.config.batteries[battery], site.state.battery_controls[battery]
    is_told = control.mode is BatteryMode.CHARGE
    comes_first = (
        config.charges_before_cars and BatteryMode.CHARGE in config.modes and charges_from_grid(site) is not None
    )
    return (config.charge_power_w or 0.0) if is_told or comes_first else 0.0


def _shown(site: SiteDesk, circuit: CircuitConfig, needs: Needs, drawn_at: DrawnAt) -> Range | None:
    """What the meter of ``circuit`` shows without its loadpoints. Without one it is the sum of what is below."""
    if not circuit.has_meter and not circuit.uses_grid_meter:
        least, most = NO_LOAD, NO_LOAD
        for index in site.layout.batteries_of[circuit.name]:
            if site.layout.config.batteries[index].circuit == circuit.name:
                drawn = _battery_draws(site, index)
                if drawn is None:
                    return None
                least, most = plus(least, drawn.least), plus(most, drawn.most)
        for child in site.layout.config.circuits:
            if child.parent == circuit.name:
                below = _shown(site, child, needs, drawn_at)
                if below is None:
                    return None
                least, most = plus(least, below.least), plus(most, below.most)
        return Range(least, most)
    meter = _meter_of(site, circuit)
    currents = None if meter is None else _phase_currents(site, meter)
    power = None if meter is None else fresh(meter.power_w, site.oldest)
    if (needs.currents and currents is None) or (needs.power and power is None):
        return None
    least_a = most_a = NO_LOAD.currents_a
    least_w = most_w = 0.0
    if currents is not None:
        least_a = most_a = currents.value
    if power is not None:
        least_w = most_w = power.value
    doubtful_a, doubtful_w = NO_LOAD.currents_a, 0.0  # what unmetered vehicles count with
    for index in site.layout.members[circuit.name]:
        lp = site.desks[index]
        is_measured = lp.facts.is_measured
        if currents is not None:
            drawn = drawn_at(index, currents.sampled_at)
            least_a = _minus(least_a, drawn.most.currents_a)
            most_a = _minus(most_a, drawn.least.currents_a)
            doubtful_a = doubtful_a if is_measured else _plus(doubtful_a, drawn.least.currents_a)
        if power is not None:
            drawn = drawn_at(index, power.sampled_at)
            least_w -= drawn.most.power_w
            most_w -= drawn.least.power_w
            doubtful_w += 0.0 if is_measured else drawn.least.power_w
    doubtful = Load(doubtful_a, doubtful_w)
    less = doubtful if needs.phases else _less_since(site, circuit, doubtful)
    return Range(Load(least_a, least_w), Load(_plus(most_a, less.currents_a), most_w + less.power_w))


def _less_since(site: SiteDesk, circuit: CircuitConfig, counted: Load) -> Load:
    """How much less than the ``counted`` load the unmetered vehicles in ``circuit`` may draw, if a load that has fallen since
    was theirs: together no more than that, whoever of them it was [MEA-2]."""
    members = [site.desks[index] for index in site.layout.members[circuit.name]]
    unmetered = [lp for lp in members if not lp.facts.is_measured]
    fallen_w = fallen(lp.state.watch for lp in unmetered)
    if fallen_w == 0:
        return NO_LOAD
    fewest = min(lp.facts.limited for lp in unmetered)
    first, second, third = (min(each, fallen_w / (fewest * _voltage_v(site))) for each in counted.currents_a)
    return Load((first, second, third), min(counted.power_w, fallen_w))


def _drawn_at(lp: LoadpointDesk, metered_at: Instant, voltage_v: float) -> Range:
    """What a loadpoint was drawing when a meter was read."""
    state = lp.state
    if not lp.facts.is_measured:
        return _estimated_at(lp, metered_at, voltage_v)
    shown_from = metered_at - METER_LAG
    offer, commanded_at = state.offer, state.effect_at
    may_follow = commanded_at is not None and commanded_at + OBEDIENCE > shown_from
    # who was told nothing, or has had the time to follow, is no excuse for more, although nobody may have seen it since
    offered_a = offer.drawable_a if may_follow else offer.current_a
    samples = state.drawn
    newest = fresh(samples[-1], lp.oldest) if samples else None
    if newest is None:
        return _span([NO_LOAD, _load(lp, offered_a, voltage_v)])
    if not lp.facts.is_connected and newest.sampled_at <= metered_at + ROUND:
        # what a vehicle that has left was drawing before is no excuse for what the meter shows now
        return _span([newest.value] if newest.sampled_at >= metered_at - ROUND else [NO_LOAD, newest.value])
    around = [each.value for each in samples if each.sampled_at > shown_from]
    before = next((each.value for each in reversed(samples) if each.sampled_at <= shown_from), None)
    if before is not None:
        is_obeyed = commanded_at is not None and not may_follow
        around.append(_at_most(before, offer.current_a, voltage_v) if is_obeyed else before)
    is_ramping = offer.raised_at is not None and newest.sampled_at < offer.raised_at + RAMP
    if is_ramping or newest.sampled_at < metered_at - ROUND:
        # the meter may show what no sample does yet: how a command takes effect, or a vehicle that begins by itself
        around.append(_load(lp, offered_a, voltage_v))
    standing_a = state.charger.standing_a
    if standing_a is not None and newest.sampled_at < metered_at - ROUND:  # it may have been lowered since
        around.append(_at_most(newest.value, standing_a.least_a, voltage_v))
    return _span(around)


def _estimated_at(lp: LoadpointDesk, metered_at: Instant, voltage_v: float) -> Range:
    """What an unmetered vehicle was drawing, of what it was offered then or since [MEA-2]."""
    state = lp.state
    least_w = surely_taken(state.doubts, state.watch, metered_at, lp.voltage_v)
    standing_a = state.charger.standing_a
    # what may have been lowered since, by a command whose answer was lost, is not surely drawn
    least_a = min(least_w / (lp.facts.limited * voltage_v), 0.0 if standing_a is None else standing_a.least_a)
    return Range(_load(lp, least_a, voltage_v), _load(lp, state.offer.drawable_a, voltage_v))


def _at_most(load: Load, current_a: float, voltage_v: float) -> Load:
    """``load`` after the vehicle has followed an offer of ``current_a``."""
    if max(load.currents_a) <= current_a:
        return load
    first, second, third = (min(each, current_a) for each in load.currents_a)
    return Load((first, second, third), min(load.power_w, (first + second + third) * voltage_v))


def may_draw(site: SiteDesk, members: Iterable[int], offered_a: Callable[[LoadpointDesk], float]) -> Load:
    """What loadpoints may draw together, each of what it is offered."""
    total = NO_LOAD
    for index in members:
        total = plus(total, _load(site.desks[index], offered_a(site.desks[index]), _voltage_v(site)))
    return total


def _load(lp: LoadpointDesk, current_a: float, voltage_v: float) -> Load:
    """``current_a`` on the phases that a loadpoint may use."""
    currents, phases = [0.0, 0.0, 0.0], lp.facts.limited
    for phase in lp.layout.config.phase_rotation[:phases]:
        currents[phase - 1] = current_a
    return Load((currents[0], currents[1], currents[2]), current_a * phases * voltage_v)


def _sample(lp: LoadpointDesk, voltage_v: float) -> Measured[Load] | None:
    """The load of a loadpoint on the grid phases: measured, or worked out from its power; None: unknown."""
    facts, rotation = lp.facts, lp.layout.config.phase_rotation
    drawn = [0.0, 0.0, 0.0]
    currents_a = facts.currents_a if facts.currents_a is None or are_numbers(facts.currents_a) else None
    if currents_a is not None:
        for phase, current in zip(rotation, currents_a, strict=True):
            drawn[phase - 1] = max(current, 0.0)
    elif facts.power_w is not None:
        for phase in rotation[: facts.limited]:
            drawn[phase - 1] = max(facts.power_w, 0.0) / (facts.limited * voltage_v)
    else:
        return None
    power_w = sum(drawn) * lp.voltage_v if facts.power_w is None else max(facts.power_w, 0.0)
    power, currents = lp.state.power, lp.reading.currents_a
    sampled_at = lp.instant if power is None else power.sampled_at
    if currents_a is not None and isinstance(currents, Measured):
        sampled_at = currents.sampled_at
    return Measured(Load((drawn[0], drawn[1], drawn[2]), power_w), sampled_at)


def _phase_currents(site: SiteDesk, meter: MeterReading) -> Measured[PhaseTriple] | None:
    """Signed phase currents; worked out from phase powers, at the meter's own voltages, where it has no currents [SITE-8]."""
    currents, powers = fresh(meter.currents_a, site.oldest), fresh(meter.powers_w, site.oldest)
    if powers is None:
        return currents
    if currents is not None:
        return Measured(signed_currents(currents.value, powers.value), currents.sampled_at)
    first, second, third = powers.value
    one_v, two_v, three_v = _phase_voltages(site, meter)
    return Measured((first / one_v, second / two_v, third / three_v), powers.sampled_at)


def _phase_voltages(site: SiteDesk, meter: MeterReading) -> PhaseTriple:
    """What a meter shows of each phase, the assumed voltage where that can be none of a phase."""
    assumed_v, voltages_v = site.layout.voltage_v, fresh_value(meter.voltages_v, site.oldest)
    if voltages_v is None:
        return (assumed_v, assumed_v, assumed_v)
    low_v, high_v = assumed_v / VOLTAGE_SHARE_MAX, assumed_v * VOLTAGE_SHARE_MAX
    first, second, third = (each if low_v <= each <= high_v else assumed_v for each in voltages_v)
    return (first, second, third)


def signed_currents(currents_a: PhaseTriple, powers_w: PhaseTriple) -> PhaseTriple:
    """Currents of a meter that shows them without sign: negative where the phase's power is [SITE-8], NaN without a power."""
    first, second, third = (
        -current if current > 0 and power < 0 else current if power == power else math.nan
        for current, power in zip(currents_a, powers_w, strict=True)
    )
    return (first, second, third)


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
    if len(loads) == 1:
        return Range(loads[0], loads[0])
    one, two, three = zip(*[load.currents_a for load in loads], strict=True)
    powers = [load.power_w for load in loads]
    least = Load((min(one), min(two), min(three)), min(powers))
    return Range(least, Load((max(one), max(two), max(three)), max(powers)))


def plus(one: Load, other: Load) -> Load:
    """Both together."""
    return Load(_plus(one.currents_a, other.currents_a), one.power_w + other.power_w)


def _plus(one: PhaseTriple, other: PhaseTriple) -> PhaseTriple:
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2])


def _minus(one: PhaseTriple, other: PhaseTriple) -> PhaseTriple:
    return (one[0] - other[0], one[1] - other[1], one[2] - other[2])
