"""State of charge between two answers of the vehicle [EST-1..EST-10, SOC-10..SOC-12].

```
   soc  = fetched + (energy - energy when it was fetched) / kwh_per_pct        at most 100
   kwh_per_pct starts at capacity / 0.9 / 100 and is learned once the SoC has risen by more than 10 %
```
Once answers have risen with the energy, one that is above all that can have been charged is not believed before it has stood for
half an hour: a cloud that lies for a while ends no charge [EST-10]. One that has fallen is: it ends none either. The estimate is
bounded: it never falls below what the vehicle said, and never rises faster than without any loss. An answer of 0 % may mean that
there is none: it never replaces another answer, nothing is learned from it, and an answer that stays although energy goes into
the vehicle is doubted (`is_doubted`).
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import NamedTuple

from evcclib.machines.hold import Timer, first_after
from evcclib.machines.plausible import is_soc, is_sure_soc
from evcclib.readings import ABSENT, Measured, Missing, Reading
from evcclib.units import HOUR, ZERO, Instant, whole_seconds

CHARGE_EFFICIENCY = 0.9
GRADIENT_RISE_PCT = 10.0
"""The SoC must have risen by more than this before a gradient is learned [EST-6]."""
EFFICIENCY_MIN = 0.5
"""A learned gradient that would mean more loss than this is capped: a plan made from it would start hours too early."""
MOVED_PCT = 2.0
"""Less is no movement of the SoC: it may be rounding."""
UNMOVED_SHARE = 0.1
"""A SoC that has not moved while this share of the capacity was charged is doubted ..."""
UNMOVED_KWH = 10.0
"""... or this much, where the capacity is not known: some 10 % of the largest batteries."""
RISE_SLACK_PCT = 5.0
RISE_SLACK = 1.2
"""So far may an answer be above what the session's energy allows without any loss, and so much less may the capacity be than its
owner thinks."""
BELIEVED_AFTER = timedelta(minutes=30)
"""What stands for so long is believed, whatever was charged."""
POWER_MIN_W = 1.0
"""Less than a watt charges nothing: with it there is no duration, as without power [N-4]."""
FULL_PCT = 100.0
PROGRESS_STEP_PCT = 10.0


class EstimatorConfig(NamedTuple):
    """``capacity_kwh`` 0 means unknown; then, or with ``estimates`` off, the SoC is just what was fetched [EST-9]."""

    capacity_kwh: float
    estimates: bool = True

    @property
    def is_active(self) -> bool:
        """Whether anything is estimated."""
        return self.estimates and self.capacity_kwh > 0


class SocState(NamedTuple):
    """``soc_pct`` None: not known yet. ``kwh_per_pct`` [kWh of charged energy per %] None: nothing has been learned.

    ``initial_pct``: where the rise that teaches the gradient starts. ``moved_pct``: the answer that has moved last.
    ``first_pct``: the answer with which a rise is compared. ``is_proven``:
    later ones have risen with the energy. ``odd_since``: since when answers rise by more than they can.
    """

    soc_pct: float | None = None
    fetched_pct: float | None = None
    fetched_energy_kwh: float = 0.0
    initial_pct: float | None = None
    initial_energy_kwh: float = 0.0
    kwh_per_pct: float | None = None
    moved_pct: float | None = None
    moved_energy_kwh: float = 0.0
    first_pct: float | None = None
    first_energy_kwh: float = 0.0
    is_proven: bool = False
    odd_since: Timer = None


UNKNOWN = SocState()
"""The state after a vehicle was assigned or connected: nothing is known, nothing learned [EST-1]."""


def step(
    state: SocState,
    *,
    charger_soc: Reading[float],
    vehicle_soc: Reading[float],
    energy_kwh: float,
    config: EstimatorConfig,
    instant: Instant,
    statuses_agree: bool = True,
) -> SocState:
    """The state after one look at the charger's SoC, the vehicle's SoC and the session's energy.

    A charger that supplies a SoC goes before the vehicle; while it fails the last value stands [EST-3]. Values that are no SoC
    count as not there [DEF-43], and so does 0 % where there is another. ``statuses_agree`` False: charger and vehicle disagree
    on whether it charges, so nothing is learned from this value [EST-5]. The same state comes back when nothing has changed.
    """
    fetched = _source(charger_soc, vehicle_soc, state.fetched_pct)
    if fetched is None:
        return state
    energy_kwh = max(energy_kwh, 0.0)
    if isinstance(charger_soc, Measured) or not _is_odd(state, fetched, energy_kwh, config):
        state = state if state.odd_since is None else state._replace(odd_since=None)
    elif state.odd_since is None or instant - state.odd_since < BELIEVED_AFTER:
        state = state if state.odd_since is not None else state._replace(odd_since=instant)
        assert state.fetched_pct is not None
        fetched = state.fetched_pct
    else:
        state = state._replace(
            first_pct=fetched, first_energy_kwh=energy_kwh, is_proven=False, odd_since=None, initial_pct=None
        )
    if state.moved_pct is None or abs(fetched - state.moved_pct) >= MOVED_PCT or energy_kwh < state.moved_energy_kwh:
        state = state._replace(moved_pct=fetched, moved_energy_kwh=energy_kwh)
    if not config.is_active:
        if state.soc_pct == fetched and state.fetched_pct == fetched:
            return state
        return state._replace(soc_pct=fetched, fetched_pct=fetched, fetched_energy_kwh=energy_kwh)
    if fetched == state.fetched_pct and energy_kwh >= state.fetched_energy_kwh:
        per_pct = gradient_kwh_per_pct(state, config)
        soc_pct = min(fetched + (energy_kwh - state.fetched_energy_kwh) / per_pct, FULL_PCT)
        return state if soc_pct == state.soc_pct else state._replace(soc_pct=soc_pct)
    return _fetched(state, fetched, energy_kwh, config, statuses_agree=statuses_agree)


def next_change(state: SocState, instant: Instant) -> Instant | None:
    """When an answer that rises by more than it can is believed."""
    return None if state.odd_since is None else first_after(instant, state.odd_since + BELIEVED_AFTER)


def is_doubted(state: SocState, energy_kwh: float, config: EstimatorConfig) -> bool:
    """Whether the answers have not moved although the session's energy says that they should have."""
    if state.moved_pct is None:
        return False
    unmoved_kwh = UNMOVED_SHARE * config.capacity_kwh / CHARGE_EFFICIENCY if config.capacity_kwh > 0 else UNMOVED_KWH
    return energy_kwh - state.moved_energy_kwh > unmoved_kwh


def by_energy(state: SocState, energy_kwh: float, config: EstimatorConfig) -> SocState:
    """``state`` with a SoC that counts what was charged since it moved last, if it is doubted and not an estimate already."""
    if config.is_active or config.capacity_kwh <= 0 or state.moved_pct is None:
        return state
    if not is_doubted(state, energy_kwh, config):
        return state
    risen_pct = (energy_kwh - state.moved_energy_kwh) / gradient_kwh_per_pct(state, config)
    return state._replace(soc_pct=min(state.moved_pct + risen_pct, FULL_PCT))


def gradient_kwh_per_pct(state: SocState, config: EstimatorConfig) -> float:
    """Charged energy [kWh] for one percent: learned, or from capacity and efficiency [EST-1, EST-6]."""
    if state.kwh_per_pct is not None:
        return state.kwh_per_pct
    return config.capacity_kwh / CHARGE_EFFICIENCY / FULL_PCT


def remaining_energy_kwh(state: SocState, target_pct: float, config: EstimatorConfig) -> float | None:
    """Energy [kWh] to charge until ``target_pct``; None without a SoC, 0 without a capacity [EST-7, DEF-42]."""
    if state.soc_pct is None:
        return None
    return max(0.0, target_pct - state.soc_pct) * gradient_kwh_per_pct(state, config)


def remaining_duration(state: SocState, target_pct: float, power_w: float, config: EstimatorConfig) -> timedelta | None:
    """Time to charge until ``target_pct`` at ``power_w``, in whole seconds; None when it cannot be told [EST-8, DEF-21]."""
    energy_kwh = remaining_energy_kwh(state, target_pct, config)
    if energy_kwh is None:
        return None
    if energy_kwh == 0:
        return ZERO
    return whole_seconds(HOUR * (energy_kwh * 1000.0 / power_w)) if power_w >= POWER_MIN_W else None


def effective_target_pct(target_pct: float) -> float:
    """A target of 0 means none, that is 100 [DEF-44]."""
    return target_pct if target_pct > 0 else FULL_PCT


def shown_limit_pct(target_pct: float, vehicle_limit_pct: float | None) -> float:
    """The SoC at which charging ends: the target or the vehicle's own limit, whichever comes first [SOC-10]."""
    limit_pct = FULL_PCT
    if vehicle_limit_pct is not None and is_sure_soc(vehicle_limit_pct):
        limit_pct = float(math.trunc(vehicle_limit_pct))
    return min(limit_pct, effective_target_pct(target_pct))


def progress(threshold_pct: float, soc_pct: float | None) -> float:
    """The next threshold; higher than ``threshold_pct`` when the SoC has passed it, which is to be announced [SOC-12]."""
    if soc_pct is None or soc_pct < threshold_pct:
        return threshold_pct
    steps = math.floor((soc_pct - threshold_pct) / PROGRESS_STEP_PCT) + 1
    return threshold_pct + steps * PROGRESS_STEP_PCT


def _is_odd(state: SocState, fetched: float, energy_kwh: float, config: EstimatorConfig) -> bool:
    """Whether an answer is above all that can have been charged since the one it is compared with."""
    if not state.is_proven or state.first_pct is None or not config.is_active or energy_kwh < state.first_energy_kwh:
        return False
    charged_pct = (energy_kwh - state.first_energy_kwh) / config.capacity_kwh * FULL_PCT
    return fetched > state.first_pct + RISE_SLACK * charged_pct + RISE_SLACK_PCT


def _source(charger_soc: Reading[float], vehicle_soc: Reading[float], last_pct: float | None) -> float | None:
    if charger_soc is ABSENT and vehicle_soc is ABSENT:
        return last_pct
    if isinstance(charger_soc, Missing) and charger_soc.since is not None:
        return last_pct
    is_zero = False
    for reading in (charger_soc, vehicle_soc):
        if isinstance(reading, Measured):
            if is_sure_soc(reading.value):
                return reading.value
            is_zero = is_zero or is_soc(reading.value)
    # Nobody falls to exactly 0 while plugged in; the answer before was a better one.
    return 0.0 if is_zero and last_pct is None else last_pct


def _fetched(
    state: SocState, fetched: float, energy_kwh: float, config: EstimatorConfig, *, statuses_agree: bool
) -> SocState:
    """A new value, or a counter that started again: the estimate starts over from here, and the gradient may be learned."""
    initial_pct, initial_energy_kwh, kwh_per_pct = state.initial_pct, state.initial_energy_kwh, state.kwh_per_pct
    if not state.first_pct or fetched < state.first_pct or energy_kwh < state.first_energy_kwh:
        state = state._replace(first_pct=fetched, first_energy_kwh=energy_kwh, is_proven=False)
    elif fetched - state.first_pct >= MOVED_PCT and energy_kwh > state.first_energy_kwh:
        state = state._replace(is_proven=True)
    if energy_kwh < state.fetched_energy_kwh:
        initial_pct = None  # the old baseline belongs to the old counter [DEF-22]
    if not initial_pct and statuses_agree:  # a rise from 0 % may be the step from no SoC to one
        initial_pct, initial_energy_kwh = fetched, energy_kwh
    if initial_pct is not None and statuses_agree:
        rise_pct, charged_kwh = fetched - initial_pct, energy_kwh - initial_energy_kwh
        if rise_pct > GRADIENT_RISE_PCT and charged_kwh > 0:
            lossless = config.capacity_kwh / FULL_PCT
            kwh_per_pct = min(max(charged_kwh / rise_pct, lossless), lossless / EFFICIENCY_MIN)
    return SocState(
        soc_pct=fetched,
        fetched_pct=fetched,
        fetched_energy_kwh=energy_kwh,
        initial_pct=initial_pct,
        initial_energy_kwh=initial_energy_kwh,
        kwh_per_pct=kwh_per_pct,
        moved_pct=state.moved_pct,
        moved_energy_kwh=state.moved_energy_kwh,
        first_pct=state.first_pct,
        first_energy_kwh=state.first_energy_kwh,
        is_proven=state.is_proven,
        odd_since=state.odd_since,
    )
