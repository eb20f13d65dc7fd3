"""The record of a charging session."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcclib.ledger import session
from evcclib.ledger.session import Mix, SessionState

EVENING = datetime(2026, 1, 5, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)
SUN = Mix(green_share=1.0, price_per_kwh=0.08, co2_g_per_kwh=0.0)
GRID = Mix(green_share=0.0, price_per_kwh=0.30, co2_g_per_kwh=400.0)


def connect(meter_kwh: float | None = 100.0) -> SessionState:
    return session.connect(
        position=0, title="Carport", vehicle="Zoe", identifier="04AB", meter_kwh=meter_kwh, now=EVENING
    )


def charging() -> SessionState:
    return session.start(connect(), now=EVENING + HOUR)


@pytest.mark.rule("SES-1", "SES-2")
def test_session_is_stored_only_once_something_is_charged() -> None:
    state = connect()
    assert session.record(state) is None
    assert session.stop(state, meter_kwh=101.0, now=EVENING) is state
    record = session.record(session.start(state, now=EVENING + HOUR))
    assert record is not None
    assert record.created == EVENING + HOUR
    assert record.finished is None
    assert (record.loadpoint, record.vehicle, record.identifier) == ("Carport", "Zoe", "04AB")
    assert record.meter_start_kwh == 100.0


@pytest.mark.rule("SES-2", "SES-3")
def test_several_charging_periods_are_one_record() -> None:
    state = session.charge(charging(), energy_kwh=2.0, mix=GRID)
    state = session.stop(state, meter_kwh=102.0, now=EVENING + 2 * HOUR)
    assert session.start(state, now=EVENING + 3 * HOUR) is state
    state = session.charge(state, energy_kwh=5.0, mix=GRID)
    state = session.stop(state, meter_kwh=105.0, now=EVENING + 4 * HOUR)
    record = session.record(state)
    assert record is not None
    assert record.created == EVENING + HOUR
    assert record.finished == EVENING + 4 * HOUR
    assert record.energy_charged_kwh == 5.0
    assert record.meter_stop_kwh == 105.0


@pytest.mark.rule("SES-3", "DEF-23", "INV-9")
def test_meter_difference_does_not_override_the_energy() -> None:
    state = session.charge(charging(), energy_kwh=5.0, mix=GRID)
    state = session.stop(state, meter_kwh=104.0, now=EVENING + 2 * HOUR)
    record = session.record(state)
    assert record is not None
    assert record.energy_charged_kwh == 5.0


@pytest.mark.rule("SES-3", "INV-9")
def test_energy_of_a_session_never_falls() -> None:
    state = session.charge(charging(), energy_kwh=5.0, mix=GRID)
    assert session.charge(state, energy_kwh=3.0, mix=GRID) is state


@pytest.mark.rule("SES-3")
def test_unreadable_meter_at_the_stop_keeps_the_last_reading() -> None:
    state = session.stop(charging(), meter_kwh=102.0, now=EVENING + 2 * HOUR)
    assert session.stop(state, meter_kwh=None, now=EVENING + 3 * HOUR).meter_stop_kwh == 102.0


@pytest.mark.rule("SES-1", "DEF-23")
def test_missing_start_reading_is_made_up_for() -> None:
    state = session.charge(connect(meter_kwh=None), energy_kwh=0.0, mix=GRID)
    assert state.meter_start_kwh is None
    assert session.charge(state, energy_kwh=0.0, mix=GRID, meter_kwh=100.0).meter_start_kwh == 100.0
    assert session.charge(state, energy_kwh=2.0, mix=GRID, meter_kwh=102.0).meter_start_kwh == 100.0
    assert session.charge(state, energy_kwh=2.0, mix=GRID, meter_kwh=1.0).meter_start_kwh == 0.0
    assert session.charge(connect(), energy_kwh=2.0, mix=GRID, meter_kwh=999.0).meter_start_kwh == 100.0


@pytest.mark.rule("SES-4")
def test_what_becomes_known_of_the_vehicle_is_written_into_it() -> None:
    state = session.describe(connect(), vehicle="Kangoo", odometer_km=12_345.6)
    assert (state.vehicle, state.identifier, state.odometer_km) == ("Kangoo", "04AB", 12_345.6)
    assert session.describe(state, vehicle="Kangoo") is state
    assert session.describe(state, identifier="").identifier == ""
    assert session.describe(state, vehicle="").vehicle == ""


@pytest.mark.rule("SES-6")
def test_key_is_the_loadpoint_and_the_time_of_the_connect() -> None:
    assert connect().key == "1-20260105T180000.000000"
    other = session.connect(position=1, title="", vehicle="", identifier="", meter_kwh=None, now=EVENING)
    assert other.key == "2-20260105T180000.000000"
    assert session.stop(charging(), meter_kwh=None, now=EVENING + HOUR).key == connect().key


@pytest.mark.rule("SES-6", "DEF-40")
def test_energy_is_split_by_what_held_while_it_was_charged() -> None:
    state = session.charge(charging(), energy_kwh=0.0, mix=SUN)
    state = session.charge(state, energy_kwh=3.0, mix=GRID)
    state = session.charge(state, energy_kwh=4.0, mix=GRID)
    record = session.record(state)
    assert record is not None
    assert record.solar_pct == pytest.approx(75.0)
    assert record.price == pytest.approx(3 * 0.08 + 0.30)
    assert record.price_per_kwh == pytest.approx((3 * 0.08 + 0.30) / 4)
    assert record.co2_g_per_kwh == pytest.approx(100.0)


@pytest.mark.rule("SES-6")
def test_unknown_mix_stays_unknown() -> None:
    record = session.record(session.charge(charging(), energy_kwh=4.0, mix=Mix()))
    assert record is not None
    assert (record.solar_pct, record.price, record.price_per_kwh, record.co2_g_per_kwh) == (None, None, None, None)


@pytest.mark.rule("SES-6")
def test_energy_without_a_price_does_not_thin_the_price_of_the_rest() -> None:
    state = session.charge(charging(), energy_kwh=0.0, mix=GRID)
    state = session.charge(state, energy_kwh=2.0, mix=Mix(green_share=0.0))
    state = session.charge(state, energy_kwh=4.0, mix=Mix(green_share=0.0))
    record = session.record(state)
    assert record is not None
    assert record.price == pytest.approx(0.6)
    assert record.price_per_kwh == pytest.approx(0.3)
    assert record.solar_pct == 0.0


@pytest.mark.rule("SES-3")
def test_nothing_new_returns_the_same_state() -> None:
    state = session.charge(charging(), energy_kwh=2.0, mix=GRID)
    assert session.charge(state, energy_kwh=2.0, mix=GRID) is state
    assert session.charge(state, energy_kwh=2.0, mix=SUN).mix == SUN


@given(
    looks=st.lists(
        st.tuples(st.floats(0, 5), st.floats(0, 1), st.one_of(st.none(), st.floats(-0.5, 1))), min_size=1, max_size=20
    )
)
@pytest.mark.rule("SES-6", "INV-9")
def test_parts_add_up(looks: list[tuple[float, float, float | None]]) -> None:
    state, energy_kwh = charging(), 0.0
    for charged_kwh, share, price in looks:
        energy_kwh += charged_kwh
        state = session.charge(state, energy_kwh=energy_kwh, mix=Mix(green_share=share, price_per_kwh=price))
    assert state.energy_kwh == pytest.approx(energy_kwh)
    assert state.shared_kwh == pytest.approx(energy_kwh)
    assert 0 <= state.solar_kwh <= energy_kwh + 1e-9
    assert state.priced_kwh <= energy_kwh + 1e-9
