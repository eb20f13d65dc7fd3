"""When a vehicle may be asked, and that no error makes it be asked too often."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcclib.commands import Read, VehicleRead
from evcclib.config import PollConfig
from evcclib.machines import asking
from evcclib.machines.asking import BURST, CACHE, NEVER_ASKED, PollState
from evcclib.model import PollMode
from evcclib.readings import ABSENT, Measured, Missing, Reading, VehicleReading
from evcclib.units import ORIGIN, Instant

SECOND: Any = timedelta(seconds=1)
MINUTE: Any = timedelta(minutes=1)
HOUR: Any = timedelta(hours=1)
TICK = timedelta(microseconds=1)
NOTHING = VehicleReading()
RETRY = VehicleReading(must_retry=True)


def answer(at: Instant, soc_pct: float = 50) -> VehicleReading:
    return VehicleReading(soc_pct=Measured(soc_pct, at))


def step(
    state: PollState,
    now: Instant,
    reading: VehicleReading = NOTHING,
    *,
    mode: PollMode = PollMode.CHARGING,
    interval: timedelta = HOUR,
    connected: bool = True,
    charging: bool = False,
) -> tuple[PollState, Read | None]:
    return asking.step(
        state,
        vehicle="zoe",
        reading=reading,
        now=now,
        config=PollConfig(mode=mode, interval=interval),
        is_connected=connected,
        is_charging=charging,
    )


def asked(state: PollState, now: Instant, **about: object) -> PollState:
    later, read = step(state, now, **about)  # type: ignore[arg-type]  # keyword arguments of step, passed through
    assert read is not None
    return later


def assert_silent(state: PollState, now: Instant, **about: object) -> None:
    later, read = step(state, now, **about)  # type: ignore[arg-type]  # keyword arguments of step, passed through
    assert read is None
    assert later is state


@pytest.mark.rule("SOC-8", "CUT-2")
def test_connected_vehicle_is_asked_once_in_mode_charging() -> None:
    state, read = step(NEVER_ASKED, HOUR)
    assert read == Read("zoe", VehicleRead.SOC, False)
    for minutes in (0, 1, 59, 60, 600):
        assert_silent(state, HOUR + minutes * MINUTE, reading=answer(HOUR))


@pytest.mark.rule("SOC-8")
def test_nobody_asks_a_vehicle_that_is_away() -> None:
    assert_silent(NEVER_ASKED, HOUR, connected=False)
    assert_silent(NEVER_ASKED, HOUR, connected=False, mode=PollMode.CONNECTED)


@pytest.mark.rule("SOC-8")
@pytest.mark.parametrize(
    ("mode", "connected"), [(PollMode.CONNECTED, True), (PollMode.ALWAYS, True), (PollMode.ALWAYS, False)]
)
def test_other_modes_ask_once_an_interval(mode: PollMode, connected: bool) -> None:
    state = asked(NEVER_ASKED, HOUR, mode=mode, connected=connected)
    reading = answer(HOUR)
    assert_silent(state, 2 * HOUR - TICK, reading=reading, mode=mode, connected=connected)
    asked(state, 2 * HOUR, reading=reading, mode=mode, connected=connected)


@pytest.mark.rule("SOC-8")
def test_mode_connected_stops_asking_when_the_vehicle_leaves() -> None:
    state = asked(NEVER_ASKED, HOUR, mode=PollMode.CONNECTED)
    assert_silent(state, 9 * HOUR, mode=PollMode.CONNECTED, connected=False)


@pytest.mark.rule("SOC-8", "VEH-20")
def test_charging_vehicle_is_asked_as_often_as_its_answers_are_kept() -> None:
    state = asked(NEVER_ASKED, HOUR, charging=True)
    assert_silent(state, HOUR + CACHE - TICK, charging=True)
    state = asked(state, HOUR + CACHE, charging=True)
    asked(state, HOUR + 2 * CACHE, charging=True)


@pytest.mark.rule("SOC-8")
def test_shorter_interval_holds_while_charging_too() -> None:
    state = asked(NEVER_ASKED, HOUR, charging=True, interval=5 * MINUTE)
    assert_silent(state, HOUR + 5 * MINUTE - TICK, charging=True, interval=5 * MINUTE)
    asked(state, HOUR + 5 * MINUTE, charging=True, interval=5 * MINUTE)


@pytest.mark.rule("SOC-8")
def test_interval_of_zero_means_an_hour() -> None:
    about: dict[str, object] = {"mode": PollMode.CONNECTED, "interval": timedelta(0)}
    state = asked(NEVER_ASKED, HOUR, **about)
    assert_silent(state, 2 * HOUR - TICK, **about)
    asked(state, 2 * HOUR, **about)


@pytest.mark.rule("DEF-27", "SOC-8")
def test_end_of_charging_asks_once_past_the_cache_and_then_no_more() -> None:
    state = asked(NEVER_ASKED, HOUR, charging=True)
    state, read = step(asking.charge_stopped(state), HOUR + MINUTE)
    assert read == Read("zoe", VehicleRead.SOC, True)
    assert_silent(state, 9 * HOUR, reading=answer(HOUR + MINUTE))


@pytest.mark.rule("SOC-9")
def test_start_of_charging_asks_again() -> None:
    state = asked(NEVER_ASKED, HOUR)
    state, read = step(asking.charge_started(state), HOUR + MINUTE, charging=True)
    assert read == Read("zoe", VehicleRead.SOC, False)


@pytest.mark.rule("SOC-9")
def test_failed_read_is_tried_again_after_the_interval_only() -> None:
    state = asked(NEVER_ASKED, HOUR)
    failed = VehicleReading(soc_pct=Missing(since=HOUR))
    assert_silent(state, 2 * HOUR - TICK, reading=failed)
    state = asked(state, 2 * HOUR, reading=failed)
    assert_silent(state, 9 * HOUR, reading=answer(2 * HOUR))


@pytest.mark.rule("SOC-9", "VEH-20")
def test_must_retry_is_tried_again_soon_and_then_ever_later() -> None:
    state = asked(NEVER_ASKED, HOUR)
    now = HOUR
    for seconds in (5, 10, 20, 40):
        assert_silent(state, now + seconds * SECOND - TICK, reading=RETRY)
        now += seconds * SECOND
        state = asked(state, now, reading=RETRY)
    assert_silent(state, now + HOUR, reading=answer(now))


@pytest.mark.rule("SOC-9")
def test_must_retry_never_waits_longer_than_the_interval() -> None:
    state = PollState(asked_at=HOUR, retries=30)
    assert_silent(state, 2 * HOUR - TICK, reading=RETRY)
    asked(state, 2 * HOUR, reading=RETRY)
    assert_silent(PollState(asked_at=HOUR), 9 * HOUR, reading=RETRY, connected=False)


@pytest.mark.rule("SOC-9")
def test_retries_start_over_after_an_answer() -> None:
    state = PollState(asked_at=HOUR, retries=3)
    state = asked(state, 2 * HOUR, reading=answer(ORIGIN), mode=PollMode.CONNECTED)
    assert state.retries == 0


@pytest.mark.rule("SOC-9", "EST-1")
def test_samples_of_an_earlier_connection_are_not_accepted() -> None:
    old: Reading[float] = Measured(50.0, HOUR - CACHE - TICK)
    kept: Reading[float] = Measured(50.0, HOUR - CACHE)
    assert asking.accepted(NEVER_ASKED, kept) == ABSENT
    state = asked(NEVER_ASKED, HOUR)
    assert asking.accepted(state, old) == ABSENT
    assert asking.accepted(state, kept) is kept
    later = asked(asking.charge_started(state), 2 * HOUR, charging=True)
    assert asking.accepted(later, kept) is kept
    assert asking.accepted(asking.connected(later), kept) == ABSENT
    missing = Missing(since=HOUR)
    assert asking.accepted(NEVER_ASKED, missing) is missing


@pytest.mark.rule("SOC-9")
def test_cached_answer_counts_as_an_answer_unless_a_fresh_one_was_wanted() -> None:
    state = asked(NEVER_ASKED, HOUR)
    assert_silent(state, 2 * HOUR, reading=answer(HOUR - CACHE))
    stopped = asked(asking.charge_stopped(state), HOUR)
    asked(stopped, 2 * HOUR, reading=answer(HOUR - TICK))
    assert_silent(stopped, 2 * HOUR, reading=answer(HOUR))


@pytest.mark.rule("SOC-8")
def test_burst_is_all_that_events_can_buy() -> None:
    state, reads = NEVER_ASKED, 0
    for second in range(60):
        state, read = step(asking.charge_stopped(state), HOUR + second * SECOND)
        reads += read is not None
    assert reads == BURST
    state, read = step(asking.charge_stopped(asking.connected(state)), HOUR + 59 * SECOND)
    assert read is None
    asked(asking.charge_stopped(state), HOUR + CACHE)


Event = Callable[[PollState], PollState]
EVENTS: list[Event] = [asking.connected, asking.charge_started, asking.charge_stopped, lambda state: state]


@given(
    looks=st.lists(
        st.tuples(
            st.floats(0, 1200),
            st.sampled_from(EVENTS),
            st.sampled_from([NOTHING, RETRY, answer(ORIGIN), answer(100 * HOUR)]),
            st.booleans(),
            st.booleans(),
        ),
        max_size=80,
    ),
    mode=st.sampled_from(PollMode),
    minutes=st.sampled_from([1, 10, 60]),
)
@pytest.mark.rule("SOC-8", "SOC-9", "DEF-27")
def test_no_sequence_of_events_and_errors_overdraws_the_budget(
    looks: list[tuple[float, Event, VehicleReading, bool, bool]], mode: PollMode, minutes: int
) -> None:
    interval = minutes * MINUTE
    refill = min(interval, CACHE)
    state, now, times = NEVER_ASKED, timedelta(0), []
    for seconds, event, reading, connected, charging in looks:
        now += seconds * SECOND
        state, read = step(
            event(state),
            now,
            reading,
            mode=mode,
            interval=interval,
            connected=connected,
            charging=charging and connected,
        )
        if read is not None:
            times.append(now)
    for index, first in enumerate(times):
        for count, last in enumerate(times[index:], start=1):
            assert count <= BURST + (last - first) / refill + 1e-6
