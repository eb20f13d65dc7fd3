"""The adaptive law: it moves by what is at stake and follows by what is new (docs/law.md).

`evcclib.laws.account` says when a car starts, stops and changes its phases. Between two moves the current follows the sun: as
soon as standing still has cost energy worth a command, at once where it is much. Each sample is decided on once; what a command
has not had the time to change is waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from evcclib.laws.law import Ask, Law, News, Outlook, Seen, SiteSeen, Sun, Target, Turn
from evcclib.laws.priorities import sun_by_turn
from evcclib.laws.ration import FULL, SPARED_MAX, Ration, rest, saved, saved_at, spent
from evcclib.laws.without_sun import too_little, without_grid
from evcclib.machines.charger import may_switch
from evcclib.machines.hold import Timer, elapsed
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
    has been short of the minimum; how late the grid meter is."""

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
    lateness: Lateness = NOTHING_HEARD


FRESH = Memory()
_FINITE = 1e12


class Adaptive(Law):
    """One loadpoint after the other, those of higher priority first; each sees what those before it leave."""

    name = "adaptive"
    fresh = FRESH
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

    def decide(self, seen: SiteSeen) -> tuple[None, Ask]:
        """Nothing is worked out before it is asked for."""
        sun_for = sun_by_turn(seen)

        def ask(memory: Memory, turn: Turn) -> tuple[Target, Memory]:
            return _target(seen, seen.loadpoints[turn.loadpoint], memory, sun_for(turn), turn.phases_max)

        return None, ask

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

    def next_change(self, seen: SiteSeen, memory: None, memories: Sequence[Memory]) -> Instant | None:  # noqa: ARG002
        """The next tick while a car follows the sun: every sample is entered in its account."""
        return seen.instant if any(each.demand.follows_sun for each in seen.loadpoints) else None


def _forgotten(memory: Memory) -> Memory:
    """Nothing but what the contactor is spared; the same object if that is so already."""
    later = Memory(ration=memory.ration, relay=memory.relay, lateness=memory.lateness)
    return memory if memory == later else later


def _target(site: SiteSeen, seen: Seen, memory: Memory, sun: Sun, phases_max: int) -> tuple[Target, Memory]:
    """Decide for one loadpoint, which sees ``sun``."""
    demand, charger = seen.demand, seen.charger
    if not demand.follows_sun:
        return Target(demand.wanted_a, demand.phases, demand.is_forced, demand.reason), _forgotten(memory)
    if sun.power_w is None:
        return without_grid(seen, sun.lost_at, site.instant), _forgotten(memory)
    sight = _Sight(site, seen, sun, sun.power_w, phases_max)
    if seen.taken is not None and seen.taken.least_w == seen.taken.most_w:
        late = heard(memory.lateness, drawn_w=sight.drawn_w, grid_w=sun.power_w, at=sun.sampled_at)
        memory = memory._replace(lateness=late)
        sight.sun_w = late.sun_w + sight.residual_w
    if not seen.is_shown:
        current_a = demand.minimum_a if charger.current_a is None else max(charger.current_a, demand.minimum_a)
        return Target(current_a if charger.is_enabled else 0.0, 0, False, seen.reason, may_start=False), memory
    return _follow(sight, memory)


class _Sight:
    """What there is to decide on: where contactor and relay are and may be, and the sun that this car could have."""

    def __init__(self, site: SiteSeen, seen: Seen, sun: Sun, site_power_w: float, phases_max: int) -> None:
        self.site, self.seen, self.sun = site, seen, sun
        charger, demand, settings = seen.charger, seen.demand, seen.settings
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
        self.is_kept = demand.floor_a > 0 or (sun.is_buffered and seen.is_charging) or sun.is_buffer_start
        self.residual_w = max(0.0, sun.residual_w)
        self.grid_w = site_power_w - self.residual_w
        self.drawn_w = self._drawn_w()
        self.sun_w = self.drawn_w - self.grid_w

    def _span(self, phases: int) -> Span:
        watts_a = phases * self.site.voltage_v
        return Span(self.seen.demand.minimum_a * watts_a, self.seen.demand.wanted_a * watts_a)

    def _drawn_w(self) -> float:
        seen, charger = self.seen, self.seen.charger
        if seen.taken is not None:
            return seen.taken.likely_w if charger.is_enabled or seen.is_charging else 0.0
        offered_a = self.offered_a if seen.is_charging and charger.is_enabled else 0.0
        return offered_a * seen.active * self.site.voltage_v

    @property
    def offered_a(self) -> float:
        current_a = self.seen.charger.current_a
        return self.seen.demand.minimum_a if current_a is None else current_a

    def has_enough(self, position: int) -> bool:
        """Whether there is enough to start in a position [PV-5]."""
        span = self.one if position == ONE else self.every
        assert span is not None
        threshold_w = self.seen.settings.enable_threshold_w
        if threshold_w == 0:
            return self.sun_w - self.residual_w >= span.min_w
        return self.grid_w + self.residual_w <= threshold_w

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
            return seen.taken.most_w - self.grid_w < self.every.min_w
        least_w = seen.taken.least_w - self.grid_w
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
    memory, ahead_w, seconds = _entered(memory, sight.sun_w, sight.sun.sampled_at)
    margin_w = min(sight.residual_w, MARGIN_PART * memory.spread_w)
    tolerated_w = max(0.0, sight.seen.settings.disable_threshold_w)
    rate = rates(sight.sun_w - margin_w + ahead_w, sight.one, sight.every, tolerated_w=tolerated_w)
    is_at_stake = seen.is_charging or not seen.charger.is_enabled  # a car that does not take its offer buys nothing
    account = accrue(memory.account, rate, seconds, sight.moves) if seconds and is_at_stake else memory.account
    ration = saved(memory.ration, sight.seen.guard_duration, sight.site.instant)
    since = sight.site.instant if memory.short_since is None else memory.short_since
    short_since = since if sight.is_short else None
    relay = saved(memory.relay, RELAY_GUARD, sight.site.instant)
    memory = memory._replace(account=account, ration=ration, relay=relay, short_since=short_since)
    goal = _goal(sight, memory, rate)
    memory = memory._replace(is_hurried=False)
    if goal.position != sight.position and goal.missing <= 0:
        ration = spent(ration, sight.site.instant)
        if goal.position % 2 != sight.position % 2:
            relay = spent(relay, sight.site.instant)
        return _moved(sight, goal.position, margin_w), memory._replace(
            ration=ration, relay=relay, short_since=None, waits=FOR_NOTHING, missed_ws=0.0
        )
    memory = memory._replace(waits=_waits(sight, memory, goal, rate))
    if not sight.seen.charger.is_enabled:
        waits = memory.waits
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


def _goal(sight: _Sight, memory: Memory, rate: Account) -> Move:
    """Where to go, now or as soon as it has been missed for long enough."""
    seen, settings, position = sight.seen, sight.seen.settings, sight.position
    here, open_here = ONE + sight.is_wide, OPEN_ONE + sight.is_wide
    allowed = [here] if sight.is_kept else [here, open_here]
    if memory.relay.spared >= 1 and sight.may_move_relay() and (sight.is_wide or sight.has_enough(ALL)):
        allowed.append(ONE if sight.is_wide else ALL)
    if not seen.charger.is_enabled:
        able = [each for each in allowed if each >= ONE and (sight.is_kept or sight.has_enough(each))]
        allowed = [*able, open_here]
        if able and (memory.is_hurried or sight.is_kept):
            return Move(max(able, key=lambda each: (sight.has_enough(each), each == here, each)), 0.0)
    goal = best(memory.account, position, sight.moves, allowed if position < ONE else sight.places())
    # a position that is only on the way to another gains nothing, nor does one that is dearer now
    if goal.position not in allowed or rate[goal.position] >= rate[position]:
        goal = Move(position, NEVER_EUR)
    is_overdue = elapsed(memory.short_since, sight.site.instant) >= settings.disable_delay
    if memory.short_since is not None and is_overdue and len(allowed) > 1:
        goal = Move(min((each for each in allowed if each != position), key=lambda each: rate[each]), 0.0)
    is_rested = sight.site.instant >= sight.rested_at(memory.ration)
    return goal if is_rested else goal._replace(missing=max(goal.missing, TINY_EUR))


def _moved(sight: _Sight, goal: int, margin_w: float) -> Target:
    if goal in (OPEN_ONE, OPEN_ALL):
        return Target(0.0, 0, True, _too_little(sight))
    demand, phases = sight.seen.demand, sight.wide if goal == ALL else 1
    fair_a = (sight.sun_w - margin_w) / (phases * sight.site.voltage_v)
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
    watts_a = seen.active * sight.site.voltage_v
    is_measured = seen.taken is not None and seen.taken.least_w == seen.taken.most_w
    offered_w = offered_a * watts_a if seen.is_charging else 0.0
    aim_a = ((sight.sun_w if is_measured else offered_w - sight.grid_w) - margin_w) / watts_a
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
    return Target(current_a, 0, False, reason, may_start=is_wanted), memory._replace(missed_ws=missed_ws)


def _kept_reason(sight: _Sight, waits: Waits, aim_a: float) -> Reason:
    if aim_a >= sight.seen.demand.minimum_a:
        return because(ReasonCode.SURPLUS)
    if sight.is_kept:
        return because(ReasonCode.MINIMUM_POWER if sight.seen.demand.floor_a > 0 else ReasonCode.BATTERY_BUFFER)
    return Reason(ReasonCode.SURPLUS_WAIT_DISABLE, until=waits.pv_at)


def _too_little(sight: _Sight) -> Reason:
    return too_little(sight.site, sight.seen, sight.sun)
