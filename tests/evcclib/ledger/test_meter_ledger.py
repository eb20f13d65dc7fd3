"""Charged energy and time, whatever meters do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bench import Bench, loadpoint, site_config
from hypothesis import given, settings
from hypothesis import strategies as st

from evcclib.ledger import meter_ledger
from evcclib.ledger.meter_ledger import (
    EMPTY,
    STANDING,
    LedgerState,
    TimerState,
    charge_duration,
    timer_started,
    timer_stopped,
)
from evcclib.model import ChargeMode, ChargerStatus
from evcclib.readings import ABSENT, Measured, Missing, Reading
from evcclib.units import ORIGIN

SECOND: Any = timedelta(seconds=1)
MINUTE: Any = timedelta(minutes=1)
HOUR: Any = timedelta(hours=1)


def step(
    state: LedgerState,
    minutes: float,
    counter_kwh: float | None,
    power_w: float | None = None,
    *,
    charging: bool = True,
) -> LedgerState:
    now = minutes * MINUTE
    counter: Reading[float] = Missing(since=now) if counter_kwh is None else Measured(counter_kwh, now)
    return meter_ledger.step(state, counter=counter, power_w=power_w, is_charging=charging, now=now)


def follow(*looks: tuple[float, float | None, float | None]) -> LedgerState:
    state = EMPTY
    for minutes, counter_kwh, power_w in looks:
        state = step(state, minutes, counter_kwh, power_w)
    return state


@pytest.mark.rule("MET-2", "MET-4", "U-9")
def test_session_is_what_the_counter_gained_since_the_connect() -> None:
    state = meter_ledger.connected(step(EMPTY, 0, 2.0))
    assert step(state, 60, 3.0).session_kwh == pytest.approx(1.0)


@pytest.mark.rule("MET-2", "EV-10")
def test_next_session_starts_at_zero() -> None:
    state = follow((0, 2.0, None), (60, 3.0, None))
    assert meter_ledger.connected(state).session_kwh == 0
    assert step(meter_ledger.connected(state), 120, 4.5).session_kwh == pytest.approx(1.5)
    fresh = meter_ledger.connected(state)
    assert meter_ledger.connected(fresh) is fresh


@pytest.mark.rule("DEF-23", "MET-2")
def test_missing_total_at_the_start_does_not_count_the_whole_meter() -> None:
    state = meter_ledger.connected(step(EMPTY, 0, None))
    assert step(state, 10, 4711.0).session_kwh == 0
    assert step(step(state, 10, 4711.0), 20, 4712.0).session_kwh == pytest.approx(1.0)


@pytest.mark.rule("DEF-23")
def test_energy_found_at_start_up_is_not_counted_again() -> None:
    state = step(meter_ledger.connected(EMPTY), 0, 7.5)  # the charger's own session counter, in the middle of a session
    assert state.session_kwh == 0
    assert step(state, 60, 9.0).session_kwh == pytest.approx(1.5)


@pytest.mark.rule("DEF-23")
def test_total_that_was_missing_at_the_connect_takes_the_value_known_before() -> None:
    state = meter_ledger.connected(step(follow((0, 100.0, None)), 10, None))
    assert step(state, 60, 104.0).session_kwh == pytest.approx(4.0)


@pytest.mark.rule("DEF-23", "MET-4")
def test_jump_of_more_than_can_have_been_charged_is_a_misread() -> None:
    state = follow((0, 100.0, None), (1, 110.0, None))
    assert state.total_kwh == 0
    assert step(state, 2, 101.0).total_kwh == pytest.approx(1.0)
    assert follow((0, 100.0, None), (60, 110.0, None)).total_kwh == pytest.approx(10.0)
    state = meter_ledger.step(
        follow((0, 100.0, None)),
        counter=Measured(110.0, 8 * MINUTE),
        power_w=None,
        is_charging=True,
        now=8 * MINUTE,
        power_max_w=50_000.0,
    )
    assert state.total_kwh == pytest.approx(10.0)


@pytest.mark.rule("DEF-23", "MET-6")
@pytest.mark.parametrize("idle_h", [0.1, 3, 24, 240])
def test_counter_that_jumps_from_0_to_255_and_back_adds_nothing(idle_h: float) -> None:
    state = follow((0, 0.0, None))
    for minutes in range(1, int(idle_h * 60)):
        state = step(state, minutes, 0.0, 0.0, charging=False)
    before = int(idle_h * 60)
    looks = ((0, 0.0), (1, 255.0), (2, 0.0), (3, 255.0), (4, 255.0), (5, 255.0), (6, 0.0), (7, 255.0), (8, 0.0))
    for minutes, counter_kwh in looks:
        state = step(state, before + minutes, counter_kwh, 0.0, charging=False)
    assert state.total_kwh == 0
    state = step(state, before + 20, 0.1, 6000.0)
    assert step(state, before + 30, 1.1, 6000.0).total_kwh == pytest.approx(1.1)


@pytest.mark.rule("DEF-23", "MET-4")
def test_meter_that_is_replaced_goes_on_by_itself_and_power_tells_the_time_between() -> None:
    for new_kwh in (7000.0, 700.0, 3.0):
        state = follow(
            (0, 1234.0, 6000.0), (10, 1235.0, 6000.0), (10.5, new_kwh, 6000.0), (11.5, new_kwh + 0.1, 6000.0)
        )
        assert state.counter_kwh == new_kwh + 0.1
        assert step(state, 21.5, new_kwh + 1.1, 6000.0).total_kwh == pytest.approx(2.15)


@pytest.mark.rule("DEF-23", "MET-2")
def test_counter_may_show_late_what_was_charged_while_it_stood_or_was_not_asked() -> None:
    charging = follow((0, 100.0, None), *((minutes, 100.0, None) for minutes in range(1, 60)))
    assert step(charging, 60, 111.0).total_kwh == pytest.approx(11.0)
    stopped = charging
    for minutes in range(60, 600):
        stopped = step(stopped, minutes, 100.0, 0.0, charging=False)
    assert step(stopped, 600, 111.0, 0.0, charging=False).total_kwh == pytest.approx(11.0)  # at the end of the session
    idle = step(EMPTY, 0, 100.0, 0.0, charging=False)
    for minutes in range(1, 60):
        idle = step(idle, minutes, 100.0, 0.0, charging=False)
    assert step(idle, 60, 111.0).total_kwh == 0.0
    assert step(idle, 120, 111.0).total_kwh == pytest.approx(11.0)


@pytest.mark.rule("DEF-23")
def test_value_out_of_reach_that_stays_is_a_new_meter() -> None:
    state = follow((0, 100.0, None), (1, 5000.0, None), (1.5, 5000.1, None))
    assert state.counter_kwh == 100.0
    state = step(state, 2, 5000.2)
    assert state.counter_kwh == 5000.2
    assert state.total_kwh == 0
    assert step(state, 3, 5000.5).total_kwh == pytest.approx(0.3)


@pytest.mark.rule("DEF-23")
def test_two_different_misreads_are_not_a_new_meter() -> None:
    state = follow((0, 100.0, None), (1, 5000.0, None), (2, 9000.0, None), (2.5, 3000.0, None), (3.4, 3000.0, None))
    assert state.counter_kwh == 100.0
    assert step(state, 3.5, 3000.0).counter_kwh == 3000.0


@pytest.mark.rule("DEF-23", "MET-6")
def test_zero_of_a_counter_that_cannot_be_read_is_ignored() -> None:
    state = follow((0, 500.0, None), (1, 0.0, None), (2, 500.1, None))
    assert state.total_kwh == pytest.approx(0.1)
    assert follow((0, 0.0, None), (6, 0.5, None)).total_kwh == pytest.approx(0.5)


@pytest.mark.rule("DEF-23", "MET-6")
def test_zero_before_the_first_answer_does_not_make_the_meters_life_this_session() -> None:
    state = meter_ledger.connected(follow((0, 0.0, 6000.0), (1, 800.0, 6000.0)))
    state = step(step(state, 2, 800.1, 6000.0), 10, 800.9, 0.0)
    assert state.counter_kwh == 800.9
    assert state.total_kwh == pytest.approx(1.0)  # a minute of it by power, before the counter was believed
    assert follow((0, 0.0, None), (6, 3.0, None)).total_kwh == pytest.approx(3)


@pytest.mark.rule("DEF-23", "MET-6", "SES-3")
def test_counter_is_shown_only_as_far_as_it_is_believed() -> None:
    assert not meter_ledger.believes(EMPTY, 500.0)
    state = follow((0, 500.0, None), (1, 500.1, None))
    assert meter_ledger.believes(state, 500.1) and meter_ledger.believes(state, 500.095)
    for misread in (0.0, 9999.0, 499.0):
        assert not meter_ledger.believes(step(state, 2, misread), misread)
    restarted = step(state, 60, 0.5)
    assert meter_ledger.believes(restarted, 0.5)


@pytest.mark.rule("DEF-23", "MET-6")
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0])
def test_impossible_counter_is_ignored(bad: float) -> None:
    state = follow((0, 500.0, None))
    assert step(state, 1, bad) is state


@pytest.mark.rule("MET-6", "INV-9")
def test_counter_that_starts_again_goes_on_from_its_new_value() -> None:
    state = follow((0, 1.0, None), (60, 9.0, None), (120, 0.5, None), (121, 0.6, None))
    assert state.total_kwh == pytest.approx(8.6)


@pytest.mark.rule("DEF-23", "MET-4", "MET-6")
def test_restart_of_which_only_the_zero_was_seen_counts_from_where_the_counter_was() -> None:
    """The 0 may have stood for a counter that could not be read: 30 kWh before and after it are no energy, whatever flowed."""
    last = follow((0, 20.0, 11_000.0), (60, 30.0, 0.0), (61, 0.0, 22_000.0))
    silent = step(step(last, 95, None, 22_000.0), 143, 30.0, 0.0)
    assert silent.total_kwh == pytest.approx(10 + 22 * 34 / 60)  # what power bridged is not taken back
    assert step(silent, 203, 52.0, 0.0).total_kwh == pytest.approx(32.0)
    seen = step(step(last, 95, 22 * 34 / 60, 22_000.0), 143, 30.0, 0.0)
    assert seen.total_kwh == pytest.approx(40.0)


@pytest.mark.rule("DEF-23", "INV-9")
def test_counter_that_fell_too_far_up_is_no_restart() -> None:
    state = follow((0, 500.0, None), (1, 499.0, None))
    assert state.total_kwh == 0
    assert step(state, 1.5, 500.5).total_kwh == pytest.approx(0.5)
    replaced = step(step(state, 2, 499.0), 3, 499.4)
    assert replaced.total_kwh == pytest.approx(0.4)


@pytest.mark.rule("INV-9")
def test_counter_that_trembles_waits_until_it_is_passed() -> None:
    state = follow((0, 50.0, None), (60, 50.005, None), (61, 49.999, None), (62, 50.015, None))
    assert state.total_kwh == pytest.approx(0.015)


@pytest.mark.rule("MET-3", "MET-2")
def test_without_a_counter_power_is_integrated_while_charging() -> None:
    state = meter_ledger.step(EMPTY, counter=ABSENT, power_w=6000, is_charging=True, now=0 * HOUR)
    state = meter_ledger.step(state, counter=ABSENT, power_w=3000, is_charging=True, now=HOUR)
    assert state.session_kwh == pytest.approx(6)
    state = meter_ledger.step(state, counter=ABSENT, power_w=3000, is_charging=False, now=2 * HOUR)
    assert state.session_kwh == pytest.approx(9)
    later = meter_ledger.step(state, counter=ABSENT, power_w=3000, is_charging=False, now=3 * HOUR)
    assert later.session_kwh == pytest.approx(9)


@pytest.mark.rule("MET-3")
def test_unknown_or_negative_power_adds_nothing() -> None:
    state = follow((0, None, 6000.0), (60, None, None), (120, None, -500.0), (180, None, 0.0))
    assert state.total_kwh == pytest.approx(6)


@pytest.mark.rule("MET-4", "DEF-23")
def test_power_bridges_a_silent_counter_and_is_replaced_when_it_answers() -> None:
    state = follow((0, 100.0, 6000.0), (30, None, 6000.0))
    assert state.total_kwh == pytest.approx(3)
    assert step(state, 60, 106.2, 6000.0).total_kwh == pytest.approx(6.2)


@pytest.mark.rule("INV-9")
def test_bridge_that_was_too_long_is_not_taken_back_but_made_up_for() -> None:
    state = follow((0, 100.0, 6000.0), (30, None, 6000.0), (60, 105.0, 6000.0))
    assert state.total_kwh == pytest.approx(5)
    state = follow((0, 100.0, 6000.0), (30, None, 6000.0), (31, 102.0, 6000.0))
    assert state.total_kwh == pytest.approx(3)
    assert step(state, 60, 104.0, 0.0).total_kwh == pytest.approx(4)


@pytest.mark.rule("INV-9")
def test_counter_that_returns_unchanged_drops_the_bridge() -> None:
    state = follow((0, 100.0, 6000.0), (30, None, 0.0), (31, 100.0, 0.0))
    assert state.bridge_kwh == 0
    assert step(state, 60, 104.0).total_kwh == pytest.approx(4)


@pytest.mark.rule("MET-2")
def test_energy_before_the_first_answer_stays_counted() -> None:
    state = follow((0, None, 6000.0), (30, None, 6000.0), (60, 50.0, 6000.0), (90, 53.0, 0.0))
    assert state.total_kwh == pytest.approx(9)


@pytest.mark.rule("DEF-23")
def test_power_goes_on_counting_while_the_counter_is_doubted() -> None:
    state = follow((0, 100.0, 6000.0), (10, 5000.0, 6000.0), (20, 5001.0, 6000.0), (30, 5002.0, 6000.0))
    assert state.total_kwh == pytest.approx(3)


def test_readable_counter_goes_before_power() -> None:
    assert follow((0, 100.0, 9000.0), (60, 106.0, 9000.0)).total_kwh == pytest.approx(6)


def test_nothing_new_returns_the_same_state() -> None:
    idle = step(step(EMPTY, 0, 100.0, 0.0, charging=False), 1, 100.0, 0.0, charging=False)
    assert step(idle, 2, 100.0, 0.0, charging=False) is idle
    state = follow((0, 100.0, 0.0), (1, 100.0, 0.0))
    assert step(state, 2, 100.0, 0.0) is state
    assert step(state, 2, None, 0.0) is state
    same_instant = step(state, 3, 100.0, 500.0)
    assert step(same_instant, 3, 100.0, 500.0) is same_instant


@pytest.mark.rule("MET-5", "MET-6", "N-1")
def test_timer_runs_while_charging_only() -> None:
    state = timer_started(STANDING, MINUTE)
    assert timer_started(state, 2 * MINUTE) is state
    assert charge_duration(state, ABSENT, 3 * MINUTE) == 2 * MINUTE
    stopped = timer_stopped(state, 4 * MINUTE)
    assert timer_stopped(stopped, 9 * MINUTE) is stopped
    assert charge_duration(stopped, ABSENT, 9 * MINUTE) == 3 * MINUTE
    again = timer_started(stopped, 10 * MINUTE)
    assert charge_duration(again, ABSENT, 11 * MINUTE + 0.5 * SECOND) == 4 * MINUTE + SECOND
    assert charge_duration(TimerState(since=MINUTE), ABSENT, ORIGIN) == timedelta(0)


@pytest.mark.rule("MET-5")
def test_chargers_own_timer_goes_first() -> None:
    state = timer_started(STANDING, MINUTE)
    assert charge_duration(state, Measured(90.4 * SECOND, MINUTE), 9 * MINUTE) == 90 * SECOND
    assert charge_duration(state, Missing(since=MINUTE), 2 * MINUTE) == MINUTE


SPANS = st.lists(
    st.tuples(
        st.floats(1, 60),  # minutes
        st.sampled_from([0.0, 1380.0, 11_000.0, 22_000.0]),  # power of the car during them
        st.booleans(),  # the counter can be read at their end
        st.sampled_from(["", "", "", "unplug", "counter restarts", "misread"]),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=200)
@given(SPANS)
@pytest.mark.rule("INV-9", "DEF-23", "MET-4")
def test_sum_of_sessions_is_what_was_charged_whatever_the_meter_does(
    spans: list[tuple[float, float, bool, str]],
) -> None:
    """An honest car, a counter that is silent at times, starts again or says nonsense; the ledger must get all of it.

    A counter that starts again is seen before it is back where it was: else nobody could tell. Its 0 does not count as seen.
    """
    minutes, counter_kwh, charged_kwh, sessions = 0.0, 100.0, 0.0, []
    state = meter_ledger.connected(step(EMPTY, 0, counter_kwh, spans[0][1]))
    restarts, is_restart_unseen = 0, False
    for index, (length, power_w, is_readable, incident) in enumerate(spans):
        minutes += length
        energy_kwh = power_w * length / 60_000
        charged_kwh += energy_kwh
        counter_kwh += energy_kwh
        next_w = spans[index + 1][1] if index + 1 < len(spans) else 0.0
        must_be_seen = is_restart_unseen and counter_kwh > 0
        shown = 9e6 / (index + 2) if incident == "misread" and not must_be_seen else counter_kwh
        is_readable = is_readable or must_be_seen
        before = state.total_kwh
        state = step(state, minutes, shown if is_readable else None, next_w, charging=next_w > 0)
        assert state.total_kwh >= before
        assert state.session_kwh >= 0
        if incident == "unplug":
            sessions.append(state.session_kwh)
            state = meter_ledger.connected(state)
        is_restart_unseen = is_restart_unseen and not must_be_seen
        if incident == "counter restarts" and is_readable and counter_kwh > 30:
            counter_kwh, restarts, is_restart_unseen = 0.0, restarts + 1, True
    total_kwh = sum(sessions) + state.session_kwh
    assert total_kwh == pytest.approx(state.total_kwh)
    assert total_kwh == pytest.approx(charged_kwh, abs=meter_ledger.JITTER_KWH * (restarts + 1))


@pytest.mark.rule("DEF-23", "INV-9")
def test_restart_is_believed_only_for_what_could_be_charged_since_the_last_change() -> None:
    state = follow((0, 1.0, None), (60, 9.0, None))
    assert step(state, 61, 33.1 / 60).total_kwh == pytest.approx(8 + 33.1 / 60)
    assert step(state, 61, 33.2 / 60).total_kwh == pytest.approx(8)


@pytest.mark.rule("MET-4", "DEF-48")
def test_counter_that_is_shown_but_no_longer_sampled_is_silent() -> None:
    state = step(EMPTY, 0, 100.0, 6000.0)
    frozen = Measured(100.0, ORIGIN)
    for minutes in (5, 10, 65):
        state = meter_ledger.step(state, counter=frozen, power_w=6000.0, is_charging=True, now=minutes * MINUTE)
    assert state.total_kwh == pytest.approx(6.0)
    assert step(state, 66, 106.5, 0.0).total_kwh == pytest.approx(6.5)


@pytest.mark.rule("DEF-23")
def test_first_sample_is_a_baseline_however_old() -> None:
    old = Measured(100.0, ORIGIN)
    state = meter_ledger.step(EMPTY, counter=old, power_w=None, is_charging=False, now=9 * HOUR)
    assert step(state, 600, 100.5).total_kwh == pytest.approx(0.5)


@pytest.mark.rule("MET-3", "DEF-23")
def test_power_of_before_a_long_silence_is_not_taken_for_the_whole_of_it() -> None:
    state = follow((0, None, 6000.0))
    assert step(state, 60, None, 0.0).total_kwh == pytest.approx(6.0)
    state = step(state, 60.1, None, 6000.0)
    assert state.total_kwh == 0.0
    assert step(state, 120.1, None, 0.0).total_kwh == pytest.approx(6.0)


@pytest.mark.rule("DEF-23", "SES-3")
@pytest.mark.parametrize("counter", ["energy_total_kwh", "energy_session_kwh"])
def test_counter_that_jumps_makes_no_session_of_it(counter: str) -> None:
    config = site_config(loadpoint(mode=ChargeMode.NOW, **{f"has_{counter.removesuffix('_kwh')}": True}))
    bench = Bench(config)
    bench.box.status = ChargerStatus.B
    for second in range(0, 3 * 3600, 60):
        bench.box.extra = {counter: Measured(0.0, second * SECOND)}
        bench.at(second)
    bench.box.status, shown_kwh = ChargerStatus.C, (0.0, 255.0, 0.0, 0.0, 255.0, 0.0)
    for number, counter_kwh in enumerate(shown_kwh):
        second = 3 * 3600 + 10 * number
        bench.box.extra = {counter: Measured(counter_kwh, second * SECOND)}
        bench.at(second)
    assert bench.lp.session is not None
    assert bench.lp.session.energy_kwh < 0.2
