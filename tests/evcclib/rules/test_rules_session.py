"""What a loadpoint charges: energy, the session, the state of charge."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from bench import NOON, Bench, loadpoint, run, site_config
from rules_bench import CAR, HOUR, ZERO, A, B, C, counter, home, shown, stored

from evcclib.commands import (
    Read,
    VehicleRead,
)
from evcclib.config import PollConfig
from evcclib.model import ChargeMode, PollMode, TariffKind
from evcclib.readings import Measured, Reading, VehicleReading
from evcclib.requests import AssignVehicle
from evcclib.tariff import CO2_UNIT, Rate, Rates
from evcclib.units import ORIGIN, Instant


@pytest.mark.rule("LP-15", "MET-3", "LP-16")
def test_power_is_integrated_into_energy() -> None:
    bench = home(status=B, mode=ChargeMode.NOW)
    for seconds in range(0, 3611, 10):
        bench.at(seconds)
    assert shown(bench).energy_charged_kwh == pytest.approx(11.04, abs=0.04)
    assert shown(bench).charge_duration == timedelta(seconds=3610)


@pytest.mark.rule("MET-1", "MET-4", "LP-16")
@pytest.mark.parametrize(
    ("has_total", "has_session", "expected_kwh"), [(True, True, 2.0), (True, False, 2.0), (False, True, 5.0)]
)
def test_chargers_own_counter_counts_without_a_meter_only(
    has_total: bool, has_session: bool, expected_kwh: float
) -> None:
    bench = home(status=B, mode=ChargeMode.NOW, has_energy_total=has_total, has_energy_session=has_session)
    for seconds, total, own in ((0, 100.0, 0.0), (3600, 102.0, 5.0)):
        bench.t = timedelta(seconds=seconds)
        counter(bench, total)
        bench.box.extra["energy_session_kwh"] = Measured(own, bench.t)
        bench.at(seconds)
    assert shown(bench).energy_charged_kwh == pytest.approx(expected_kwh)
    assert shown(bench).energy_total_kwh == (102.0 if has_total else None)


def at(bench: Bench, seconds: float, total_kwh: float) -> None:
    """One step with a fresh counter."""
    bench.t = timedelta(seconds=seconds)
    counter(bench, total_kwh)
    bench.at(seconds)


@pytest.mark.rule("SES-1", "SES-3", "MET-6", "DEF-23")
def test_zeros_of_a_meter_that_has_counted_do_not_end_up_in_a_session() -> None:
    bench = home(status=A, has_energy_total=True, mode=ChargeMode.NOW)
    at(bench, 0, 8000.0)
    bench.box.status = B
    at(bench, 60, 0.0)
    assert shown(bench).energy_total_kwh is None
    at(bench, 70, 0.0)
    at(bench, 80, 8000.05)
    at(bench, 3600, 8011.0)
    bench.box.status = A
    at(bench, 3610, 0.0)
    last = stored(bench)[-1]
    assert last.meter_start_kwh == pytest.approx(8000.0)
    assert (last.meter_stop_kwh, last.energy_charged_kwh) == (None, pytest.approx(11.0, abs=0.05))


@pytest.mark.rule("MET-6", "SES-3", "DEF-23")
def test_counter_that_really_starts_again_goes_on_and_ends_up_in_the_session() -> None:
    bench = home(status=B, has_energy_total=True, mode=ChargeMode.NOW)
    for seconds, total in ((0, 8000.0), (3600, 8011.0), (3610, 0.0), (3670, 0.2), (7200, 11.0)):
        at(bench, seconds, total)
    assert shown(bench).energy_total_kwh == 11.0
    assert shown(bench).energy_charged_kwh == pytest.approx(22.0)


@pytest.mark.rule("EV-10", "EV-11", "EV-12", "EV-13", "SES-1", "SES-2", "SES-3", "SES-5", "MET-2", "MET-5")
def test_a_session_from_connect_to_disconnect() -> None:
    bench = home(status=A, title="Carport", has_energy_total=True)
    counter(bench, 100.0)
    bench.at(0)
    bench.box.status = B
    bench.at(60)
    assert shown(bench).connected_duration == ZERO
    assert not stored(bench)
    bench.set("mode", ChargeMode.NOW)
    bench.at(120)
    bench.at(130)
    (first,) = stored(bench)
    started = NOON + timedelta(seconds=120)
    assert (first.created, first.finished, first.loadpoint) == (started, None, "Carport")
    assert first.meter_start_kwh == 100.0
    bench.t = timedelta(seconds=3720)
    counter(bench, 111.0)
    bench.set("mode", ChargeMode.OFF)
    bench.at(3720)
    bench.at(3730)
    last = stored(bench)[-1]
    assert last.key == first.key
    assert last.energy_charged_kwh == pytest.approx(11.0)
    assert last.meter_stop_kwh == 111.0
    assert last.finished == NOON + timedelta(seconds=3720)
    bench.box.status = A
    bench.at(4000)
    assert bench.lp.session is None
    view = shown(bench)
    assert view.energy_charged_kwh == pytest.approx(11.0)
    assert view.charge_duration == timedelta(seconds=3600)
    assert view.connected_duration is None
    bench.box.status = B
    bench.at(5000)
    assert shown(bench).energy_charged_kwh == 0
    assert shown(bench).charge_duration == ZERO
    assert bench.lp.session is not None
    assert bench.lp.session.key != first.key
    assert len({record.key for record in stored(bench)}) == 1


@pytest.mark.rule("EV-12", "SES-3")
def test_pause_and_start_again_are_one_session() -> None:
    bench = home(status=B, mode=ChargeMode.NOW)
    bench.box.starts = False
    bench.at(0)
    for second, status in enumerate((C, B, C, B), start=1):
        bench.box.status = status
        bench.at(1000 * second)
    assert len({record.key for record in stored(bench)}) == 1
    assert stored(bench)[0].finished is None
    assert stored(bench)[-1].finished == NOON + timedelta(seconds=4000)
    assert shown(bench).charge_duration == timedelta(seconds=2000)


@pytest.mark.rule("DEF-35", "EV-13")
def test_connected_time_is_told_in_whole_seconds_while_there_is_a_car() -> None:
    bench = home(status=A)
    bench.at(0)
    assert shown(bench).connected_duration is None
    bench.box.status = B
    bench.at(10)
    bench.at(70.6)
    assert shown(bench).connected_duration == timedelta(seconds=61)


@pytest.mark.rule("EV-3", "LP-16", "CUT-5")
def test_energy_of_the_last_minute_belongs_to_the_session_that_ends() -> None:
    bench = home(status=B, mode=ChargeMode.NOW, has_energy_total=True)
    counter(bench, 100.0)
    bench.at(0)
    bench.at(10)
    bench.t = timedelta(seconds=600)
    counter(bench, 101.5)
    bench.box.status = A
    bench.at(600)
    assert stored(bench)[-1].energy_charged_kwh == pytest.approx(1.5)
    assert shown(bench).energy_charged_kwh == pytest.approx(1.5)


@pytest.mark.rule("SES-3", "INV-9", "MET-2")
def test_energy_that_the_counter_shows_after_the_stop_belongs_to_the_session_too() -> None:
    bench = home(status=C, has_energy_total=True, mode=ChargeMode.NOW)
    counter(bench, 100.0)
    bench.at(0)
    bench.t = HOUR
    counter(bench, 103.0)
    bench.box.status, bench.box.starts = B, False
    bench.at(3600)
    assert stored(bench)[-1].energy_charged_kwh == pytest.approx(3.0)
    bench.t = HOUR + timedelta(seconds=10)
    counter(bench, 103.1)
    bench.at(3610)
    bench.at(3620)
    bench.box.status = A
    bench.at(3700)
    last = stored(bench)[-1]
    assert last.energy_charged_kwh == pytest.approx(3.1)
    assert last.meter_stop_kwh == 103.1
    assert last.finished == NOON + HOUR
    assert len(stored(bench)) == 3


@pytest.mark.rule("SES-6", "TAR-9", "DEF-40")
def test_session_knows_what_its_energy_was_made_of() -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.NOW, phases=1), pv_count=1))
    bench.tariffs = {TariffKind.GRID: Rates.of([Rate(NOON, NOON + 5 * HOUR, 0.30)])}
    bench.box.status = B
    bench.box.phases = 1
    bench.pv_w = [1840.0]
    run(bench, range(0, 3600, 10), house_w=0.0, sun_w=1840.0)
    bench.set("mode", ChargeMode.OFF)
    run(bench, range(3600, 3620, 10), sun_w=1840.0)
    record = stored(bench)[-1]
    assert record.energy_charged_kwh == pytest.approx(3.68, abs=0.02)
    assert record.solar_pct == pytest.approx(50.0, abs=0.5)
    assert record.price_per_kwh == pytest.approx(0.15, abs=0.002)


def answers(bench: Bench, soc_pct: float, **about: Reading[float]) -> None:
    bench.vehicles = {"zoe": VehicleReading(soc_pct=Measured(soc_pct, bench.t), **about)}  # type: ignore[arg-type]


@pytest.mark.rule("LP-20", "SOC-7", "SOC-8", "EV-10", "EV-11", "EV-12", "CUT-2")
def test_soc_is_asked_for_after_connect_start_and_stop() -> None:
    bench = home(CAR, vehicle="zoe")
    bench.box.starts = bench.answers_at_once = False
    bench.at(0)
    assert not bench.reads
    asked = {}
    for seconds, status in ((100, B), (200, B), (300, C), (400, C), (500, B), (600, B)):
        bench.box.status = status
        bench.at(seconds)
        asked[seconds] = {(read.what, read.is_fresh) for read in bench.reads}
        answers(bench, 50.0)
    assert asked == {
        100: {(VehicleRead.SOC, False)},
        200: set(),
        300: {(VehicleRead.SOC, False)},
        400: set(),
        500: {(VehicleRead.SOC, True)},
        600: set(),
    }


@pytest.mark.rule("SOC-8")
def test_poll_mode_always_asks_without_a_car_too() -> None:
    bench = home(CAR, vehicle="zoe", poll=PollConfig(mode=PollMode.ALWAYS))
    bench.at(0)
    assert bench.reads == frozenset({Read("zoe", VehicleRead.SOC)})


@pytest.mark.rule("SOC-8", "SOC-10")
def test_answer_to_poll_mode_always_is_shown_without_a_car_too() -> None:
    bench = home(CAR, vehicle="zoe", poll=PollConfig(mode=PollMode.ALWAYS))
    bench.at(0)
    answers(bench, 55.0)
    bench.at(10)
    assert shown(bench).vehicle_soc_pct == 55.0
    answers(bench, 54.0)
    bench.at(3600)
    assert shown(bench).vehicle_soc_pct == 54.0


@pytest.mark.rule("SOC-7", "EST-3", "SOC-6")
def test_vehicle_is_not_asked_while_the_charger_tells_its_soc() -> None:
    bench = home(CAR, vehicle="zoe", status=B, has_soc=True)
    bench.box.extra["soc_pct"] = Measured(61.0, ORIGIN)
    bench.at(0)
    assert not bench.reads
    assert shown(bench).vehicle_soc_pct == 61.0


@pytest.mark.rule("SOC-9", "EST-1", "EV-10")
def test_soc_of_the_last_connection_is_not_taken_for_new() -> None:
    bench = home(CAR, vehicle="zoe", status=B)
    answers(bench, 40.0)
    bench.at(0)
    assert shown(bench).vehicle_soc_pct == 40.0
    bench.box.status = A
    bench.at(100)
    bench.box.status = B
    bench.at(40_000)
    assert shown(bench).vehicle_soc_pct is None
    answers(bench, 70.0)
    bench.at(40_010)
    assert shown(bench).vehicle_soc_pct == 70.0


@pytest.mark.rule("EST-1", "EST-3", "SOC-6", "EV-10")
def test_chargers_soc_of_the_last_car_is_not_that_of_the_next() -> None:
    """A car that the charger cannot ask leaves the value of the one before standing."""
    bench = home(CAR, status=B, has_soc=True)
    bench.box.extra["soc_pct"] = Measured(61.0, ORIGIN)
    bench.at(0)
    assert shown(bench).vehicle_soc_pct == 61.0
    bench.box.status = A
    bench.at(100)
    bench.box.status = B
    bench.at(200)
    bench.submit(AssignVehicle(0, "zoe"))
    bench.at(210)
    assert shown(bench).vehicle_soc_pct is None
    assert bench.reads == frozenset({Read("zoe", VehicleRead.SOC)})
    bench.box.extra["soc_pct"] = Measured(30.0, bench.t)
    bench.at(220)
    assert shown(bench).vehicle_soc_pct == 30.0


@pytest.mark.rule("EST-3", "SOC-6")
def test_chargers_soc_that_was_read_with_the_connect_counts() -> None:
    """A poll is a moment older than the step that learns of the vehicle from it."""
    bench = home(CAR, vehicle="zoe", has_soc=True)
    bench.at(0)
    bench.t = timedelta(seconds=9)
    bench.box.status = B
    bench.box.extra["soc_pct"] = Measured(61.0, bench.t)
    polled = bench.readings()
    bench.t = timedelta(seconds=10)
    bench.step(readings=polled)
    assert shown(bench).vehicle_soc_pct == 61.0


@pytest.mark.rule("EST-5", "EST-6")
def test_status_of_the_vehicle_from_before_the_answer_says_nothing_about_it() -> None:
    """It was asked for its status to find out who it is; that it waited then does not keep it from teaching."""
    bench = home(replace(CAR, has_status=True), vehicle="zoe", status=B, has_energy_total=True, mode=ChargeMode.NOW)
    counter(bench, 100.0)
    bench.at(0)
    bench.at(10)
    for second, soc_pct, kwh in ((20, 40.0, 100.0), (7200, 52.0, 109.0)):
        bench.t = timedelta(seconds=second)
        counter(bench, kwh)
        bench.vehicles = {
            "zoe": VehicleReading(soc_pct=Measured(soc_pct, bench.t), status=Measured(B, Instant(timedelta(seconds=5))))
        }
        bench.at(second)
    assert bench.lp.soc.kwh_per_pct == pytest.approx(0.75)


@pytest.mark.rule("SOC-10", "SOC-11", "EST-7", "EST-8")
def test_remaining_energy_and_time_look_at_the_lower_limit() -> None:
    bench = home(CAR, vehicle="zoe", status=B)
    bench.set("soc_target_pct", 90)
    answers(bench, 50.0, soc_limit_pct=Measured(80.9, ORIGIN), range_km=Measured(210.0, ORIGIN))
    bench.at(0)
    view = shown(bench)
    assert view.remaining_energy_kwh == pytest.approx(30 * 60 / 90)
    assert view.remaining_duration is None
    assert view.vehicle_soc_limit_pct == 80.9
    assert view.vehicle_range_km == 210.0
    bench.set("mode", ChargeMode.NOW)
    bench.at(10)
    bench.at(20)
    duration = shown(bench).remaining_duration
    assert duration is not None
    assert duration / HOUR == pytest.approx(20 / 11.04, rel=0.01)


@pytest.mark.rule("EST-5", "SOC-7")
def test_soc_counts_up_between_two_answers() -> None:
    bench = home(CAR, vehicle="zoe", status=B, mode=ChargeMode.NOW)
    answers(bench, 40.0)
    for seconds in range(0, 3610, 10):
        bench.at(seconds)
    assert shown(bench).vehicle_soc_pct == pytest.approx(40 + 11.04 / 60 * 0.9 * 100, abs=0.2)


@pytest.mark.rule("SES-6", "TAR-9", "SES-3")
def test_session_knows_its_emissions_and_rests_between_two_charges() -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.NOW, phases=1), pv_count=1))
    bench.tariffs = {TariffKind.PLANNER: Rates((Rate(NOON, NOON + 5 * HOUR, 400.0),), unit=CO2_UNIT)}
    bench.box.status = B
    bench.box.phases = 1
    bench.pv_w = [920.0]
    run(bench, range(0, 3600, 10), sun_w=920.0)
    bench.set("mode", ChargeMode.OFF)
    run(bench, range(3600, 3620, 10), sun_w=920.0)
    record = stored(bench)[-1]
    assert record.solar_pct == pytest.approx(25.0, abs=0.5)
    assert record.co2_g_per_kwh == pytest.approx(300.0, abs=2)
    assert record.price is None
    resting = bench.lp.session
    run(bench, range(3620, 3700, 10), sun_w=0.0)
    assert bench.lp.session == resting
