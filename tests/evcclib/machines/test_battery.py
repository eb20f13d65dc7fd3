"""The machine of one home battery: any calls, any outcomes, any time between."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcclib.commands import BatteryMode, BatteryOutcome, Result
from evcclib.machines import battery
from evcclib.machines.battery import AT_REST, BatteryControl, Call, choose, doubted, next_change, say, take
from evcclib.reasons import BatteryCode, BatteryReason
from evcclib.units import Instant

S: Any = timedelta(seconds=1)
NORMAL, HOLD, CHARGE = BatteryMode.NORMAL, BatteryMode.HOLD, BatteryMode.CHARGE
CALL_HOLD = Call(HOLD, BatteryReason(BatteryCode.HELD_FAST))
CALL_CHARGE = Call(CHARGE, BatteryReason(BatteryCode.CHARGES))
EXPIRY = 300 * S
TURNS = st.lists(
    st.tuples(
        st.floats(0.1, 400),  # seconds since the turn before
        st.sampled_from([(), (CALL_HOLD,), (CALL_CHARGE,), (CALL_CHARGE, CALL_HOLD)]),
        st.sampled_from([*Result, None]),
    ),
    max_size=60,
)


def answered(control: BatteryControl, result: Result, *, at: float) -> BatteryControl:
    assert control.pending is not None
    return take(control, BatteryOutcome(0, control.pending.command.number, result), instant=at * S)


def held(*, at: float = 0.0) -> BatteryControl:
    control, command = say(choose(AT_REST, [CALL_HOLD], instant=at * S), expiry=EXPIRY, instant=at * S)
    assert command is not None and command.mode is HOLD
    return answered(control, Result.DONE, at=at)


@pytest.mark.rule("BAT-4")
@given(TURNS)
def test_the_mode_changes_no_more_often_than_its_rest_allows_whatever_is_read(turns: Any) -> None:
    control, instant, changes = AT_REST, 0 * S, []
    for seconds, calls, result in turns:
        instant += seconds * S
        before = control
        control = choose(control, calls, instant=instant)
        if control.mode is not before.mode:
            changes.append(instant)
        control, command = say(control, expiry=EXPIRY, instant=instant)
        if command is not None and result is not None:
            control = take(control, BatteryOutcome(0, command.number, result), instant=instant)
    assert all(later - sooner >= 180 * S for sooner, later in pairwise(changes))


@pytest.mark.rule("BAT-2", "BAT-5")
@given(TURNS)
def test_no_mode_without_a_call_and_every_expiry_is_to_come(turns: Any) -> None:
    control, instant = AT_REST, 0 * S
    uncalled_at: dict[BatteryMode, Any] = {}  # since when it was first found that nothing calls for it
    for seconds, calls, result in turns:
        instant += seconds * S
        called = {call.mode for call in calls}
        uncalled_at = {mode: uncalled_at.get(mode, instant) for mode in BatteryMode if mode not in called}
        before = control
        control = choose(control, calls, instant=instant)
        assert control.mode in (before.mode, NORMAL, *called)
        if control.mode is not NORMAL and control.mode in uncalled_at:
            assert instant - max(uncalled_at[control.mode], control.changed_at or instant) < 180 * S
        control, command = say(control, expiry=EXPIRY, instant=instant)
        if command is not None:
            assert (command.expires_at is None) is (command.mode is NORMAL)
            assert command.expires_at is None or command.expires_at > instant
            if result is not None:
                control = take(control, BatteryOutcome(0, command.number, result), instant=instant)


@pytest.mark.rule("BAT-4")
def test_held_it_waits_three_minutes_after_the_last_call_and_says_until_when() -> None:
    control = choose(held(), [CALL_HOLD], instant=600 * S)
    control = choose(control, [], instant=610 * S)
    assert (control.mode, control.reason.code) == (HOLD, BatteryCode.RESTS)
    assert (control.reason.until, control.reason.params) == (790 * S, {"wanted": "normal"})
    control = choose(control, [CALL_HOLD], instant=700 * S)
    assert control.reason == CALL_HOLD.reason
    control = choose(control, [], instant=710 * S)
    assert next_change(control, expiry=EXPIRY, instant=710 * S) == 890 * S
    assert choose(control, [], instant=889.9 * S).mode is HOLD
    assert choose(control, [], instant=890 * S).mode is NORMAL


@pytest.mark.rule("BAT-4")
def test_what_has_ended_ends_at_once() -> None:
    assert choose(held(), [], ended={HOLD}, instant=1 * S).mode is NORMAL


@pytest.mark.rule("BAT-4")
def test_charging_comes_first_and_ends_with_its_price() -> None:
    control = choose(held(), [CALL_CHARGE, CALL_HOLD], instant=100 * S)
    assert control.mode is HOLD
    control = choose(control, [CALL_CHARGE, CALL_HOLD], instant=180 * S)
    assert control.mode is CHARGE
    assert choose(control, [CALL_HOLD], instant=360 * S).mode is HOLD


@pytest.mark.rule("BAT-5")
def test_a_mode_is_renewed_long_before_it_expires_and_normal_never() -> None:
    control = held()
    assert say(control, expiry=EXPIRY, instant=99.9 * S)[1] is None
    control, command = say(control, expiry=EXPIRY, instant=100 * S)
    assert command is not None
    assert (command.mode, command.expires_at) == (HOLD, 400 * S)
    assert control.shown is HOLD  # nothing changes meanwhile
    assert say(AT_REST, expiry=EXPIRY, instant=10_000 * S)[1] is None
    assert next_change(AT_REST, expiry=EXPIRY, instant=0 * S) is None


@pytest.mark.rule("BAT-6")
def test_a_refused_command_has_changed_nothing_and_is_said_again_ever_more_rarely() -> None:
    control, instant, said = choose(AT_REST, [CALL_HOLD], instant=0 * S), 0 * S, []
    while instant < 1300 * S:
        control, command = say(choose(control, [CALL_HOLD], instant=instant), expiry=EXPIRY, instant=instant)
        if command is not None:
            said.append(instant // S)
            control = take(control, BatteryOutcome(0, command.number, Result.FAILED, "no"), instant=instant)
            assert control.shown is NORMAL
        instant += 1 * S
    assert said == [0, 10, 30, 70, 150, 310, 610, 910, 1210]
    assert choose(control, [CALL_HOLD], instant=instant).reason.code is BatteryCode.FAILED
    control = choose(control, [], ended={HOLD}, instant=instant)
    assert say(control, expiry=EXPIRY, instant=instant)[1] is None  # it has never been held


@pytest.mark.rule("BAT-6")
def test_after_an_unknown_end_it_is_freed_every_minute_until_it_is_sure() -> None:
    control, _ = say(choose(AT_REST, [CALL_HOLD], instant=0 * S), expiry=EXPIRY, instant=0 * S)
    control = choose(answered(control, Result.UNKNOWN, at=0), [], ended={HOLD}, instant=1 * S)
    instant, said = 1 * S, []
    while instant < 300 * S:
        control, command = say(choose(control, [CALL_HOLD], instant=instant), expiry=EXPIRY, instant=instant)
        if command is not None:
            assert command.mode is NORMAL  # whatever calls: normal first
            said.append(instant // S)
            control = take(control, BatteryOutcome(0, command.number, Result.UNKNOWN), instant=instant)
            assert control.shown is None
        instant += 1 * S
    assert said == [1, 21, 61, 121, 181, 241]
    control, command = say(control, expiry=EXPIRY, instant=301 * S)
    assert answered(control, Result.DONE, at=301).shown is NORMAL


@pytest.mark.rule("BAT-6")
def test_an_end_that_nobody_tells_counts_as_unknown_after_a_minute() -> None:
    control, command = say(choose(AT_REST, [CALL_HOLD], instant=0 * S), expiry=EXPIRY, instant=0 * S)
    assert command is not None
    assert battery.forgotten(control, 0, 59.9 * S) is None
    assert next_change(control, expiry=EXPIRY, instant=5 * S) == 5 * S
    outcome = battery.forgotten(control, 0, 60 * S)
    assert outcome is not None
    assert (outcome.number, outcome.result) == (command.number, Result.UNKNOWN)
    late = take(control, BatteryOutcome(0, command.number + 1, Result.DONE), instant=60 * S)
    assert late is control


@pytest.mark.rule("BAT-6")
def test_whoever_was_not_certainly_free_is_brought_to_normal_first() -> None:
    control = doubted(held())
    assert (control.mode, control.known, control.number) == (NORMAL, None, 1)
    control = choose(control, [CALL_HOLD], instant=0 * S)
    assert (control.mode, control.reason.code) == (NORMAL, BatteryCode.FREEING)
    control, command = say(control, expiry=EXPIRY, instant=0 * S)
    assert command is not None and command.mode is NORMAL
    control = answered(control, Result.DONE, at=0)
    assert control.reason.code is BatteryCode.FREE
    assert choose(control, [CALL_HOLD], instant=1 * S).mode is HOLD
    assert doubted(AT_REST) == AT_REST


def test_the_clocks_origin_is_a_time_like_any_other() -> None:
    held = BatteryControl(mode=BatteryMode.HOLD, known=BatteryMode.HOLD, changed_at=Instant(-600 * S))
    first = choose(held, [], instant=Instant(0 * S))
    assert choose(first, [], instant=Instant(60 * S)).uncalled_at == first.uncalled_at == 0 * S
