"""The estimate between two answers of the vehicle."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcclib.machines import soc
from evcclib.machines.soc import UNKNOWN, EstimatorConfig, SocState
from evcclib.readings import ABSENT, Measured, Missing, Reading
from evcclib.units import ORIGIN

SMALL = EstimatorConfig(capacity_kwh=9)
LARGE = EstimatorConfig(capacity_kwh=60)
FAILED = Missing(since=ORIGIN)


def value(soc_pct: float | None) -> Reading[float]:
    return ABSENT if soc_pct is None else Measured(soc_pct, ORIGIN)


def step(
    state: SocState,
    energy_kwh: float,
    vehicle: float | None,
    config: EstimatorConfig = LARGE,
    *,
    charger: Reading[float] = ABSENT,
    statuses_agree: bool = True,
    minutes: float = 0.0,
) -> SocState:
    return soc.step(
        state,
        charger_soc=charger,
        vehicle_soc=value(vehicle),
        energy_kwh=energy_kwh,
        config=config,
        instant=ORIGIN + timedelta(minutes=minutes),
        statuses_agree=statuses_agree,
    )


def follow(config: EstimatorConfig, *looks: tuple[float, float]) -> SocState:
    state = UNKNOWN
    for energy_kwh, vehicle in looks:
        state = step(state, energy_kwh, vehicle, config)
    return state


@pytest.mark.rule("EST-1", "EST-5", "EST-2", "U-10")
def test_energy_counts_up_from_the_last_answer() -> None:
    state = follow(SMALL, (0, 20))
    assert state.soc_pct == 20
    state = step(state, 0.123, 20, SMALL)
    assert state.soc_pct == pytest.approx(21.23)
    assert step(state, 1.0, 20, SMALL).soc_pct == pytest.approx(30)


@pytest.mark.rule("EST-5", "EST-6")
def test_gradient_is_learned_once_the_soc_rose_enough() -> None:
    state = follow(LARGE, (0, 40), (3, 40))
    assert state.soc_pct == pytest.approx(44.5)
    state = step(state, 7, 45)
    assert state.soc_pct == 45
    assert state.kwh_per_pct is None
    state = step(state, 9, 52)
    assert state.soc_pct == 52
    assert soc.gradient_kwh_per_pct(state, LARGE) * 100 == pytest.approx(75)
    assert step(state, 10, 52).soc_pct == pytest.approx(53.333, abs=0.001)
    state = step(state, 14, 58)
    assert state.soc_pct == 58
    assert soc.gradient_kwh_per_pct(state, LARGE) * 100 == pytest.approx(77.778, abs=0.001)


@pytest.mark.rule("EST-6")
def test_rise_of_exactly_ten_percent_teaches_nothing() -> None:
    assert follow(LARGE, (0, 40), (8, 50)).kwh_per_pct is None
    assert follow(LARGE, (0, 40), (8, 50.001)).kwh_per_pct is not None


@pytest.mark.rule("EST-6")
def test_rise_without_energy_teaches_nothing() -> None:
    assert follow(LARGE, (1, 40), (1, 80)).kwh_per_pct is None


@pytest.mark.rule("DEF-22", "EST-6")
def test_learned_gradient_stays_physical() -> None:
    assert follow(LARGE, (0, 40), (1, 80)).kwh_per_pct == pytest.approx(0.6)
    assert follow(LARGE, (0, 40), (90, 60)).kwh_per_pct == pytest.approx(1.2)


@pytest.mark.rule("DEF-22", "EST-5")
def test_counter_that_starts_again_takes_its_baseline_along() -> None:
    state = follow(LARGE, (5, 40), (8, 44))
    state = step(state, 1, 44)
    assert state.soc_pct == 44
    assert (state.initial_pct, state.initial_energy_kwh) == (44, 1)
    assert step(state, 4, 44).soc_pct == pytest.approx(44 + 3 / 0.6667, abs=0.01)
    assert step(state, 10, 56).kwh_per_pct == pytest.approx(9 / 12)


@pytest.mark.rule("EST-5")
def test_nothing_is_learned_while_charger_and_vehicle_disagree() -> None:
    state = follow(LARGE, (0, 40))
    state = step(state, 9, 52, statuses_agree=False)
    assert state.soc_pct == 52
    assert state.kwh_per_pct is None
    assert step(UNKNOWN, 0, 40, statuses_agree=False).initial_pct is None
    assert step(state, 10, 54).kwh_per_pct == pytest.approx(10 / 14)


@pytest.mark.rule("EST-5")
def test_estimate_ends_at_full() -> None:
    assert follow(LARGE, (0, 99), (10, 99)).soc_pct == 100


@pytest.mark.rule("EST-5")
def test_soc_that_falls_is_believed() -> None:
    assert follow(LARGE, (0, 40), (3, 38)).soc_pct == 38


@pytest.mark.rule("EST-2")
def test_negative_energy_counts_as_none() -> None:
    state = step(follow(LARGE, (0, 40)), -5, 40)
    assert state.soc_pct == 40
    assert state.fetched_energy_kwh == 0


@pytest.mark.rule("EST-3", "SOC-6")
def test_charger_goes_before_the_vehicle() -> None:
    assert step(UNKNOWN, 0, 40, charger=value(55)).soc_pct == 55
    assert step(UNKNOWN, 0, 40, charger=ABSENT).soc_pct == 40


@pytest.mark.rule("EST-3")
def test_last_value_stands_while_the_charger_fails() -> None:
    state = step(UNKNOWN, 0, None, charger=value(55))
    assert step(state, 6, 40, charger=FAILED).soc_pct == pytest.approx(64)
    assert step(UNKNOWN, 0, 40, charger=FAILED) is UNKNOWN


@pytest.mark.rule("EST-4")
def test_last_value_stands_while_the_vehicle_fails() -> None:
    state = follow(LARGE, (0, 40))
    assert step(state, 6, None).soc_pct == pytest.approx(49)
    assert step(UNKNOWN, 6, None) is UNKNOWN


@pytest.mark.rule("DEF-43", "EST-3")
@pytest.mark.parametrize("bad", [-0.1, 100.1, float("nan"), float("inf")])
def test_soc_outside_its_range_counts_as_failed(bad: float) -> None:
    state = follow(LARGE, (0, 40))
    assert step(state, 0, bad) is state
    assert step(state, 0, None, charger=value(bad)) is state
    assert step(UNKNOWN, 0, bad) is UNKNOWN
    assert step(UNKNOWN, 0, 0.0).soc_pct == 0
    assert step(UNKNOWN, 0, 100.0).soc_pct == 100


@pytest.mark.rule("DEF-42", "EST-9")
def test_vehicle_without_a_source_has_no_soc_however_much_is_charged() -> None:
    state = step(UNKNOWN, 30, None)
    assert state.soc_pct is None
    assert soc.remaining_energy_kwh(state, 80, LARGE) is None
    assert soc.remaining_duration(state, 80, 11_000, LARGE) is None


@pytest.mark.rule("EST-9")
@pytest.mark.parametrize("config", [EstimatorConfig(capacity_kwh=60, estimates=False), EstimatorConfig(capacity_kwh=0)])
def test_without_estimation_the_soc_is_what_was_fetched(config: EstimatorConfig) -> None:
    state = follow(config, (0, 40), (9, 40))
    assert state.soc_pct == 40
    assert step(state, 20, 40, config) is state
    assert step(state, 20, 55, config).soc_pct == 55


@pytest.mark.rule("EST-5")
def test_nothing_new_returns_the_same_state() -> None:
    state = follow(LARGE, (0, 40), (3, 40))
    assert step(state, 3, 40) is state


@pytest.mark.rule("EST-7")
def test_remaining_energy_is_what_the_wall_must_give() -> None:
    state = follow(SMALL, (0, 20))
    assert soc.remaining_energy_kwh(state, 80, SMALL) == pytest.approx(6)
    assert soc.remaining_energy_kwh(state, 20, SMALL) == 0
    assert soc.remaining_energy_kwh(state, 10, SMALL) == 0
    nothing = EstimatorConfig(capacity_kwh=0)
    assert soc.remaining_energy_kwh(follow(nothing, (0, 20)), 80, nothing) == 0


@pytest.mark.rule("EST-8", "DEF-21", "N-1", "N-4")
def test_remaining_duration_is_rounded_and_never_invented() -> None:
    state = follow(SMALL, (0, 20))
    assert soc.remaining_duration(state, 80, 3000, SMALL) == timedelta(hours=2)
    assert soc.remaining_duration(state, 20.0125, 9000, SMALL) == timedelta(seconds=1)
    assert soc.remaining_duration(state, 80, 0, SMALL) is None
    assert soc.remaining_duration(state, 80, -10, SMALL) is None
    assert soc.remaining_duration(state, 80, 5e-324, SMALL) is None
    assert soc.remaining_duration(state, 20, 0, SMALL) == timedelta(0)
    full = follow(SMALL, (0, 100))
    assert soc.remaining_duration(full, 100, 0, SMALL) == timedelta(0)


@pytest.mark.rule("PLAN-2", "DEF-10", "EST-8")
def test_plan_of_sixty_kilowatt_hours_has_no_surcharges() -> None:
    state = follow(LARGE, (0, 40))
    assert soc.remaining_duration(state, 80, 11_040, LARGE) == timedelta(seconds=8696)
    assert soc.remaining_duration(state, 95, 11_040, LARGE) == timedelta(seconds=11957)


@pytest.mark.rule("SOC-10", "DEF-44")
def test_limit_is_the_lower_of_target_and_the_vehicles_own() -> None:
    assert soc.shown_limit_pct(80, None) == 80
    assert soc.shown_limit_pct(80, 70.9) == 70
    assert soc.shown_limit_pct(80, 90) == 80
    assert soc.shown_limit_pct(0, None) == 100
    assert soc.shown_limit_pct(0, 90) == 90
    assert soc.effective_target_pct(0) == 100
    assert soc.effective_target_pct(1) == 1


@pytest.mark.rule("SOC-12")
def test_progress_is_told_every_ten_percent() -> None:
    assert soc.progress(0, None) == 0
    assert soc.progress(0, 0) == 10
    assert soc.progress(0, 42) == 50
    assert soc.progress(50, 49.9) == 50
    assert soc.progress(50, 50) == 60
    assert soc.progress(50, 100) == 110


LOOKS = st.lists(
    st.tuples(
        st.floats(0, 15),
        st.one_of(st.none(), st.integers(0, 100).map(float), st.floats(-5, 105)),
        st.booleans(),
        st.booleans(),
    ),
    max_size=25,
)


@given(LOOKS, st.sampled_from([0.0, 9.0, 60.0]))
@pytest.mark.rule("EST-5", "DEF-22", "DEF-43")
def test_estimate_is_bounded_by_the_last_answer_and_lossless_charging(
    looks: list[tuple[float, float | None, bool, bool]], capacity_kwh: float
) -> None:
    config = EstimatorConfig(capacity_kwh=capacity_kwh)
    state, energy_kwh = UNKNOWN, 0.0
    for charged_kwh, vehicle, statuses_agree, restarts in looks:
        energy_kwh = charged_kwh if restarts else energy_kwh + charged_kwh
        state = step(state, energy_kwh, vehicle, config, statuses_agree=statuses_agree)
        if state.fetched_pct is None:
            assert state is UNKNOWN
            continue
        assert state.soc_pct is not None
        gain_pct = (energy_kwh - state.fetched_energy_kwh) / capacity_kwh * 100 if capacity_kwh else 0.0
        assert state.fetched_pct - 1e-9 <= state.soc_pct <= min(100, state.fetched_pct + gain_pct) + 1e-6
        if state.kwh_per_pct is not None:
            assert capacity_kwh / 100 <= state.kwh_per_pct <= capacity_kwh / 50


@pytest.mark.rule("EST-6")
def test_gradient_counts_from_the_first_answer() -> None:
    assert follow(LARGE, (0, 40), (0, 41), (9, 52)).kwh_per_pct == pytest.approx(9 / 12)


@pytest.mark.rule("EST-6", "DEF-22", "DEF-43")
def test_zero_that_is_no_soc_teaches_nothing() -> None:
    state = follow(SMALL, (0, 0), (0, 20), (1.1, 31), (1.2, 32), (6.0, 80))
    assert soc.gradient_kwh_per_pct(state, SMALL) * 100 == pytest.approx(10.0)
    assert (state.initial_pct, state.initial_energy_kwh) == (20, 0)


@pytest.mark.rule("EST-6", "EST-5")
def test_really_empty_car_counts_up_from_zero_and_teaches_from_its_first_percent_on() -> None:
    state = follow(LARGE, (0, 0), (2, 0))
    assert state.soc_pct == pytest.approx(3)
    state = follow(LARGE, (0, 0), (2, 2), (9.5, 12), (10.25, 13))
    assert soc.gradient_kwh_per_pct(state, LARGE) * 100 == pytest.approx(75)


@pytest.mark.rule("DEF-43", "EST-4", "EST-6")
def test_zero_does_not_replace_an_answer() -> None:
    state = follow(LARGE, (0, 40), (3, 40))
    assert step(state, 6, 0.0).soc_pct == pytest.approx(49)
    assert step(state, 6, None, charger=value(0.0)).soc_pct == pytest.approx(49)
    raw = EstimatorConfig(capacity_kwh=60, estimates=False)
    assert follow(raw, (0, 40), (3, 0)).soc_pct == 40


@pytest.mark.rule("EST-3", "DEF-43")
@pytest.mark.parametrize("none", [0.0, 255.0, float("nan")])
def test_vehicle_answers_where_the_charger_has_nothing_to_say(none: float) -> None:
    assert step(UNKNOWN, 0, 40, charger=value(none)).soc_pct == 40
    assert step(UNKNOWN, 0, None, charger=value(none)).soc_pct == (0 if none == 0 else None)


@pytest.mark.rule("DEF-1", "EST-9")
def test_answer_that_stays_while_energy_is_charged_is_doubted() -> None:
    raw = EstimatorConfig(capacity_kwh=60, estimates=False)
    state = follow(raw, (0, 40), (6.6, 41), (6.6, 40))
    assert not soc.is_doubted(UNKNOWN, 99, raw)
    assert not soc.is_doubted(state, 6.6, raw)
    assert soc.is_doubted(state, 6.7, raw)
    assert soc.by_energy(state, 6.6, raw) is state
    assert soc.by_energy(state, 13.33, raw).soc_pct == pytest.approx(60, abs=0.01)
    assert soc.by_energy(state, 99, raw).soc_pct == 100
    assert soc.by_energy(follow(LARGE, (0, 40)), 13.33, LARGE).soc_pct == 40  # an estimate counts by itself
    assert not soc.is_doubted(step(state, 6.7, 42, raw), 13.3, raw)
    assert not soc.is_doubted(step(state, 6.7, 38, raw), 13.3, raw)
    unknown = EstimatorConfig(capacity_kwh=0)
    assert not soc.is_doubted(follow(unknown, (1, 40)), 11, unknown)
    assert soc.is_doubted(follow(unknown, (1, 40)), 11.1, unknown)
    assert soc.by_energy(follow(unknown, (1, 40)), 50, unknown).soc_pct == 40
    restarted = step(follow(raw, (50, 40)), 1, 40, raw)
    assert soc.is_doubted(restarted, 8, raw)


@pytest.mark.rule("EST-5", "EST-9")
def test_small_batteries_are_estimated_and_agreement_is_assumed() -> None:
    scooter = EstimatorConfig(capacity_kwh=0.9)
    state = UNKNOWN
    for energy_kwh, vehicle in ((0.0, 20.0), (0.2, 20.0), (0.25, 45.0)):
        state = soc.step(
            state, charger_soc=ABSENT, vehicle_soc=value(vehicle), energy_kwh=energy_kwh, config=scooter, instant=ORIGIN
        )
        assert state.soc_pct == (40.0 if energy_kwh == 0.2 else vehicle)
    assert state.kwh_per_pct == pytest.approx(0.01)
    assert soc.remaining_duration(state, 55, 100, scooter) == timedelta(hours=1)


@pytest.mark.rule("EST-10")
def test_answer_above_what_can_have_been_charged_is_not_believed_for_half_an_hour() -> None:
    state = follow(LARGE, (0, 45), (6, 54))
    lied = step(state, 7, 75, minutes=1)
    assert lied.soc_pct == pytest.approx(54 + 1.5)
    assert step(lied, 8, 75, minutes=30.9).soc_pct == pytest.approx(54 + 3)
    believed = step(lied, 8, 75, minutes=31)
    assert believed.soc_pct == 75
    assert step(believed, 9, 77, minutes=31).soc_pct == 77


@pytest.mark.rule("EST-10")
def test_lie_that_ends_leaves_nothing_behind() -> None:
    state = follow(LARGE, (0, 45), (6, 54))
    over = step(step(state, 7, 75, minutes=1), 12, 63, minutes=20)
    assert (over.soc_pct, over.odd_since) == (63, None)
    assert step(over, 13, 90, minutes=40).odd_since == ORIGIN + timedelta(minutes=40)


@pytest.mark.rule("EST-10")
def test_answers_that_can_be_so_are_believed_at_once() -> None:
    state = follow(LARGE, (0, 45), (6, 54))
    assert step(state, 12, 63, minutes=1).soc_pct == 63  # 20 % were charged
    assert step(state, 12, 74, minutes=1).odd_since is None  # the battery is a sixth smaller
    assert step(state, 7, 30, minutes=1).soc_pct == 30  # it falls
    assert step(state, 6, 54, charger=Measured(80.0, ORIGIN), minutes=1).soc_pct == 80  # the car itself
    assert step(UNKNOWN, 0, 80, minutes=1).soc_pct == 80  # nobody has said another thing


@pytest.mark.rule("EST-10")
def test_first_answer_may_be_an_old_one() -> None:
    assert step(follow(LARGE, (0, 45)), 1, 80, minutes=1).soc_pct == 80
    fallen = step(follow(LARGE, (0, 45), (6, 54)), 7, 30, minutes=1)
    assert step(fallen, 8, 57, minutes=2).soc_pct == 57  # what was lower was the lie


@pytest.mark.rule("EST-10")
def test_without_a_capacity_nothing_is_odd() -> None:
    unknown = EstimatorConfig(capacity_kwh=0)
    assert step(follow(unknown, (0, 45)), 0, 90, unknown, minutes=1).soc_pct == 90
