"""From a wish to commands, from outcomes and reports back to what is known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from evcclib.commands import Command, Disable, Enable, Outcome, Result, SetCurrent, SwitchPhases
from evcclib.machines.charger import (
    ChargerState,
    Confirmed,
    CurrentRange,
    Planned,
    Report,
    Wish,
    ceil_to_step,
    confirm,
    floor_to_step,
    forget_current,
    guard_remaining,
    issue,
    may_switch,
    plan,
    retried_at,
    see_phases,
    sync,
)
from evcclib.machines.readback import Disagreement
from evcclib.readings import Measured

S: Any = timedelta(seconds=1)
GUARD = 300 * S
KNOWN = ChargerState(is_certain=True, is_adopted=True, phases=3)
ON = KNOWN._replace(is_enabled=True, current_a=10.0, guard=0 * S, enable_changed_at=0 * S)


def planned(
    state: ChargerState,
    current_a: float,
    *,
    at: float = 1000,
    phases: int = 0,
    forced: bool = False,
    may_start: bool = True,
) -> Planned:
    wish = Wish(current_a, phases, forced, may_start)
    return plan(state, wish, instant=at * S, current_min_a=6.0, guard_duration=GUARD)


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
    assert planned(KNOWN, 8.0) == ((SetCurrent(8.0), Enable()), False, False)
    assert planned(ON, 0.0) == ((Disable(),), False, False)
    assert planned(ON, 10.0) == ((), False, False)
    assert planned(ON, 12.0) == ((SetCurrent(12.0),), False, False)
    assert planned(KNOWN, 0.0) == ((), False, False)


@pytest.mark.rule("LIM-5", "N-3")
def test_guard_is_cut_to_whole_seconds() -> None:
    assert guard_remaining(0 * S, GUARD, 299 * S - timedelta(microseconds=1)) == S
    assert guard_remaining(0 * S, GUARD, 299 * S) == S
    assert guard_remaining(0 * S, GUARD, 299 * S + timedelta(microseconds=1)) == 0 * S
    assert guard_remaining(None, GUARD, 0 * S) == 0 * S


@pytest.mark.rule("LIM-5", "INV-4")
def test_guard_holds_unforced_changes_back_at_the_minimum() -> None:
    assert planned(ON, 0.0, at=100) == ((SetCurrent(6.0),), True, False)
    assert planned(ON._replace(current_a=6.0), 0.0, at=100) == ((), True, False)
    assert planned(ON, 0.0, at=100, forced=True) == ((Disable(),), False, False)
    assert planned(KNOWN._replace(guard=0 * S), 8.0, at=100) == ((SetCurrent(8.0),), True, False)


@pytest.mark.rule("LIM-7", "CUT-4")
def test_done_confirms_and_starts_guard_and_wake_timer() -> None:
    on = done(KNOWN, SetCurrent(8.0), Enable(), at=50)
    assert on == KNOWN._replace(
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
    off = done(ON._replace(wake_timer=0 * S), Disable(), at=50)
    assert (off.is_enabled, off.current_a, off.guard, off.wake_timer) == (False, None, 50 * S, None)
    assert planned(off, 10.0).commands == (SetCurrent(10.0), Enable())


@pytest.mark.rule("LIM-3", "CUT-4")
def test_failure_confirms_what_came_before_it() -> None:
    failed = ended(KNOWN, SetCurrent(8.0), Enable(), result=Result.FAILED, applied=1).state
    assert (failed.current_a, failed.is_enabled, failed.guard, failed.has_failed) == (8.0, False, None, True)
    assert planned(failed, 8.0).commands == (Enable(),)
    untouched = ended(KNOWN, SetCurrent(8.0), Enable(), result=Result.FAILED, applied=0).state
    assert untouched == KNOWN._replace(number=1, has_failed=True, refused_at=1000 * S, refusals=1)


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
        first._replace(pending=None), (Disable(),), instant=0 * S, starts_guard=True, clears_pv_timer=False
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


def synced(
    state: ChargerState,
    *,
    reports: bool | None = None,
    charging: bool = False,
    drawing: bool | None = None,
    offers: float | None = None,
    draws: float | None = None,
    at: float = 1000,
) -> ChargerState:
    """``state`` after a look at what was all sampled at the same time."""

    def sampled(value: Any) -> Any:
        return None if value is None else Measured(value, at * S)

    report = Report(charging, sampled(reports), sampled(drawing), sampled(offers), sampled(draws))
    return sync(state, report, instant=at * S)


def told_again(state: ChargerState, current_a: float, *, at: float = 1000) -> ChargerState:
    """``state`` after what its disagreement asks for has been done."""
    wished = planned(state, current_a, at=at)
    assert wished.is_repeated
    issued, batch = issue(
        state, wished.commands, instant=at * S, starts_guard=True, clears_pv_timer=True, is_repeated=True
    )
    confirmed = confirm(issued, Outcome(0, batch.number, Result.DONE, len(wished.commands)))
    assert not confirmed.is_pv_timer_cleared and not confirmed.is_phase_switched
    assert confirmed.state.guard == state.guard
    return confirmed.state


@pytest.mark.rule("LP-3")
def test_first_report_is_adopted() -> None:
    found = synced(ChargerState(phases=3), reports=True, at=7)
    assert (found.is_enabled, found.is_certain, found.guard, found.current_a) == (True, True, 7 * S, None)
    assert planned(found, 6.0, at=7).commands == (SetCurrent(6.0),)
    found = synced(ChargerState(phases=3), reports=False, at=7)
    assert (found.is_enabled, found.is_certain, found.guard) == (False, True, None)


@pytest.mark.rule("LP-3", "DEF-6")
@pytest.mark.parametrize(("drawing", "is_enabled"), [(True, True), (None, False), (False, False)])
def test_first_report_of_a_charger_that_charges_though_disabled_is_made_sure_of(
    drawing: bool | None, is_enabled: bool
) -> None:
    """The power drawn tells more than the status: what is not measured to draw does not become enabled by it."""
    found = synced(ChargerState(phases=3), reports=False, charging=True, drawing=drawing, at=7)
    assert (found.is_enabled, found.is_certain) == (is_enabled, False)
    assert planned(found, 0.0, at=7).commands == (Disable(),)
    kept = planned(found, 6.0, at=7, may_start=False).commands
    assert Enable() not in kept or not is_enabled  # what is only kept is no reason to switch on


@pytest.mark.rule("SYN-1", "SYN-2", "DEF-6")
def test_report_is_not_believed_but_what_was_wanted_last_is_said_again_after_its_grace() -> None:
    assert synced(ON, reports=True) is ON
    assert synced(ON, reports=False, at=59.999999) is ON
    wrong = synced(ON, reports=False, at=60)
    assert (wrong.is_enabled, wrong.is_certain, wrong.current_a, wrong.guard) == (True, True, 10.0, 0 * S)
    assert planned(wrong, 10.0, at=60) == ((SetCurrent(10.0), Enable()), False, True)
    off = synced(KNOWN._replace(enable_changed_at=0 * S), reports=True, at=60)
    assert not off.is_enabled
    assert planned(off, 0.0, at=60) == ((Disable(),), False, True)
    assert planned(off, 8.0, at=60) == ((SetCurrent(8.0), Enable()), False, False)  # now something else is wanted


@pytest.mark.rule("SYN-2", "SYN-4")
def test_it_is_said_once_and_then_ever_less_often() -> None:
    state, said = KNOWN._replace(enable_changed_at=0 * S), []
    for minute in range(1, 600):
        state = synced(state, reports=True, at=minute * 60)
        if planned(state, 0.0, at=minute * 60).commands:
            said.append(minute)
            state = told_again(state, 0.0, at=minute * 60)
    assert said == [1, 6, 16, 36, 76, 136, 196, 256, 316, 376, 436, 496, 556]


@pytest.mark.rule("SYN-3", "DEF-6")
def test_who_really_charges_against_orders_is_told_sooner_but_not_without_end() -> None:
    state, said = KNOWN._replace(enable_changed_at=0 * S), []
    for minute in range(1, 60):
        state = synced(state, reports=True, charging=True, drawing=True, at=minute * 60)
        assert state.runs_unasked
        if planned(state, 0.0, at=minute * 60).commands:
            said.append(minute)
            state = told_again(state, 0.0, at=minute * 60)
    assert said == [1, 2, 4, 8, 16, 26, 36, 46, 56]


@pytest.mark.rule("SYN-4")
def test_report_that_flickers_or_a_power_that_does_begins_nothing_anew() -> None:
    for flickers in ("report", "power"):
        state, said = KNOWN._replace(enable_changed_at=0 * S), 0
        for second in range(60, 3600, 10):
            is_odd = second // 10 % 2 == 1
            report = not is_odd if flickers == "report" else True
            state = synced(state, reports=report, charging=is_odd, drawing=is_odd and flickers == "power", at=second)
            if planned(state, 0.0, at=second).commands:
                said += 1
                state = told_again(state, 0.0, at=second)
        assert said <= 10  # one that was not urgent yet


@pytest.mark.rule("SYN-2")
def test_report_that_agrees_for_two_hours_is_trusted_again() -> None:
    state = synced(KNOWN._replace(enable_changed_at=0 * S), reports=True, at=60)
    state = synced(told_again(state, 0.0, at=60), reports=False, at=70)
    assert state.enabled_disagreement == Disagreement(since=60 * S, agreed_at=70 * S, repeats=1, told_at=60 * S)
    assert not planned(state, 0.0, at=70).commands
    again = synced(state, reports=True, at=200)
    assert not planned(again, 0.0, at=200).commands  # five minutes have not passed
    assert planned(synced(again, reports=True, at=360), 0.0, at=360).commands == (Disable(),)
    assert synced(state, reports=False, at=70 + 2 * 3600).enabled_disagreement is None


@pytest.mark.rule("SYN-3", "DEF-6")
def test_disabled_but_charging_counts_as_enabled_and_is_told_once() -> None:
    for drawing in (True, None):
        contradiction = synced(ON, reports=False, charging=True, drawing=drawing)
        assert (contradiction.is_enabled, contradiction.seems_off) == (True, False)
        assert planned(contradiction, 10.0, at=1000).commands == (Enable(),)
        assert planned(contradiction, 0.0, at=1000, forced=True).commands == (Disable(),)
        assert not planned(told_again(contradiction, 10.0), 10.0, at=1060).commands
    off = KNOWN._replace(enable_changed_at=0 * S)
    assert planned(synced(off, reports=False, charging=True), 0.0, forced=True).commands == (Disable(),)
    assert synced(off, reports=False, charging=True, at=30) is off


@pytest.mark.rule("SYN-3")
def test_who_seems_off_is_not_started_by_what_is_only_kept() -> None:
    """Also not by a current: stations that pause by their current would begin to charge."""
    off = synced(ON, reports=False, drawing=False)
    assert off.seems_off
    assert planned(off, 6.0, may_start=False) == ((), False, False)
    assert planned(off, 6.0).commands == (SetCurrent(6.0), Enable())
    assert planned(off, 0.0, forced=True).commands == (Disable(),)


@pytest.mark.rule("SYN-4", "DEF-6")
def test_old_reports_and_batches_in_flight_are_no_contradiction() -> None:
    late = Report(is_charging=False, is_enabled=Measured(False, 0 * S))
    assert sync(ON, late, instant=1000 * S) is ON
    flying, _ = issue(ON, (SetCurrent(7.0),), instant=0 * S, starts_guard=True, clears_pv_timer=False)
    assert synced(flying, reports=False) is flying


@pytest.mark.rule("SYN-1")
def test_without_a_report_only_what_flows_counts() -> None:
    assert synced(ON, charging=False) is ON
    off = KNOWN._replace(enable_changed_at=0 * S)
    assert synced(off, drawing=False) is off
    assert synced(off, drawing=True, at=60).runs_unasked
    assert synced(ChargerState(phases=3), drawing=True) == ChargerState(phases=3)  # told explicitly anyway


@pytest.mark.rule("INV-2")
def test_current_on_its_way_counts_as_drawn() -> None:
    flying, _ = issue(ON, (SetCurrent(14.0),), instant=0 * S, starts_guard=True, clears_pv_timer=False)
    assert flying.committed_a(16.0) == 14.0
    lower, _ = issue(ON, (SetCurrent(7.0),), instant=0 * S, starts_guard=True, clears_pv_timer=False)
    assert lower.committed_a(16.0) == 10.0
    assert KNOWN.committed_a(16.0) == 0.0


@pytest.mark.rule("DEF-6", "SYN-4")
def test_charger_that_offers_more_than_it_was_told_is_told_again() -> None:
    told = ON._replace(current_changed_at=0 * S)
    wrong = synced(told, offers=16.0)
    assert (wrong.current_a, wrong.committed_a(16.0)) == (10.0, 10.0)
    assert planned(wrong, 10.0) == ((SetCurrent(10.0),), False, True)
    assert not planned(told_again(wrong, 10.0), 10.0, at=1240).commands
    assert synced(told, offers=10.5) is told  # rounded
    assert synced(told, offers=6.0) is told  # its own protection
    assert synced(told, offers=16.0, at=59) is told
    off = told._replace(is_enabled=False)
    assert synced(off, offers=16.0) is off


@pytest.mark.rule("SYN-3", "SYN-4")
def test_vehicle_that_draws_more_than_it_was_offered_makes_the_current_urgent() -> None:
    told = ON._replace(current_changed_at=0 * S)
    assert synced(told, draws=11.0) is told
    state, said = told, []
    for minute in range(1, 60):
        state = synced(state, offers=10.0, draws=16.0, at=minute * 60)
        if planned(state, 10.0, at=minute * 60).commands:
            said.append(minute)
            state = told_again(state, 10.0, at=minute * 60)
    assert said == [1, 2, 4, 8, 16, 26, 36, 46, 56]


SWITCHED = ON._replace(phases=1, phases_switched_at=0 * S)


@pytest.mark.rule("PH-9", "SYN-2")
def test_phases_that_were_never_switched_are_as_reported() -> None:
    assert see_phases(ON, 1, measured=0, instant=100 * S).phases == 1
    assert see_phases(SWITCHED._replace(phases=0), 3, measured=0, instant=100 * S).phases == 3


@pytest.mark.rule("PH-9", "SYN-2")
def test_report_of_other_phases_than_wanted_is_settled_by_one_switch_that_moves_no_timer() -> None:
    wrong = see_phases(SWITCHED, 3, measured=0, instant=100 * S)
    assert wrong.phases == 1
    assert planned(wrong, 10.0, at=399).commands == ()
    assert planned(wrong, 10.0, at=400, may_start=False).commands == ()
    switch = (Disable(), SwitchPhases(1), SetCurrent(10.0), Enable())
    assert planned(wrong, 10.0, at=400) == (switch, False, True)
    again = told_again(wrong, 10.0, at=400)
    assert not may_switch(again, 699 * S) and may_switch(again, 700 * S)
    still = see_phases(again, 3, measured=0, instant=500 * S)
    assert planned(still, 10.0, at=699).commands == ()
    assert planned(still, 10.0, at=700).commands == switch


@pytest.mark.rule("PH-9", "SYN-3")
def test_currents_tell_more_of_the_phases_than_a_report() -> None:
    refuted = see_phases(SWITCHED, 3, measured=1, instant=100 * S)
    assert planned(refuted, 10.0, at=5000).commands == ()
    ignored = see_phases(SWITCHED, 3, measured=3, instant=100 * S)
    assert ignored.phases == 3
    assert not may_switch(ignored, 399 * S) and may_switch(ignored, 400 * S)


@pytest.mark.rule("PH-8")
def test_who_may_be_on_is_disabled_before_its_phases_are_switched() -> None:
    unasked = synced(KNOWN._replace(enable_changed_at=0 * S), reports=True, drawing=True)
    assert planned(unasked, 0.0, phases=1).commands == (Disable(), SwitchPhases(1))


def unknown(state: ChargerState, *commands: Command) -> ChargerState:
    return ended(state, *commands, result=Result.UNKNOWN).state


@pytest.mark.rule("CUT-4", "INV-2")
def test_what_may_stand_is_a_range_while_the_current_is_in_doubt() -> None:
    lowered = unknown(ON, SetCurrent(7.0))
    assert (lowered.standing_a, lowered.sure_a, lowered.committed_a(16.0)) == (CurrentRange(7.0, 10.0), 7.0, 10.0)
    twice = unknown(lowered, SetCurrent(12.0))
    assert twice.standing_a == CurrentRange(7.0, 12.0)
    assert done(twice, SetCurrent(9.0)).standing_a == CurrentRange(9.0, 9.0)


@pytest.mark.rule("CUT-4", "INV-2")
def test_what_may_be_enabled_counts_but_is_not_sure() -> None:
    started = unknown(KNOWN, SetCurrent(8.0), Enable())
    assert (started.standing_a, started.sure_a, started.committed_a(16.0)) == (CurrentRange(8.0, 8.0), 0.0, 8.0)
    half = ended(KNOWN, SetCurrent(8.0), Enable(), result=Result.UNKNOWN, applied=1).state
    assert half.committed_a(16.0) == 8.0
    stopped = unknown(ON, Disable())
    assert (stopped.sure_a, stopped.committed_a(16.0)) == (0.0, 10.0)
    switched = unknown(ON, Disable(), SwitchPhases(1), SetCurrent(16.0), Enable())
    assert (switched.committed_a(32.0), switched.phases, switched.phases_switched_at) == (16.0, 0, 1000 * S)


@pytest.mark.rule("INV-2", "SYN-2")
def test_what_nobody_knows_may_be_anything() -> None:
    begun = synced(ChargerState(phases=3), reports=True)
    assert (begun.standing_a, begun.sure_a, begun.committed_a(32.0)) == (None, 0.0, 32.0)
    assert unknown(begun, SetCurrent(8.0)).committed_a(32.0) == 32.0
    assert forget_current(ON).committed_a(32.0) == 32.0
    assert done(unknown(ON, SetCurrent(12.0)), Disable()).current_range_a is None


# --- refusals -------------------------------------------------------------------------------------------------------


def refused(state: ChargerState, *commands: Command, times: int = 1) -> ChargerState:
    for _ in range(times):
        state = ended(state, *commands, result=Result.FAILED, applied=0).state
    return state


@pytest.mark.rule("LIM-9")
@pytest.mark.parametrize("command", [SetCurrent(16.0), Enable()])
def test_what_was_refused_is_said_again_later_and_later(command: Command) -> None:
    state = ON if isinstance(command, SetCurrent) else KNOWN
    waits = [retried_at(refused(state, command, times=times), (command,)) for times in range(1, 8)]
    assert waits == [1000 * S + wait * S for wait in (10, 20, 40, 80, 160, 300, 300)]
    assert retried_at(ended(refused(state, command), command).state, (command,)) is None  # it has worked


@pytest.mark.rule("LIM-9")
@pytest.mark.parametrize("command", [SetCurrent(6.0), Disable()])
def test_taking_less_is_tried_more_often(command: Command) -> None:
    waits = [retried_at(refused(ON, command, times=times), (command,)) for times in range(1, 6)]
    assert waits == [1000 * S + wait * S for wait in (10, 20, 30, 30, 30)]


@pytest.mark.rule("LIM-9")
def test_taking_less_does_not_wait_because_more_was_refused() -> None:
    more = refused(ON, SetCurrent(16.0), times=6)
    assert retried_at(more, (SetCurrent(6.0),)) is None
    assert retried_at(more, (Disable(),)) is None
    assert retried_at(refused(more, SetCurrent(6.0)), (SetCurrent(6.0),)) == 1030 * S
    assert retried_at(more, (SetCurrent(16.0),)) == 1300 * S


@pytest.mark.rule("LIM-9", "PH-7")
def test_refused_switch_of_phases_has_its_own_patience() -> None:
    state = refused(KNOWN, SwitchPhases(1), SetCurrent(6.0), Enable())
    assert (state.phases_refusals, state.refusals) == (1, 0)
    assert ended(ON, Disable(), SwitchPhases(1), result=Result.FAILED, applied=0).state.refusals == 1


@pytest.mark.rule("LIM-9")
def test_what_got_no_answer_is_said_again_at_once_and_then_every_ten_seconds() -> None:
    lost = ended(ON, SetCurrent(16.0), result=Result.UNKNOWN).state
    assert retried_at(lost, (SetCurrent(16.0),)) is None
    again = ended(lost, SetCurrent(16.0), result=Result.UNKNOWN).state
    assert [retried_at(state, (SetCurrent(16.0),)) for state in (again, again_and_again(again))] == [1010 * S] * 2


def again_and_again(state: ChargerState) -> ChargerState:
    for _ in range(9):
        state = ended(state, SetCurrent(16.0), result=Result.UNKNOWN).state
    return state


@pytest.mark.rule("LIM-9", "SYN-1")
@pytest.mark.parametrize(
    ("says_enabled", "draws", "after_s", "is_settled"),
    [(False, False, 1, True), (True, False, 1, False), (False, True, 1, False), (False, False, 0, False)],
)
def test_stop_without_an_answer_is_settled_by_what_charger_and_meter_show_since(
    says_enabled: bool, draws: bool, after_s: int, is_settled: bool
) -> None:
    lost = ended(ON, Disable(), result=Result.UNKNOWN).state._replace(wanted_a=0.0)
    assert not lost.is_certain
    at = 1000 * S + after_s * S
    seen = sync(
        lost,
        Report(False, is_enabled=Measured(says_enabled, at), is_drawing=Measured(draws, at)),
        instant=at,
    )
    assert (seen.is_certain, seen.is_enabled) == ((True, False) if is_settled else (False, lost.is_enabled))
