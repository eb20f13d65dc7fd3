"""The adaptive law: it moves by what is at stake and follows by what is new (docs/law.md).

`evcclib.laws.roof` divides sun and limits among all. `evcclib.laws.account` says when a car starts, stops and changes its phases,
by the sun that would be its own. Between two moves the current follows its share: as soon as standing still has cost energy worth
a command, at once where it is much. Each sample is decided on once; what a command has not had the time to change is waited for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import NamedTuple

from evcclib.allowed import Allowed, Table, number, whole
from evcclib.laws.account import (
    ALL,
    NEVER_EUR,
    NOTHING_PAID,
    ONE,
    OPEN_ALL,
    OPEN_ONE,
    Account,
    Move,
    Span,
    accrue,
    best,
    prices,
    rates,
)
from evcclib.laws.demand import because
from evcclib.laws.lateness import AGES, NOTHING_HEARD, Drawn, Lateness, heard
from evcclib.laws.law import Ask, Law, News, Outlook, Seen, SiteSeen, Target, Turn
from evcclib.laws.ration import FULL, SPARED_MAX, Ration, rest, saved, saved_at, spent
from evcclib.laws.roof import Party, Roof
from evcclib.laws.shares import Claim
from evcclib.laws.without_sun import too_little, without_grid
from evcclib.machines.charger import may_switch
from evcclib.machines.hold import Timer, elapsed, first_after
from evcclib.machines.phases import active_phases_max, is_settling, patience
from evcclib.machines.replaced import often_replaced
from evcclib.machines.surplus import steady
from evcclib.model import PhaseAction, PvAction
from evcclib.reasons import Reason, ReasonCode
from evcclib.settings import LoadpointSettings
from evcclib.units import Instant

AHEAD_S = 60.0
AHEAD_MAX_W = 1000.0
"""Moves are about the sun of a little later: on the line through the last two samples, so far beyond the last at most."""
SAMPLE_MAX_S = 60.0
"""A sample says nothing of what is later than this."""
SPREAD_S = 300.0
"""The spread of the samples is that of the last minutes."""
MARGIN_PART = 0.1
"""Of the spread, what is left to the grid so that less is bought: what is bought costs hardly more than what is left."""
ENABLE_DELAY, DISABLE_DELAY = timedelta(minutes=1), timedelta(minutes=3)
"""An owner's delays by default; with these a move costs what it costs."""
RELAY_GUARD = timedelta(minutes=10)
"""One change of phases is spared for each of these, a few in a row sooner (`evcclib.laws.ration`)."""
COMMAND_WS = 900.0
"""So much energy, bought or left by standing still, is worth a command: a quarter of a watt-hour."""
STEP_A = 1.0
"""So far from its aim a current is set at once."""
TINY_EUR = 1e-9
"""What is missing to a move at least while the contactor rests."""
ALWAYS = timedelta(hours=1)
"""What is not due within this is not waited for."""
PROMISED = timedelta(seconds=30)
"""So long a car may take to follow a higher offer; what it has not taken by then is somebody else's."""
UNUSED_A = 1.0
"""A car that draws so much less than it is offered does not use it; so much more than it draws it is left to rise again."""
VOLTAGE_PART = 0.15
"""The voltage of a phase is within this part of the configured one (EN 50160: 10 %, and some)."""
VOLTAGE_SAMPLES = 30
"""What an ampere gives is a mean of about so many samples."""


class Waits(NamedTuple):
    """What a loadpoint waits for, and until when if everything stays as it is."""

    pv_action: PvAction = PvAction.INACTIVE
    pv_at: Timer = None
    phase_action: PhaseAction = PhaseAction.INACTIVE
    phase_at: Timer = None


FOR_NOTHING = Waits()


@often_replaced
class Memory(NamedTuple):
    """Of a loadpoint: its account; the newest sample of the sun that it could have, and how far samples lie apart [W]; what its
    present current has bought (+) or left (-) [Ws]; the moves that its contactor and its relay are spared; since when the sun
    has been short of the minimum; the position that it waits for room in, 0 none; whether it has not taken what it was offered
    last; when it was offered more while it made use of what it had; what it has had of the sun [kWh]; what an ampere that it
    is offered gives in each phase [V], and the samples that say so."""

    account: Account = NOTHING_PAID
    sampled_at: Timer = None
    sun_w: float = 0.0
    spread_w: float = 0.0
    missed_ws: float = 0.0
    ration: Ration = FULL
    relay: Ration = FULL
    short_since: Timer = None
    is_hurried: bool = False
    waits: Waits = FOR_NOTHING
    coming: int = 0
    has_declined: bool = False
    promised_at: Timer = None
    got_kwh: float = 0.0
    voltage_v: float = 0.0
    voltage_samples: int = 0


@dataclass(frozen=True, slots=True)
class SiteMemory:
    """How late the grid meter is."""

    lateness: Lateness = NOTHING_HEARD


FRESH = Memory()
_FINITE = 1e12


class Adaptive(Law):
    """All loadpoints at once: each decides on what would be its own of the sun and of the limits."""

    name = "adaptive"
    fresh = FRESH
    fresh_site = SiteMemory()
    allowed: Table = MappingProxyType(
        {
            Memory: {
                "account": Allowed(
                    f"four numbers of 0..{_FINITE:g} EUR",
                    lambda value: (
                        isinstance(value, tuple)
                        and len(value) == len(NOTHING_PAID)
                        and all(0 <= each <= _FINITE for each in value)
                    ),
                ),
                "sun_w": number(-_FINITE, _FINITE, "W"),
                "spread_w": number(0, _FINITE, "W"),
                "missed_ws": number(-_FINITE, _FINITE, "Ws"),
                "coming": whole(0, ALL),
                "got_kwh": number(0, _FINITE, "kWh"),
                "voltage_v": number(0, 1000, "V"),
                "voltage_samples": whole(0, VOLTAGE_SAMPLES),
            },
            Ration: {"spared": number(0, SPARED_MAX)},
            Lateness: {
                "suns_w": Allowed(
                    f"{len(AGES)} numbers [W], or none",
                    lambda value: isinstance(value, tuple) and len(value) in (0, len(AGES)),
                ),
                "doubts_w": Allowed(
                    f"{len(AGES)} numbers of 0..{_FINITE:g} W",
                    lambda value: (
                        isinstance(value, tuple)
                        and len(value) == len(AGES)
                        and all(0 <= each <= _FINITE for each in value)
                    ),
                ),
                "believed": whole(0, len(AGES) - 1),
                "grid_w": number(-_FINITE, _FINITE, "W"),
            },
            Drawn: {"power_w": number(-_FINITE, _FINITE, "W")},
        }
    )

    def decide(self, seen: SiteSeen) -> tuple[SiteMemory, Ask]:
        """The sun is one for all; who has moved in this step counts from then on as what it has become."""
        sights = {index: _Sight(seen, each, 3) for index, each in enumerate(seen.loadpoints) if each.demand.follows_sun}
        memory, roof = _look(seen, sights)

        def ask(before: Memory, turn: Turn) -> tuple[Target, Memory]:
            each, sight = seen.loadpoints[turn.loadpoint], sights.get(turn.loadpoint)
            if sight is None:
                target = Target(each.demand.wanted_a, each.demand.phases, each.demand.is_forced, each.demand.reason)
                after = _forgotten(before)
            elif seen.sun.power_w is None:
                return without_grid(each, seen.sun.lost_at, seen.instant), _forgotten(before)
            else:
                if turn.phases_max < sight.phases_max:
                    sight = _Sight(seen, each, turn.phases_max)
                target, after = _target(sight, before, roof, turn.loadpoint)
            target = _within(each, target, roof, turn.loadpoint)
            return target, _promised(seen, each, target, after)

        return memory, ask

    def hear(self, memory: Memory, news: News) -> Memory:
        """What is in a hurry does not wait for its price; what follows no sun any more has no account."""
        match news:
            case News.HURRY | News.PHASES_SWITCHED:
                return memory if memory.is_hurried else memory._replace(is_hurried=True)
            case News.PV_LEFT | News.SUN_LEFT:
                return _forgotten(memory)
            case _:
                return memory

    def outlook(
        self,
        memory: Memory,
        *,
        settings: LoadpointSettings,  # noqa: ARG002  it is known since the decision
        is_charging: bool,  # noqa: ARG002
        idle_switches: int,  # noqa: ARG002
    ) -> Outlook:
        """The move that is next, and when."""
        waits = memory.waits
        return Outlook(waits.pv_action, waits.pv_at, waits.phase_action, waits.phase_at)

    def next_change(
        self,
        seen: SiteSeen,
        memory: SiteMemory,  # noqa: ARG002
        memories: Sequence[Memory],
    ) -> Instant | None:
        """The next tick while a car follows the sun: every sample is entered in its account. Else, within limits, when a car has
        had the time to take what it was offered."""
        if any(each.demand.follows_sun for each in seen.loadpoints):
            return seen.instant
        if seen.limits is None:
            return None
        promises = [each.promised_at for each in memories]
        return first_after(seen.instant, *(None if each is None else each + PROMISED for each in promises))


def _forgotten(memory: Memory) -> Memory:
    """Nothing but what the contactor is spared, and what was promised; the same object if that is so already."""
    later = Memory(ration=memory.ration, relay=memory.relay, promised_at=memory.promised_at)
    return memory if memory == later else later


def _look(seen: SiteSeen, sights: Mapping[int, _Sight]) -> tuple[SiteMemory, Roof]:
    """What there is to divide, and for whom."""
    memory: SiteMemory = seen.memory
    sun_w = 0.0
    if seen.sun.power_w is not None and sights:
        measured_w = [_drawn_w(each) for each in seen.loadpoints if _is_measured(each)]
        others_w = sum(_drawn_w(each) for each in seen.loadpoints if not each.demand.follows_sun and _is_measured(each))
        promised_w = sum(each.unseen_w for each in seen.loadpoints if not each.demand.follows_sun)
        unmeasured_w = sum(sight.drawn_w for sight in sights.values() if not _is_measured(sight.seen))
        beside_w = -seen.sun.power_w
        if measured_w:
            late = heard(memory.lateness, drawn_w=sum(measured_w), grid_w=seen.sun.power_w, at=seen.sun.sampled_at)
            memory, beside_w = SiteMemory(late), late.sun_w - others_w
        sun_w = beside_w + unmeasured_w - promised_w + max(0.0, seen.sun.residual_w)
    parties = {index: _party(sight) for index, sight in sights.items()} if seen.sun.power_w is not None else {}
    rooms = () if seen.limits is None else seen.limits.rooms()
    others = {}
    if seen.limits is not None:
        others = {
            index: _claim(seen, each)
            for index, each in enumerate(seen.loadpoints)
            if index not in parties and (each.demand.wanted_a > 0 or each.charger.is_enabled)
        }
    return memory, Roof(sun_w, parties, others, rooms, seen.sharing)


def _is_measured(seen: Seen) -> bool:
    return seen.taken is not None and seen.taken.least_w == seen.taken.most_w


def _drawn_w(seen: Seen) -> float:
    """What a measured car draws, as far as it is the car's."""
    is_its = seen.charger.is_enabled or seen.is_charging
    return seen.taken.likely_w if seen.taken is not None and is_its else 0.0


def _offered_a(seen: Seen) -> float:
    current_a = seen.charger.current_a
    return seen.demand.minimum_a if current_a is None else current_a


def _drawn_a(seen: Seen, voltage_v: float) -> float:
    """What a car draws in its busiest phase, as far as known."""
    known = [] if seen.currents_a is None else [each for each in seen.currents_a if each == each]
    return max(known) if known else _drawn_w(seen) / (seen.active * voltage_v)


def _is_using(seen: Seen, voltage_v: float) -> bool:
    """Whether a car makes use of what it is offered, for all that is known."""
    return seen.taken is None or _drawn_a(seen, voltage_v) > _offered_a(seen) - UNUSED_A


def _used_a(site: SiteSeen, seen: Seen) -> float:
    """What a car makes use of; unlimited until it has had the time to follow."""
    has_followed = seen.unseen_w <= 0 and elapsed(seen.memory.promised_at, site.instant) >= PROMISED
    is_known = has_followed and (seen.is_charging or seen.charger.is_enabled)
    if not is_known or _is_using(seen, site.voltage_v):
        return math.inf
    return _drawn_a(seen, site.voltage_v) + UNUSED_A


def _party(sight: _Sight) -> Party:
    """How the division sees a car that follows the sun."""
    site, seen, memory = sight.site, sight.seen, sight.seen.memory
    is_enabled = seen.charger.is_enabled
    is_on = seen.is_charging or (is_enabled and seen.unseen_w > 0)
    is_coming = seen.is_told and memory.coming > sight.position and memory.coming in sight.places()
    span = sight.span(memory.coming) if is_coming else sight.span(ONE + sight.is_wide)
    watts_a = sight.watts_a(memory.coming if is_coming else ONE + sight.is_wide)
    if is_on and seen.is_shown and _is_measured(seen) and _drawn_a(seen, site.voltage_v) > _offered_a(seen) + UNUSED_A:
        span = Span(max(span.min_w, sight.drawn_w), max(span.max_w, sight.drawn_w))  # it does not obey
    spans = [each for each in (sight.one, sight.every) if each is not None]
    whole = Span(min(each.min_w for each in spans), max(each.max_w for each in spans))
    if not is_on:
        span = span._replace(min_w=span.min_w + sight.residual_w)
        whole = whole._replace(min_w=whole.min_w + sight.residual_w)
    elif not seen.is_told:
        kept_w = _offered_a(seen) * watts_a
        span = whole = Span(kept_w, kept_w)
    return Party(
        seen.priority,
        is_on,
        is_coming,
        not is_enabled and seen.is_told and not memory.has_declined,
        sight.is_kept,
        _load_w(sight, watts_a),
        span,
        whole,
        watts_a,
        seen.step_a,
        _used_a(site, seen) * watts_a,
        int(memory.got_kwh),
    )


def _load_w(sight: _Sight, watts_a: float) -> float:
    """What a car draws, or may still come to draw of what it has been offered a while ago."""
    seen, instant = sight.seen, sight.site.instant
    if not seen.charger.is_enabled or seen.taken is None:
        return sight.drawn_w + max(0.0, seen.unseen_w)
    has_started = elapsed(seen.charger.enable_changed_at, instant) < PROMISED
    to_come_w = max(seen.unseen_w, sight.drawn_w - seen.taken.least_w if has_started else 0.0)
    is_following = _is_measured(seen) and elapsed(seen.memory.promised_at, instant) < PROMISED
    offered_w = _offered_a(seen) * watts_a if is_following else 0.0
    return max(sight.drawn_w + max(0.0, to_come_w), offered_w)


def _claim(site: SiteSeen, seen: Seen) -> Claim:
    """What a loadpoint that follows no sun wants of the limits [A]."""
    demand, is_enabled = seen.demand, seen.charger.is_enabled
    least_a, most_a = seen.minimum_a, max(seen.minimum_a, demand.wanted_a)
    if not seen.is_told:
        least_a = most_a = _offered_a(seen)
    used_a = max(least_a, _used_a(site, seen))
    unit = seen.active * site.voltage_v
    return Claim(least_a, most_a, seen.step_a, seen.priority, used_a, unit, is_held=is_enabled)


def _within(seen: Seen, target: Target, roof: Roof, index: int) -> Target:
    """No more than a loadpoint's part of the limits; what hardly differs from it stays."""
    offered_a = _offered_a(seen) if seen.charger.is_enabled else 0.0
    cap = roof.cap(index, offered_a)
    if cap is None or cap.granted >= target.current_a:
        return target
    current_a = cap.granted
    if abs(current_a - offered_a) < STEP_A:
        current_a = min(offered_a, target.current_a)
    return target._replace(current_a=current_a, reason=replace(target.reason, limit=cap.bound))


def _promised(site: SiteSeen, seen: Seen, target: Target, memory: Memory) -> Memory:
    """It is remembered when a car is offered more that has made use of what it had."""
    is_enabled = seen.charger.is_enabled
    is_more = target.current_a > (_offered_a(seen) if is_enabled else 0.0)
    if not is_more or (is_enabled and seen.is_charging and not _is_using(seen, site.voltage_v)):
        return memory
    return memory._replace(promised_at=site.instant)


def _target(sight: _Sight, memory: Memory, roof: Roof, index: int) -> tuple[Target, Memory]:
    """Decide for one car that follows the sun."""
    seen, demand, charger = sight.seen, sight.seen.demand, sight.seen.charger
    if not seen.is_shown:
        current_a = demand.minimum_a if charger.current_a is None else max(charger.current_a, demand.minimum_a)
        return Target(current_a if charger.is_enabled else 0.0, 0, False, seen.reason, may_start=False), memory
    sight.sun_w, sight.follow_w, sight.free_w = roof.own_w(index), roof.following_w(index), roof.free_w(index)
    sight.must_yield, sight.worth = roof.yields(index), 1.0 if charger.is_enabled else roof.worth(index)
    has_ended = charger.is_enabled and not seen.is_charging and not roof.parties[index].is_on
    has_declined = not seen.is_charging and (memory.has_declined or has_ended)
    if has_declined is not memory.has_declined:
        memory = memory._replace(has_declined=has_declined)
    target, memory = _follow(sight, memory)
    position = sight.position if target.phases == 0 else ALL if target.phases == 3 else ONE
    if target.current_a > 0 and (not charger.is_enabled or target.phases):
        roof.promise(index, target.current_a * sight.watts_a(position))
    elif target.current_a > sight.offered_a and _is_using(seen, sight.site.voltage_v):
        more_w = (target.current_a - sight.offered_a) * sight.watts_a(position)
        roof.promise(index, roof.parties[index].load_w + more_w)
    return target, memory


class _Sight:
    """What there is to decide on: where contactor and relay are and may be, and the sun that this car could have."""

    sun_w: float
    """What would be its own."""
    follow_w: float
    """What its current is to follow."""
    free_w: float
    """What the others leave as long as they have not reduced."""
    must_yield: bool
    worth: float
    """What of a price it is worth to it not to have its own."""

    def __init__(self, site: SiteSeen, seen: Seen, phases_max: int) -> None:
        self.site, self.seen, self.phases_max = site, seen, phases_max
        charger, demand, settings = seen.charger, seen.demand, seen.settings
        self.voltage_v = seen.memory.voltage_v if seen.memory.voltage_samples else site.voltage_v
        self.wide = seen.active
        self.one = self.every = None
        if seen.is_switchable:
            possible = active_phases_max(
                vehicle=seen.vehicle_phases,
                physical=charger.phases,
                measured=seen.measured_phases,
                configured=settings.phases_configured,
                is_switchable=True,
            )
            self.wide = min(phases_max, possible)
            self.one = self._span(1) if settings.phases_configured in (0, 1) else None
        if self.one is None or self.wide > 1:
            self.every = self._span(self.wide)
        self.is_wide = self.one is None or (charger.phases != 1 and self.every is not None)
        self.position = (ONE + self.is_wide) if charger.is_enabled else (OPEN_ONE + self.is_wide)
        starting, stopping = settings.enable_delay / ENABLE_DELAY, settings.disable_delay / DISABLE_DELAY
        self.moves = prices(
            is_switchable=self.one is not None and self.every is not None,
            switching=stopping if charger.is_enabled else starting,
            relay=stopping if self.position == ALL else starting,
        )
        sun = site.sun
        self.is_kept = demand.floor_a > 0 or (sun.is_buffered and seen.is_charging) or sun.is_buffer_start
        self.residual_w = max(0.0, sun.residual_w)
        self.grid_w = (0.0 if sun.power_w is None else sun.power_w) - self.residual_w
        self.drawn_w = self._drawn_w()

    def _span(self, phases: int) -> Span:
        watts_a = phases * self.voltage_v
        return Span(self.seen.demand.minimum_a * watts_a, self.seen.demand.wanted_a * watts_a)

    def _drawn_w(self) -> float:
        seen, charger = self.seen, self.seen.charger
        if seen.taken is not None:
            return seen.taken.likely_w if charger.is_enabled or seen.is_charging else 0.0
        offered_a = self.offered_a if seen.is_charging and charger.is_enabled else 0.0
        return offered_a * seen.active * self.voltage_v

    @property
    def offered_a(self) -> float:
        return _offered_a(self.seen)

    def span(self, position: int) -> Span:
        """What the car can draw in a position with a closed contactor."""
        span = self.one if position == ONE else self.every
        assert span is not None
        return span

    def watts_a(self, position: int) -> float:
        """What an ampere is in a position."""
        return (1 if position % 2 == 0 else self.wide) * self.voltage_v

    def has_enough(self, position: int, sun_w: float) -> bool:
        """Whether so much is enough to start in a position [PV-5]."""
        threshold_w = self.seen.settings.enable_threshold_w
        if threshold_w == 0:
            return sun_w - self.residual_w >= self.span(position).min_w
        return self.drawn_w - sun_w + self.residual_w <= threshold_w

    def is_free(self, position: int) -> bool:
        """Whether the others leave room for a position; whoever they are, a minimum that is kept does not wait for it."""
        return self.is_kept or self.has_enough(position, self.free_w)

    def places(self) -> list[int]:
        """Where contactor and relay can be at all."""
        ones = [] if self.one is None else [OPEN_ONE, ONE]
        return ones if self.every is None else [*ones, OPEN_ALL, ALL]

    @property
    def is_short(self) -> bool:
        """Whether it charges with less sun than it needs, and more is bought than an owner tolerates."""
        span = self.every if self.is_wide else self.one
        assert span is not None
        tolerated_w = self.seen.settings.disable_threshold_w
        is_tolerated = self.grid_w + self.residual_w < tolerated_w
        return self.seen.charger.is_enabled and not self.is_kept and self.sun_w < span.min_w and not is_tolerated

    def may_move_relay(self) -> bool:
        """Whether the relay may move, and for a car that nobody measures whether it should, whatever it takes [PH-6]."""
        seen, charger, instant = self.seen, self.seen.charger, self.site.instant
        if self.one is None or self.every is None or not may_switch(charger, instant):
            return False
        since = elapsed(charger.phases_switched_at, instant)
        delay = max(seen.settings.enable_delay, seen.settings.disable_delay)
        wait = patience(delay, is_charging=seen.is_charging, idle_switches=seen.idle_switches)
        if is_settling(charger.phases_switched_at, instant) or (not seen.is_charging and since < wait):
            return False
        if seen.taken is None:
            return False
        if not charger.is_enabled or seen.taken.least_w == seen.taken.most_w:
            return True
        if self.is_wide:
            return self.sun_w + seen.taken.most_w - self.drawn_w < self.every.min_w
        least_w = self.sun_w + seen.taken.least_w - self.drawn_w
        return least_w > self.one.max_w and least_w >= self.every.min_w

    def rested_at(self, ration: Ration) -> Instant:
        """From when on neither contactor nor relay has to rest any more."""
        charger, guard = self.seen.charger, self.seen.guard_duration
        times = [saved_at(ration, guard, self.site.instant)]
        times += [
            moved_at + rest(guard) for moved_at in (charger.guard, charger.phases_switched_at) if moved_at is not None
        ]
        return max(times)


def _follow(sight: _Sight, memory: Memory) -> tuple[Target, Memory]:
    seen = sight.seen
    memory, ahead_w, seconds = _entered(memory, sight.sun_w, sight.site.sun.sampled_at)
    if seconds > 0:
        memory = _with_voltage(sight, memory)
    margin_w = min(sight.residual_w, MARGIN_PART * memory.spread_w)
    tolerated_w = max(0.0, sight.seen.settings.disable_threshold_w)
    rate = rates(sight.sun_w - margin_w + ahead_w, sight.one, sight.every, tolerated_w=tolerated_w)
    if sight.worth < 1.0:
        rate = (rate[OPEN_ONE] * sight.worth, rate[OPEN_ALL] * sight.worth, rate[ONE], rate[ALL])
    is_at_stake = seen.is_charging or not seen.charger.is_enabled  # a car that does not take its offer buys nothing
    account = accrue(memory.account, rate, seconds, sight.moves) if seconds and is_at_stake else memory.account
    ration = saved(memory.ration, sight.seen.guard_duration, sight.site.instant)
    since = sight.site.instant if memory.short_since is None else memory.short_since
    short_since = since if sight.is_short else None
    relay = saved(memory.relay, RELAY_GUARD, sight.site.instant)
    got_kwh = min(memory.got_kwh + max(0.0, sight.drawn_w) / 1000 * seconds / 3600, _FINITE)
    memory = memory._replace(account=account, ration=ration, relay=relay, short_since=short_since, got_kwh=got_kwh)
    goal = _goal(sight, memory, rate)
    is_coming = goal.missing <= 0 and goal.position > sight.position and not sight.is_free(goal.position)
    is_hurried, coming = memory.is_hurried and is_coming, goal.position if is_coming else 0
    if (is_hurried, coming) != (memory.is_hurried, memory.coming):
        memory = memory._replace(is_hurried=is_hurried, coming=coming)
    if is_coming:
        goal = goal._replace(missing=TINY_EUR)
    if goal.position != sight.position and goal.missing <= 0:
        ration = spent(ration, sight.site.instant)
        if goal.position % 2 != sight.position % 2:
            relay = spent(relay, sight.site.instant)
        return _moved(sight, goal.position, margin_w), memory._replace(
            ration=ration, relay=relay, short_since=None, waits=FOR_NOTHING, missed_ws=0.0
        )
    waits = _waits(sight, memory, goal, rate)
    if waits != memory.waits:
        memory = memory._replace(waits=waits)
    if not sight.seen.charger.is_enabled:
        is_waiting = waits.pv_action is PvAction.ENABLE
        reason = Reason(ReasonCode.SURPLUS_WAIT_ENABLE, until=waits.pv_at) if is_waiting else _too_little(sight)
        return Target(0.0, 0, False, reason), memory
    return _steered(sight, memory, margin_w, seconds)


def _entered(memory: Memory, sun_w: float, sampled_at: Instant) -> tuple[Memory, float, float]:
    """The memory with one sample more, how much more sun is expected a little later [W], and what the sample stands for [s]."""
    before = memory.sampled_at
    seconds = 0.0 if before is None else (sampled_at - before).total_seconds()
    if before is not None and seconds <= 0:
        return memory, 0.0, 0.0
    if before is None or seconds > SAMPLE_MAX_S:
        return memory._replace(sampled_at=sampled_at, sun_w=sun_w), 0.0, min(seconds, SAMPLE_MAX_S)
    change_w = sun_w - memory.sun_w
    ahead_w = min(max(change_w / seconds * AHEAD_S, -AHEAD_MAX_W), AHEAD_MAX_W)
    spread_w = memory.spread_w + seconds / SPREAD_S * (abs(change_w) - memory.spread_w)
    return memory._replace(sampled_at=sampled_at, sun_w=sun_w, spread_w=spread_w), ahead_w, seconds


def _with_voltage(sight: _Sight, memory: Memory) -> Memory:
    """What an ampere gives, after one sample more of a car that makes use of its offer and has had the time to follow it.

    By the configured voltage alone a car at 253 V would draw a tenth more than the sun gives, for ever.
    """
    seen, assumed_v = sight.seen, sight.site.voltage_v
    has_followed = seen.unseen_w <= 0 and elapsed(seen.charger.current_changed_at, sight.site.instant) >= PROMISED
    if not (has_followed and seen.is_charging and seen.charger.is_enabled and _is_measured(seen)):
        return memory
    shown_v = _drawn_w(seen) / (seen.active * sight.offered_a)
    if not _is_using(seen, sight.voltage_v) or abs(shown_v - assumed_v) > VOLTAGE_PART * assumed_v:
        return memory
    samples = min(memory.voltage_samples + 1, VOLTAGE_SAMPLES)
    voltage_v = memory.voltage_v + (shown_v - memory.voltage_v) / samples
    return memory._replace(voltage_v=voltage_v, voltage_samples=samples)


def _goal(sight: _Sight, memory: Memory, rate: Account) -> Move:
    """Where to go, now or as soon as it has been missed for long enough."""
    seen, settings, position = sight.seen, sight.seen.settings, sight.position
    here, open_here = ONE + sight.is_wide, OPEN_ONE + sight.is_wide
    allowed = [here] if sight.is_kept else [here, open_here]
    if memory.relay.spared >= 1 and sight.may_move_relay() and (sight.is_wide or sight.has_enough(ALL, sight.sun_w)):
        allowed.append(ONE if sight.is_wide else ALL)
    if not seen.charger.is_enabled:
        able = [each for each in allowed if each >= ONE and (sight.is_kept or sight.has_enough(each, sight.sun_w))]
        allowed = [*able, open_here]
        if able and (memory.is_hurried or sight.is_kept):
            return Move(max(able, key=lambda each: (sight.has_enough(each, sight.sun_w), each == here, each)), 0.0)
    goal = best(memory.account, position, sight.moves, allowed if position < ONE else sight.places())
    # a position that is only on the way to another gains nothing, nor does one that is dearer now
    if goal.position not in allowed or rate[goal.position] >= rate[position]:
        goal = Move(position, NEVER_EUR)
    is_overdue = elapsed(memory.short_since, sight.site.instant) >= settings.disable_delay
    if memory.short_since is not None and is_overdue and len(allowed) > 1:
        goal = Move(min((each for each in allowed if each != position), key=lambda each: rate[each]), 0.0)
    if sight.must_yield and open_here in allowed and position >= ONE:
        goal = Move(open_here, 0.0)
    is_rested = sight.site.instant >= sight.rested_at(memory.ration)
    return goal if is_rested else goal._replace(missing=max(goal.missing, TINY_EUR))


def _moved(sight: _Sight, goal: int, margin_w: float) -> Target:
    if goal in (OPEN_ONE, OPEN_ALL):
        return Target(0.0, 0, True, _too_little(sight))
    demand, phases = sight.seen.demand, sight.wide if goal == ALL else 1
    fair_a = (min(sight.sun_w, sight.free_w) - margin_w) / (phases * sight.voltage_v)
    current_a = min(max(fair_a, demand.minimum_a), demand.wanted_a)
    if goal % 2 == sight.position % 2:
        return Target(current_a, 0, True, because(ReasonCode.SURPLUS))
    return Target(current_a, 3 if goal == ALL else 1, True, because(ReasonCode.PHASE_SWITCH))


def _waits(sight: _Sight, memory: Memory, goal: Move, rate: Account) -> Waits:
    """What comes next if the sun stays as it is, and when."""
    instant, position = sight.site.instant, sight.position
    overdue_at = None if memory.short_since is None else memory.short_since + sight.seen.settings.disable_delay
    dearer = rate[position] - rate[goal.position]
    due = overdue_at
    if goal.position != position and dearer > 0 and goal.missing <= dearer * ALWAYS.total_seconds():
        worth_it_at = instant + timedelta(seconds=goal.missing / dearer)
        due = worth_it_at if overdue_at is None else min(worth_it_at, overdue_at)
    if due is None:
        return FOR_NOTHING
    due = max(due, sight.rested_at(memory.ration))
    if goal.position % 2 != position % 2:
        return Waits(phase_action=PhaseAction.SCALE_3P if goal.position == ALL else PhaseAction.SCALE_1P, phase_at=due)
    return Waits(PvAction.DISABLE if sight.seen.charger.is_enabled else PvAction.ENABLE, due)


def _steered(sight: _Sight, memory: Memory, margin_w: float, seconds: float) -> tuple[Target, Memory]:
    """The current that follows the sun where contactor and relay are."""
    seen, demand, offered_a = sight.seen, sight.seen.demand, sight.offered_a
    watts_a = seen.active * sight.voltage_v
    offered_w = offered_a * watts_a if seen.is_charging else 0.0
    unused_w = 0.0 if _is_measured(seen) else offered_w - sight.drawn_w
    aim_a = (sight.follow_w + unused_w - margin_w) / watts_a
    current_a = min(max(aim_a, demand.minimum_a), demand.wanted_a)
    missed_ws = 0.0
    if not seen.is_charging:
        current_a = steady(
            current_a,
            offered_a=seen.charger.current_a,
            unchanged_for=elapsed(seen.charger.current_changed_at, sight.site.instant),
            is_charging=False,
            is_exporting=sight.grid_w <= 0,
            current_min_a=demand.minimum_a,
            current_max_a=demand.wanted_a,
        )
    elif demand.minimum_a <= offered_a <= demand.wanted_a:
        error_a = offered_a - current_a
        before_ws = memory.missed_ws if error_a * memory.missed_ws >= 0 else 0.0
        missed_ws = before_ws + error_a * watts_a * seconds
        if abs(missed_ws) < COMMAND_WS and abs(error_a) < STEP_A:
            current_a = offered_a
        else:
            missed_ws = 0.0
    reason = _kept_reason(sight, memory.waits, aim_a)
    is_wanted = reason.code is not ReasonCode.SURPLUS_WAIT_DISABLE
    after = memory if missed_ws == memory.missed_ws else memory._replace(missed_ws=missed_ws)
    return Target(current_a, 0, False, reason, may_start=is_wanted), after


def _kept_reason(sight: _Sight, waits: Waits, aim_a: float) -> Reason:
    if aim_a >= sight.seen.demand.minimum_a:
        return because(ReasonCode.SURPLUS)
    if sight.is_kept:
        return because(ReasonCode.MINIMUM_POWER if sight.seen.demand.floor_a > 0 else ReasonCode.BATTERY_BUFFER)
    return Reason(ReasonCode.SURPLUS_WAIT_DISABLE, until=waits.pv_at)


def _too_little(sight: _Sight) -> Reason:
    return too_little(sight.site, sight.seen, sight.site.sun)
