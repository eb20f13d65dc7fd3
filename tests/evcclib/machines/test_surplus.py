"""When charging from surplus starts and stops: the table, row by row, and as a series in time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from evcclib.machines.surplus import (
    ELAPSED,
    IDLE_REST,
    RESTING,
    Elapsed,
    Row,
    SunTimer,
    SurplusStep,
    Waiting,
    decide,
    due_at,
    effective_current,
    elapse,
    rest,
    steady,
    target_current,
)
from evcclib.model import PvAction
from evcclib.units import Instant

S: Any = timedelta(seconds=1)
TICK = timedelta(microseconds=1)


def stop(since: Instant) -> Waiting:
    return Waiting(PvAction.DISABLE, since)


def start(since: Instant) -> Waiting:
    return Waiting(PvAction.ENABLE, since)


def row(
    timer: SunTimer = RESTING,
    *,
    target: float,
    site: float = 0.0,
    at: Instant = 100 * S,
    enabled: bool = True,
    minpv: bool = False,
    buffered: bool = False,
    scaling: bool = False,
    enable: float = 0.0,
    disable: float = 0.0,
) -> SurplusStep:
    return decide(
        timer,
        instant=at,
        target_a=target,
        site_power_w=site,
        current_min_a=6.0,
        current_max_a=16.0,
        is_enabled=enabled,
        is_minpv=minpv,
        is_buffered=buffered,
        is_scaling_phases=scaling,
        enable_threshold_w=enable,
        enable_delay=60 * S,
        disable_threshold_w=disable,
        disable_delay=60 * S,
    )


@pytest.mark.rule("PV-2", "DEF-8")
def test_effective_current_is_the_busiest_phase_with_slack() -> None:
    assert effective_current(is_charging=False, currents_a=(9, 9, 9), current_offered_a=16) == 0
    assert effective_current(is_charging=True, currents_a=None, current_offered_a=16) == 16
    assert effective_current(is_charging=True, currents_a=(0, 8, 0), current_offered_a=16) == 10
    assert effective_current(is_charging=True, currents_a=(15, 15, 15), current_offered_a=16) == 16
    unknown = float("nan")
    assert effective_current(is_charging=True, currents_a=(unknown, 8, unknown), current_offered_a=16) == 10


@pytest.mark.rule("PV-3", "U-8")
def test_target_takes_the_whole_error_and_is_never_negative() -> None:
    assert target_current(effective_a=6, site_power_w=-690, phases=3, voltage_v=230) == pytest.approx(7)
    assert target_current(effective_a=6, site_power_w=-690, phases=1, voltage_v=230) == pytest.approx(9)
    assert target_current(effective_a=6, site_power_w=9000, phases=3, voltage_v=230) == 0


@pytest.mark.rule("PV-4", "PV-10", "DEF-5")
def test_row_1_minpv_and_buffer_keep_the_minimum_and_forget_the_timer() -> None:
    assert row(stop(40 * S), target=5, site=500, minpv=True) == SurplusStep(6, RESTING, Row.KEPT_ALIVE)
    assert row(start(40 * S), target=5, site=500, minpv=True, enabled=False) == SurplusStep(6, RESTING, Row.KEPT_ALIVE)
    assert row(stop(40 * S), target=5, site=500, buffered=True) == SurplusStep(6, RESTING, Row.KEPT_ALIVE)


@pytest.mark.rule("PV-4", "PVT-1", "PVT-4")
def test_row_2_too_little_sun_waits_at_the_minimum_then_stops() -> None:
    assert row(RESTING, target=5, site=0) == SurplusStep(6, stop(100 * S), Row.DISABLE_WAIT)
    assert row(stop(40 * S + TICK), target=5, site=0) == SurplusStep(6, stop(40 * S + TICK), Row.DISABLE_WAIT)
    assert row(stop(40 * S), target=5, site=0) == SurplusStep(0, stop(40 * S), Row.DISABLE_DUE)
    assert row(ELAPSED, target=5, site=0) == SurplusStep(0, Elapsed(PvAction.DISABLE), Row.DISABLE_DUE)


@pytest.mark.rule("PV-4", "PVT-2")
def test_row_2c_below_the_threshold_nothing_is_waited_for() -> None:
    assert row(stop(40 * S), target=5, site=499, disable=500) == SurplusStep(6, RESTING, Row.ENABLED_LOW)
    assert row(stop(40 * S), target=5, site=500, disable=500).row is Row.DISABLE_DUE


@pytest.mark.rule("PV-8")
def test_running_phase_timer_comes_before_stopping() -> None:
    assert row(stop(40 * S), target=5, site=0, scaling=True) == SurplusStep(6, RESTING, Row.ENABLED_LOW)


@pytest.mark.rule("PV-4", "PV-7")
def test_row_3_enough_sun_waits_then_starts_with_the_minimum() -> None:
    assert row(RESTING, target=12, enabled=False) == SurplusStep(0, start(100 * S), Row.ENABLE_WAIT)
    assert row(start(40 * S + TICK), target=12, enabled=False) == SurplusStep(0, start(40 * S + TICK), Row.ENABLE_WAIT)
    assert row(start(40 * S), target=12, enabled=False) == SurplusStep(6, start(40 * S), Row.ENABLE_DUE)
    assert row(start(40 * S), target=5.9, enabled=False) == SurplusStep(0, RESTING, Row.DISABLED)


@pytest.mark.rule("PV-5")
@pytest.mark.parametrize(
    ("threshold", "site", "target", "starts"),
    [(0, 0, 6, True), (0, 0, 5.99, False), (-500, -500, 0, True), (-500, -499, 16, False), (500, 500, 0, True)],
)
def test_threshold_replaces_the_current_as_condition(
    threshold: float, site: float, target: float, starts: bool
) -> None:
    assert (row(start(0 * S), target=target, site=site, enabled=False, enable=threshold).current_a == 6) is starts


@pytest.mark.rule("PV-4", "PV-9", "PVT-2")
def test_row_4_follows_up_to_the_maximum_unrounded() -> None:
    assert row(stop(40 * S), target=7.3) == SurplusStep(7.3, RESTING, Row.FOLLOWING)
    assert row(stop(40 * S), target=20) == SurplusStep(16, RESTING, Row.FOLLOWING)
    assert row(start(40 * S), target=7.3, enabled=False, minpv=True) == SurplusStep(7.3, RESTING, Row.FOLLOWING)


@pytest.mark.rule("PV-11")
def test_buffer_alone_does_not_start_with_more_than_row_1() -> None:
    assert row(RESTING, target=12, enabled=False, buffered=True).row is Row.ENABLE_WAIT


@pytest.mark.rule("PV-4", "PV-6")
def test_timer_has_no_direction_and_says_what_the_row_waits_for() -> None:
    assert row(stop(40 * S + TICK), target=12, enabled=False) == SurplusStep(0, start(40 * S + TICK), Row.ENABLE_WAIT)
    assert row(start(40 * S + TICK), target=5, site=0) == SurplusStep(6, stop(40 * S + TICK), Row.DISABLE_WAIT)
    assert row(Elapsed(PvAction.DISABLE), target=12, enabled=False).timer == Elapsed(PvAction.ENABLE)
    assert RESTING.action is ELAPSED.action is PvAction.INACTIVE


@pytest.mark.rule("PVT-2", "PVT-3")
def test_what_has_elapsed_outlives_a_rest_and_waits_for_nothing() -> None:
    assert rest(stop(40 * S)) == rest(RESTING) == RESTING
    assert rest(ELAPSED) is ELAPSED
    assert elapse(stop(40 * S)) == elapse(RESTING) == ELAPSED
    led = Elapsed(PvAction.ENABLE)
    assert elapse(led) is led
    dues = [due_at(each, enable_delay=60 * S, disable_delay=180 * S) for each in (start(5 * S), stop(5 * S))]
    assert dues == [65 * S, 185 * S]
    assert due_at(ELAPSED, enable_delay=60 * S, disable_delay=60 * S) is None


Series = list[tuple[Instant, float, float]]
#                          time, site power, current
ENABLE: Series = [(0 * S, -500, 0), (60 * S - TICK, -500, 0), (60 * S, -500, 6)]
ENABLE_DIP: Series = [(0 * S, -500, 0), (59 * S, -499, 0), (60 * S, -500, 0), (119 * S, -500, 0), (120 * S, -500, 6)]
DISABLE: Series = [(0 * S, 500, 6), (60 * S - TICK, 500, 6), (60 * S, 500, 0)]
DISABLE_DIP: Series = [(0 * S, 500, 6), (59 * S, 499, 6), (60 * S, 500, 6), (120 * S, 500, 0)]


@pytest.mark.rule("PV-4", "PVT-1", "PVT-2", "N-3")
@pytest.mark.parametrize(
    ("enabled", "series"), [(False, ENABLE), (False, ENABLE_DIP), (True, DISABLE), (True, DISABLE_DIP)]
)
def test_hysteresis(enabled: bool, series: Series) -> None:
    timer: SunTimer = RESTING
    for at, site, current in series:
        target = target_current(effective_a=0, site_power_w=site, phases=3, voltage_v=100)
        step = row(timer, target=target, site=site, at=at, enabled=enabled, enable=-500, disable=500)
        timer = step.timer
        assert (at, step.current_a) == (at, current)


# --- small changes ----------------------------------------------------------------------------------------------------


def kept(
    target: float,
    offered: float | None,
    *,
    charging: bool = True,
    exporting: bool = True,
    unchanged_for: timedelta = 3600 * S,
    lowest: float = 6.0,
    highest: float = 16.0,
) -> float:
    return steady(
        target,
        offered_a=offered,
        unchanged_for=unchanged_for,
        is_charging=charging,
        is_exporting=exporting,
        current_min_a=lowest,
        current_max_a=highest,
    )


@pytest.mark.rule("PV-12")
def test_a_little_more_sun_is_not_worth_a_command() -> None:
    assert kept(12.609, 12.608) == 12.608
    assert kept(12.699, 12.6) == 12.6
    assert kept(12.7001, 12.6) == 12.7001
    assert kept(12.55, 12.6) == 12.6  # a car that draws less than offered
    assert kept(12.7, None) == 12.7


@pytest.mark.rule("PV-12")
def test_what_is_bought_and_what_a_bound_needs_is_lowered_at_once() -> None:
    assert kept(12.599, 12.6, exporting=False) == 12.599
    assert kept(6.0, 6.05) == 6.0
    assert kept(10.0, 10.05, highest=10.0) == 10.0
    assert kept(8.0, 7.95, lowest=8.0) == 8.0


@pytest.mark.rule("PV-12")
def test_small_changes_add_up_to_what_was_sent_last() -> None:
    offered, sent = 8.0, []
    for number in range(1, 50):
        target = 8.0 + 0.03 * number
        if (current := kept(target, offered)) != offered:
            assert abs(current - target) < 1e-9
            offered = current
            sent.append(current)
        assert abs(target - offered) < 0.1
    assert len(sent) == 12


@pytest.mark.rule("PV-12")
def test_offer_to_a_car_that_does_not_draw_is_coarse_and_is_not_taken_back_at_once() -> None:
    assert kept(11.9, 10.0, charging=False) == 10.0
    assert kept(12.0, 10.0, charging=False, unchanged_for=10 * S) == 12.0
    assert kept(8.0, 10.0, charging=False, unchanged_for=IDLE_REST - TICK) == 10.0
    assert kept(8.0, 10.0, charging=False, unchanged_for=IDLE_REST) == 8.0
    assert kept(8.1, 10.0, charging=False, exporting=False) == 10.0
