"""From a wish to commands, from outcomes and reports back to what is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from evcclib.charger import (
    ChargerState,
    Confirmed,
    Planned,
    Wish,
    ceil_to_step,
    confirm,
    doubt_current,
    floor_to_step,
    guard_remaining,
    issue,
    plan,
    sync,
)
from evcclib.commands import Command, Disable, Enable, Outcome, Result, SetCurrent, SwitchPhases
from evcclib.readings import Measured

S = timedelta(seconds=1)
GUARD = 300 * S
KNOWN = ChargerState(is_certain=True, is_adopted=True, phases=3)
ON = replace(KNOWN, is_enabled=True, current_a=10.0, guard=0 * S, enable_changed_at=0 * S)


def planned(
    state: ChargerState, current_a: float, *, at: float = 1000, phases: int = 0, forced: bool = False
) -> Planned:
    return plan(state, Wish(current_a, phases, forced), instant=at * S, current_min_a=6.0, guard_duration=GUARD)


def done(state: ChargerState, *commands: Command, at: float = 1000, **values: Any) -> ChargerState:
    return ended(state, *commands, at=at, **values).state


def ended(
    state: ChargerState,
    *commands: Command,
    at: float = 1000,
    result: Result = Result.DONE,
    applied: int = 0,
    starts_guard: bool = True,
    clears_pv_timer: bool = False,
) -> Confirmed:
    state, batch = issue(state, commands, instant=at * S, starts_guard=starts_guard, clears_pv_timer=clears_pv_timer)
    return confirm(state, Outcome(0, batch.number, result, applied))


@pytest.mark.rule("LIM-2", "DEF-7")
@pytest.mark.parametrize(
    ("current", "step", "down", "up"),
    [
        (6.5, 1.0, 6, 7),
        (6.0, 1.0, 6, 6),
        (6.05, 0.1, 6.0, 6.1),
        (6.1, 0.1, 6.1, 6.1),
        (0.3, 0.1, 0.3, 0.3),
        (7.2344, 0.001, 7.234, 7.235),
    ],
)
def test_steps_of_the_device(current: float, step: float, down: float, up: float) -> None:
    assert floor_to_step(current, step) == down
    assert ceil_to_step(current, step) == up


@pytest.mark.rule("LIM-1", "LIM-4", "LIM-6")
def test_switching_on_says_the_current_first() -> None:
    assert planned(KNOWN, 8.0) == ((SetCurrent(8.0), Enable()), False)
    assert planned(ON, 0.0) == ((Disable(),), False)
    assert planned(ON, 10.0) == ((), False)
    assert planned(ON, 12.0) == ((SetCurrent(12.0),), False)
    assert planned(KNOWN, 0.0) == ((), False)


@pytest.mark.rule("LIM-5", "N-3")
def test_guard_is_cut_to_whole_seconds() -> None:
    assert guard_remaining(0 * S, GUARD, 299 * S - timedelta(microseconds=1)) == S
    assert guard_remaining(0 * S, GUARD, 299 * S) == S
    assert guard_remaining(0 * S, GUARD, 299 * S + timedelta(microseconds=1)) == 0 * S
    assert guard_remaining(None, GUARD, 0 * S) == 0 * S


@pytest.mark.rule("LIM-5", "INV-4")
def test_guard_holds_unforced_changes_back_at_the_minimum() -> None:
    assert planned(ON, 0.0, at=100) == ((SetCurrent(6.0),), True)
    assert planned(replace(ON, current_a=6.0), 0.0, at=100) == ((), True)
    assert planned(ON, 0.0, at=100, forced=True) == ((Disable(),), False)
    assert planned(replace(KNOWN, guard=0 * S), 8.0, at=100) == ((SetCurrent(8.0),), True)


@pytest.mark.rule("LIM-7", "CUT-4")
def test_done_confirms_and_starts_guard_and_wake_timer() -> None:
    on = done(KNOWN, SetCurrent(8.0), Enable(), at=50)
    assert on == replace(
        KNOWN,
        is_enabled=True,
        current_a=8.0,
        current_changed_at=50 * S,
        guard=50 * S,
        enable_changed_at=50 * S,
        wake_timer=50 * S,
        number=1,
    )


@pytest.mark.rule("LIM-8", "DEF-7", "WAKE-1")
def test_disabling_forgets_the_current() -> None:
    off = done(replace(ON, wake_timer=0 * S), Disable(), at=50)
    assert (off.is_enabled, off.current_a, off.guard, off.wake_timer) == (False, None, 50 * S, None)
    assert planned(off, 10.0).commands == (SetCurrent(10.0), Enable())


@pytest.mark.rule("LIM-3", "CUT-4")
def test_failure_confirms_what_came_before_it() -> None:
    failed = ended(KNOWN, SetCurrent(8.0), Enable(), result=Result.FAILED, applied=1).state
    assert (failed.current_a, failed.is_enabled, failed.guard, failed.has_failed) == (8.0, False, None, True)
    assert planned(failed, 8.0).commands == (Enable(),)
    untouched = ended(KNOWN, SetCurrent(8.0), Enable(), result=Result.FAILED, applied=0).state
    assert untouched == replace(KNOWN, number=1, has_failed=True)


@pytest.mark.rule("CUT-4")
def test_unknown_end_is_said_again_whatever_it_was() -> None:
    unknown = ended(ON, Disable(), result=Result.UNKNOWN).state
    assert not unknown.is_certain
    assert planned(unknown, 0.0, at=1).commands == (Disable(),)
    assert planned(unknown, 10.0, at=1).commands == (SetCurrent(10.0), Enable())
    current = ended(ON, SetCurrent(12.0), result=Result.UNKNOWN).state
    assert (current.is_certain, current.current_a) == (True, None)
    assert planned(current, 12.0).commands == (SetCurrent(12.0),)
    phases = ended(ON, SwitchPhases(1), result=Result.UNKNOWN).state
    assert phases.phases == 0


@pytest.mark.rule("CUT-4")
def test_outcome_of_another_batch_changes_nothing() -> None:
    state, batch = issue(KNOWN, (Enable(),), instant=0 * S, starts_guard=True, clears_pv_timer=False)
    assert confirm(state, Outcome(0, batch.number + 1, Result.DONE, 1)).state is state
    assert confirm(KNOWN, Outcome(0, 0, Result.DONE, 1)).state is KNOWN


@pytest.mark.rule("CUT-3")
def test_batches_are_numbered_upwards() -> None:
    first, one = issue(KNOWN, (Enable(),), instant=0 * S, starts_guard=True, clears_pv_timer=False)
    second, two = issue(
        replace(first, pending=None), (Disable(),), instant=0 * S, starts_guard=True, clears_pv_timer=False
    )
    assert (one.number, two.number, second.number) == (1, 2, 2)


@pytest.mark.rule("PH-8", "PH-9", "DEF-2", "CUT-3")
def test_phase_switch_disables_first_and_never_starts_the_guard() -> None:
    assert planned(ON, 0.0, phases=1, at=1).commands == (Disable(), SwitchPhases(1))
    assert planned(KNOWN, 0.0, phases=1).commands == (SwitchPhases(1),)
    assert planned(ON, 16.0, phases=1).commands == (Disable(), SwitchPhases(1), SetCurrent(16.0), Enable())
    assert planned(ON, 10.0, phases=3).commands == ()
    switched = ended(ON, Disable(), SwitchPhases(1), at=50, starts_guard=False, clears_pv_timer=True)
    assert switched.is_phase_switched and not switched.is_pv_timer_cleared
    assert (switched.state.guard, switched.state.phases, switched.state.phases_switched_at) == (None, 1, 50 * S)


@pytest.mark.rule("PH-8", "INV-1")
def test_failed_phase_switch_leaves_the_count() -> None:
    half = ended(ON, Disable(), SwitchPhases(1), result=Result.FAILED, applied=1, starts_guard=False)
    assert not half.is_phase_switched
    assert (half.state.phases, half.state.is_enabled, half.state.guard) == (3, False, 0 * S)


@pytest.mark.rule("DEF-4")
def test_change_that_the_timer_asked_for_clears_it() -> None:
    assert ended(KNOWN, Enable(), clears_pv_timer=True).is_pv_timer_cleared
    assert not ended(KNOWN, Enable(), clears_pv_timer=True, result=Result.FAILED).is_pv_timer_cleared
    assert not ended(KNOWN, Enable()).is_pv_timer_cleared
    assert not ended(ON, SetCurrent(8.0), clears_pv_timer=True).is_pv_timer_cleared


def synced(state: ChargerState, *, reports: bool, charging: bool = False, at: float = 1000) -> ChargerState:
    return sync(state, is_enabled=reports, sampled_at=at * S, is_charging=charging, instant=at * S).state


@pytest.mark.rule("LP-3")
def test_first_report_is_adopted() -> None:
    found = synced(ChargerState(phases=3), reports=True, at=7)
    assert (found.is_enabled, found.is_certain, found.guard, found.current_a) == (True, True, 7 * S, None)
    assert planned(found, 6.0, at=7).commands == (SetCurrent(6.0),)
    found = synced(ChargerState(phases=3), reports=False, at=7)
    assert (found.is_enabled, found.is_certain, found.guard) == (False, True, None)


@pytest.mark.rule("SYN-1", "SYN-2", "DEF-6")
def test_report_is_followed_after_its_grace() -> None:
    assert synced(ON, reports=True) is ON
    assert synced(ON, reports=False, at=59.999999) is ON
    followed = synced(ON, reports=False, at=60)
    assert (followed.is_enabled, followed.current_a, followed.guard) == (False, None, 0 * S)
    assert synced(replace(KNOWN, enable_changed_at=0 * S), reports=True, at=60).is_enabled


@pytest.mark.rule("SYN-3", "DEF-6")
def test_disabled_but_charging_counts_as_enabled_and_is_told_once() -> None:
    contradiction = synced(ON, reports=False, charging=True)
    assert (contradiction.is_enabled, contradiction.is_certain) == (True, False)
    assert planned(contradiction, 10.0, at=1000).commands == (Enable(),)
    assert planned(contradiction, 0.0, at=1000, forced=True).commands == (Disable(),)
    off = replace(KNOWN, enable_changed_at=0 * S)
    assert planned(synced(off, reports=False, charging=True), 0.0, forced=True).commands == (Disable(),)
    assert synced(off, reports=False, charging=True, at=30) is off


@pytest.mark.rule("SYN-4", "DEF-6")
def test_old_reports_and_batches_in_flight_are_no_contradiction() -> None:
    late = sync(ON, is_enabled=False, sampled_at=0 * S, is_charging=False, instant=1000 * S)
    assert late.state is ON and not late.is_contradiction
    flying, _ = issue(ON, (SetCurrent(7.0),), instant=0 * S, starts_guard=True, clears_pv_timer=False)
    assert synced(flying, reports=False) is flying


@pytest.mark.rule("INV-2")
def test_current_on_its_way_counts_as_drawn() -> None:
    flying, _ = issue(ON, (SetCurrent(14.0),), instant=0 * S, starts_guard=True, clears_pv_timer=False)
    assert flying.current_committed_a == 14.0
    lower, _ = issue(ON, (SetCurrent(7.0),), instant=0 * S, starts_guard=True, clears_pv_timer=False)
    assert lower.current_committed_a == 10.0
    assert KNOWN.current_committed_a == 0.0


@pytest.mark.rule("DEF-6", "SYN-4")
def test_charger_that_offers_more_than_it_was_told_is_told_again() -> None:
    told = replace(ON, current_changed_at=0 * S)

    def doubted(state: ChargerState, report: float, *, at: float = 100) -> ChargerState:
        return doubt_current(state, Measured(report, at * S), instant=at * S)

    assert doubted(told, 16.0).current_a is None
    assert doubted(doubted(told, 16.0), 16.0, at=130).current_a is None
    assert planned(doubted(told, 16.0), 10.0).commands == (SetCurrent(10.0),)
    assert doubted(told, 10.5) is told  # rounded
    assert doubted(told, 6.0) is told  # its own protection
    assert doubted(told, 16.0, at=59) is told
    assert doubted(replace(told, is_enabled=False), 16.0).current_a == 10.0
