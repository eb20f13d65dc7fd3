"""What charging with own energy has saved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcclib.ledger import savings
from evcclib.ledger.savings import SavingsState
from evcclib.model import Now
from evcclib.units import ORIGIN
from evcclib.view import SavingsView

MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)
START = Now(ORIGIN, MIDNIGHT)
HOUR = timedelta(hours=1)
FRESH = SavingsState(since=MIDNIGHT)


def step(
    state: SavingsState,
    hours: float,
    power_w: float,
    share: float,
    *,
    grid: float | None = None,
    feed_in: float | None = None,
) -> SavingsState:
    return savings.step(
        state,
        now=START.after(hours * HOUR),
        charge_power_w=power_w,
        green_share=share,
        grid_price=grid,
        feed_in_price=feed_in,
    )


def view(state: SavingsState, hours: float, grid: float | None = None) -> SavingsView:
    return savings.view(state, now=START.after(hours * HOUR), grid_price=grid)


@pytest.mark.rule("SAV-1", "SAV-4")
def test_nothing_charged_shows_the_grid_price() -> None:
    shown = view(FRESH, 0)
    assert (shown.total_charged_kwh, shown.self_consumption_pct, shown.amount) == (0, 0, 0)
    assert shown.effective_price == 0.30
    assert shown.since == MIDNIGHT
    assert view(FRESH, 0, grid=0.4).effective_price == 0.4


@pytest.mark.rule("SAV-2", "SAV-3", "SAV-4")
def test_an_hour_of_ten_kilowatts_half_green_without_tariffs() -> None:
    state = step(step(FRESH, 0, 10_000, 0.5), 1, 0, 0)
    shown = view(state, 1)
    assert shown.total_charged_kwh == pytest.approx(10)
    assert shown.grid_charged_kwh == pytest.approx(5)
    assert shown.self_consumption_charged_kwh == pytest.approx(5)
    assert shown.self_consumption_pct == pytest.approx(50)
    assert shown.effective_price == pytest.approx(0.19)
    assert shown.amount == pytest.approx(1.1)


@pytest.mark.rule("SAV-3")
def test_known_prices_are_used() -> None:
    state = step(step(FRESH, 0, 10_000, 0.5, grid=0.4, feed_in=0.1), 1, 0, 0)
    assert view(state, 1).effective_price == pytest.approx(0.25)
    assert view(state, 1).amount == pytest.approx(1.5)


@pytest.mark.rule("SAV-2")
def test_totals_are_exact_between_two_steps() -> None:
    state = step(FRESH, 0, 10_000, 0.5)
    assert view(state, 0.5).total_charged_kwh == pytest.approx(5)
    assert view(state, 0.25).total_charged_kwh == pytest.approx(2.5)


@pytest.mark.rule("SAV-2", "INV-14")
def test_time_without_charging_changes_nothing() -> None:
    state = step(step(FRESH, 0, 10_000, 0.5), 1, 0, 0)
    assert step(state, 5, 0, 1) is state
    assert step(FRESH, 5, 0, 1) is FRESH
    assert step(FRESH, 5, -20, 1) is FRESH
    assert view(state, 9) == view(state, 1)
    later = step(step(state, 9, 10_000, 1), 10, 0, 0)
    assert view(later, 10).total_charged_kwh == pytest.approx(20)


@pytest.mark.rule("SAV-5", "DEF-38")
def test_long_time_without_a_step_is_not_guessed() -> None:
    state = step(FRESH, 0, 10_000, 0.5)
    assert view(step(state, 1.25, 0, 0), 1.25).total_charged_kwh == pytest.approx(12.5)
    assert view(step(state, 1.251, 0, 0), 1.251).total_charged_kwh == 0


@pytest.mark.rule("SAV-2")
def test_what_is_held_goes_on_and_is_not_lost_by_an_hour_without_a_step() -> None:
    state = step(FRESH, 0, 10_000, 0.5)
    assert step(state, 0.2, 10_000, 0.5) is state
    assert step(state, 0.2, 10_000, 0.6) is not state
    assert step(state, 0.25, 10_000, 0.5) is not state
    assert view(step(state, 1.2, 10_000, 0.5), 1.2).total_charged_kwh == pytest.approx(12)
    later = step(FRESH, 5, 10_000, 0.5)
    assert step(later, 5.2, 10_000, 0.5) is later
    assert step(later, 5.2, 9_000, 0.5) is not later


def test_share_outside_its_range_is_held_within() -> None:
    assert view(step(FRESH, 0, 1000, 1.5), 1).self_consumption_pct == pytest.approx(100)
    assert view(step(FRESH, 0, 1000, -0.5), 1).self_consumption_pct == 0


STEPS = st.lists(
    st.tuples(
        st.floats(0.001, 0.9),
        st.sampled_from([0.0, 0.0, 1400.0, 11_000.0]),
        st.floats(0, 1),
        st.sampled_from([None, 0.3, -0.05]),
        st.sampled_from([None, 0.08]),
    ),
    max_size=20,
)


@given(STEPS)
@pytest.mark.rule("INV-14", "SAV-4")
def test_grid_and_own_energy_make_the_total(
    steps: list[tuple[float, float, float, float | None, float | None]],
) -> None:
    state, hours, energy_kwh, held_w, amount = FRESH, 0.0, 0.0, 0.0, 0.0
    for length, power_w, share, grid, feed_in in steps:
        hours += length
        energy_kwh += held_w * length / 1000
        state = step(state, hours, power_w, share, grid=grid, feed_in=feed_in)
        shown = view(state, hours)
        assert shown.grid_charged_kwh + shown.self_consumption_charged_kwh == pytest.approx(shown.total_charged_kwh)
        assert 0 <= shown.self_consumption_pct <= 100 + 1e-9
        assert shown.total_charged_kwh == pytest.approx(energy_kwh)
        assert held_w > 0 or shown.amount == amount
        amount, held_w = shown.amount, power_w


@given(
    cuts=st.lists(st.floats(0, 1), max_size=6),
    share=st.floats(0, 1),
)
@pytest.mark.rule("SAV-2")
def test_steps_in_between_change_nothing(cuts: list[float], share: float) -> None:
    direct = step(step(FRESH, 0, 7000, share), 1, 0, 0)
    state = step(FRESH, 0, 7000, share)
    for cut in sorted(cuts):
        state = step(state, cut, 7000, share)
    stepped = step(state, 1, 0, 0)
    assert view(stepped, 1).total_charged_kwh == pytest.approx(view(direct, 1).total_charged_kwh)
    assert view(stepped, 1).amount == pytest.approx(view(direct, 1).amount)
