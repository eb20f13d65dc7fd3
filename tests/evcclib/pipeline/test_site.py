"""The step in a closed loop."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from bench import NOON, Bench, S, loadpoint, run, site_config

from evcclib.commands import Command, Disable, Enable, Result, SetCurrent, SwitchPhases
from evcclib.config import BatteryConfig, VehicleConfig
from evcclib.events import Warned, WarningCode
from evcclib.machines.surplus import ELAPSED, RESTING, Waiting
from evcclib.model import Cause, ChargeMode, ChargerStatus, VehicleFeature
from evcclib.reasons import ReasonCode
from evcclib.requests import ChangeSiteSetting
from evcclib.site import step


@pytest.mark.rule("PV-3", "PV-7", "PVT-3", "LIM-5", "DEF-4")
def test_connecting_in_the_sun_starts_at_once_and_a_cloud_stops_after_delay_and_guard() -> None:
    bench = Bench(site_config(loadpoint(phases=3)))
    bench.box.status = ChargerStatus.B
    sent = run(bench, range(0, 120, 10), sun_w=5000)
    assert sent == {0: (SetCurrent(6.0), Enable()), 10: (SetCurrent(7.0),)}
    sent = run(bench, range(120, 320, 10), sun_w=3000)
    assert sent == {120: (SetCurrent(6.0),), 300: (Disable(),)}


@pytest.mark.rule("PH-6", "PH-7", "PH-8", "PH-13", "DEF-2")
def test_little_sun_scales_down_and_much_sun_scales_up() -> None:
    bench = Bench(site_config(loadpoint(can_switch_phases=True)))
    bench.box.status = ChargerStatus.B
    run(bench, range(0, 60, 10), sun_w=4500)
    sent = run(bench, range(60, 270, 10), sun_w=2000)
    assert sent[240] == (Disable(), SwitchPhases(1))
    assert sent[250] == (SetCurrent(6.0), Enable())
    assert sent[260] == (SetCurrent(8.0),)
    run(bench, range(270, 600, 10), sun_w=2000)
    sent = run(bench, range(600, 700, 10), sun_w=6000)
    assert sent == {
        600: (SetCurrent(16.0),),
        660: (Disable(), SwitchPhases(3)),
        670: (SetCurrent(6.0), Enable()),
        680: (SetCurrent(8.0),),
    }


@pytest.mark.rule("STR-6", "STR-7", "STR-9")
@pytest.mark.parametrize(
    ("status", "mode", "expected"),
    [
        (ChargerStatus.B, ChargeMode.OFF, (Disable(),)),
        (ChargerStatus.B, ChargeMode.NOW, (SetCurrent(16.0),)),
        (ChargerStatus.C, ChargeMode.PV, ()),
    ],
)
def test_an_enabled_charger_at_six_amps(status: ChargerStatus, mode: ChargeMode, expected: tuple[object, ...]) -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.MINPV)))
    bench.box.status = ChargerStatus.B
    bench.at(0)
    bench.at(10)
    assert (bench.lp.charger.is_enabled, bench.lp.charger.current_a) == (True, 6.0)
    bench.box.status = status
    bench.set("mode", mode)
    assert bench.at(20) == expected


@pytest.mark.rule("CUT-1", "INV-11", "CUT-5")
def test_step_is_a_function_of_what_it_is_given() -> None:
    bench = Bench(site_config(loadpoint(phases=3)))
    bench.box.status = ChargerStatus.B
    run(bench, range(0, 60, 10), sun_w=5000)
    readings, before = bench.readings(), bench.site.export(now=bench.now)
    first = step(bench.config, bench.site.state, readings, now=bench.now, cause=Cause.INTERVAL)
    second = step(bench.config, bench.site.state, readings, now=bench.now, cause=Cause.INTERVAL)
    assert first[1] == second[1]
    assert bench.site.export(now=bench.now) == before


@pytest.mark.rule("PV-1", "PH-7")
def test_due_phase_switch_comes_before_the_current() -> None:
    bench = Bench(site_config(loadpoint(can_switch_phases=True, mode=ChargeMode.MINPV)))
    bench.box.status = ChargerStatus.B
    bench.grid_w = 500.0
    assert bench.at(0) == (SwitchPhases(1),)  # not charging: nothing to wait for
    assert bench.lp.memory.timer == ELAPSED
    assert bench.at(10) == (SetCurrent(6.0), Enable())


@pytest.mark.rule("PH-7", "CUT-4")
def test_failed_phase_switch_is_tried_again() -> None:
    bench = Bench(site_config(loadpoint(can_switch_phases=True, mode=ChargeMode.MINPV)))
    bench.box.status = ChargerStatus.B
    bench.box.result = Result.FAILED
    bench.grid_w = 500.0
    assert [bench.at(t) for t in (0, 10)] == [(SwitchPhases(1),)] * 2
    assert bench.lp.charger.phases == 0


@pytest.mark.rule("PV-10", "INV-6", "STR-9")
def test_minpv_has_its_minimum_whatever_the_sun_does() -> None:
    bench = Bench(site_config(loadpoint(phases=3, mode=ChargeMode.MINPV)))
    bench.box.status = ChargerStatus.B
    assert run(bench, range(0, 300, 10), sun_w=0) == {0: (SetCurrent(6.0), Enable())}
    assert bench.lp.reason.code is ReasonCode.MINIMUM_POWER


@pytest.mark.rule("DEF-5")
def test_end_of_the_buffer_waits_the_whole_delay() -> None:
    bench = Bench(site_config(loadpoint(phases=3), batteries=(BatteryConfig(),), buffer_soc_pct=50.0))
    bench.box.status = ChargerStatus.B
    bench.battery = [(0.0, 40.0)]
    run(bench, range(0, 310, 10), sun_w=5000)
    run(bench, range(310, 400, 10), sun_w=3000)
    assert isinstance(bench.lp.memory.timer, Waiting)
    bench.battery = [(1000.0, 60.0)]
    run(bench, range(400, 600, 10), sun_w=3000)
    assert (bench.lp.memory.timer, bench.lp.reason.code) == (RESTING, ReasonCode.BATTERY_BUFFER)
    bench.battery = [(0.0, 40.0)]
    assert run(bench, range(600, 800, 10), sun_w=3000) == {780: (Disable(),)}


@pytest.mark.rule("SITE-11", "SITE-23")
def test_full_battery_starts_charging_without_surplus() -> None:
    bench = Bench(site_config(loadpoint(phases=3), batteries=(BatteryConfig(),)))
    bench.submit(ChangeSiteSetting("buffer_start_soc_pct", 90))
    bench.box.status = ChargerStatus.B
    bench.battery = [(500.0, 89.0)]
    assert bench.at(0) == ()
    bench.battery = [(500.0, 90.0)]
    assert bench.at(10) == (SetCurrent(6.0), Enable())


@pytest.mark.rule("DEF-7", "LIM-1", "LIM-2", "PV-9", "INV-2")
def test_fractional_minimum_of_a_whole_ampere_charger_is_met_from_above_and_nothing_is_repeated() -> None:
    bench = Bench(site_config(loadpoint(phases=3, mode=ChargeMode.MINPV, current_min_a=6.5)))
    bench.box.status = ChargerStatus.B
    sent = run(bench, range(0, 100, 10), sun_w=5400)
    assert sent == {0: (SetCurrent(7.0), Enable())}
    fine = Bench(site_config(loadpoint(phases=3, mode=ChargeMode.MINPV, current_min_a=6.5, current_step_a=0.1)))
    fine.box.status = ChargerStatus.B
    sent = run(fine, range(0, 100, 10), sun_w=5400)
    assert sent == {0: (SetCurrent(7.8), Enable())}


@pytest.mark.rule("LIM-2")
def test_coarse_vehicle_gets_whole_amperes_from_a_fine_charger() -> None:
    car = VehicleConfig(name="car", features=frozenset({VehicleFeature.COARSE_CURRENT}))
    bench = Bench(site_config(loadpoint(phases=3, current_step_a=0.1, vehicle="car"), vehicles=(car,)))
    bench.box.status = ChargerStatus.B
    assert run(bench, range(0, 100, 10), sun_w=5400) == {0: (SetCurrent(6.0), Enable()), 10: (SetCurrent(7.0),)}


@pytest.mark.rule("DEF-8", "PV-2")
def test_car_on_another_phase_is_followed_too() -> None:
    bench = Bench(site_config(loadpoint(phases=1)))
    bench.box.status, bench.box.shows_currents = ChargerStatus.B, True
    bench.grid_w = -2300.0
    bench.at(0)
    bench.box.currents_a = (0.0, 6.0, 0.0)
    bench.grid_w = -920.0
    assert bench.at(10) == (SetCurrent(10.0),)


@pytest.mark.rule("DEF-49", "PRIO-2", "SITE-1")
def test_two_cars_do_not_start_on_the_same_surplus() -> None:
    bench = Bench(site_config(loadpoint(phases=3), loadpoint(phases=3)))
    for box in bench.boxes:
        box.status = ChargerStatus.B
    run(bench, range(0, 30, 10), sun_w=6000)
    assert [box.is_enabled for box in bench.boxes] == [True, False]
    run(bench, range(30, 200, 10), sun_w=6000)
    assert [box.is_enabled for box in bench.boxes] == [True, False]
    assert bench.boxes[0].offered_a == 8


@pytest.mark.rule("DEF-49")
def test_second_car_waits_for_the_first_one_that_has_not_begun_to_draw() -> None:
    bench = Bench(site_config(loadpoint(phases=3), loadpoint(phases=3)))
    for box in bench.boxes:
        box.status, box.starts = ChargerStatus.B, False
    run(bench, [0, 10, 20], sun_w=5000)
    assert [box.is_enabled for box in bench.boxes] == [True, False]
    run(bench, range(30, 100, 10), sun_w=5000)
    assert [box.is_enabled for box in bench.boxes] == [True, True]  # it does not want to


@pytest.mark.rule("PRIO-1", "PRIO-2", "PRIO-3", "DEF-49")
def test_higher_priority_takes_over() -> None:
    bench = Bench(site_config(loadpoint(phases=3), loadpoint(phases=3, priority=1)))
    bench.boxes[0].status = ChargerStatus.B
    run(bench, range(0, 300, 10), sun_w=7000)
    bench.boxes[1].status = ChargerStatus.B
    run(bench, range(300, 900, 10), sun_w=7000)
    assert [box.is_enabled for box in bench.boxes] == [False, True]
    assert bench.boxes[1].offered_a == 10


@pytest.mark.rule("SITE-13", "INV-8", "PV-3")
@pytest.mark.parametrize("sun_w", [4200, 5000, 7777, 9999, 20000])
def test_after_settling_nothing_is_imported(sun_w: float) -> None:
    bench = Bench(site_config(loadpoint(phases=3)))
    bench.box.status = ChargerStatus.B
    run(bench, range(0, 60, 10), sun_w=sun_w)
    assert bench.power(bench.box) <= sun_w
    assert bench.power(bench.box) >= min(sun_w - 690, 11040 - 1)


@pytest.mark.rule("INV-7")
def test_steady_sun_starts_within_its_delay_and_a_stable_one_never_stops() -> None:
    bench = Bench(site_config(loadpoint(phases=3)))
    bench.box.status = ChargerStatus.B
    run(bench, range(0, 400, 10), sun_w=0)
    sent = run(bench, range(400, 4000, 10), sun_w=4500)
    assert sent == {460: (SetCurrent(6.0), Enable())}


@pytest.mark.rule("PV-8")
def test_same_sample_is_not_followed_twice() -> None:
    bench = Bench(site_config(loadpoint(phases=3)))
    bench.box.status = ChargerStatus.B
    run(bench, [0, 10, 20], sun_w=5000)
    bench.grid_w = -2100.0
    bench.t = 30 * S
    readings = bench.readings()
    assert bench.step(readings=readings) == (SetCurrent(10.0),)
    bench.t = 35 * S
    assert bench.step(Cause.REQUEST, replace(readings, outcomes=())) == ()


# --- silence of the grid meter --------------------------------------------------------------------------------------


@pytest.mark.rule("DEF-47", "SITE-19")
def test_silent_grid_meter_means_minimum_then_pause_then_recovery_without_a_jump() -> None:
    bench = Bench(site_config(loadpoint(phases=3)))
    bench.box.status = ChargerStatus.B
    run(bench, range(0, 100, 10), sun_w=9000)
    assert bench.box.offered_a == 13
    bench.grid_w = None
    sent: dict[float, tuple[Command, ...]] = {
        second: commands for second in range(100, 400, 10) if (commands := bench.at(second))
    }
    # the last sample was taken at 90 s: minimum after 30 s, pause 3 min later
    assert sent == {130: (SetCurrent(6.0),), 300: (Disable(),)}
    assert [e for e in bench.events if isinstance(e, Warned)] == [
        Warned(WarningCode.GRID_STALE, None, {"meter": "grid"}),
        Warned(WarningCode.GRID_LOST, None, {"meter": "grid_lost"}),
    ]
    assert bench.lp.reason.code is ReasonCode.GRID_LOST
    sent = run(bench, range(400, 700, 10), sun_w=9000)
    assert sent == {460: (SetCurrent(6.0),), 600: (Enable(),), 610: (SetCurrent(13.0),)}  # delay, then guard
    assert Warned(WarningCode.RECOVERED, None, {"meter": "grid"}) in bench.events


@pytest.mark.rule("DEF-47")
@pytest.mark.parametrize(("mode", "current"), [(ChargeMode.NOW, 16), (ChargeMode.MINPV, 6)])
def test_what_does_not_depend_on_the_grid_meter_goes_on(mode: ChargeMode, current: float) -> None:
    bench = Bench(site_config(loadpoint(phases=3, mode=mode)))
    bench.box.status = ChargerStatus.B
    run(bench, range(0, 50, 10))
    bench.grid_w = None
    for second in range(50, 500, 10):
        bench.at(second)
    assert (bench.box.is_enabled, bench.box.offered_a) == (True, current)


@pytest.mark.rule("DEF-47", "SITE-19")
def test_start_without_a_grid_meter_starts_nothing() -> None:
    bench = Bench(site_config(loadpoint(phases=3)), grid_w=None)
    bench.box.status = ChargerStatus.B
    assert [bench.at(second) for second in range(0, 300, 10)] == [()] * 30
    assert bench.lp.reason.code is ReasonCode.GRID_LOST


@pytest.mark.rule("SITE-18")
def test_health_is_a_step_with_a_fresh_grid_within_the_last_minute() -> None:
    bench = Bench(site_config(loadpoint()))
    assert not bench.site.view(now=bench.now).is_healthy
    bench.at(0)
    bench.grid_w = None
    bench.at(30)  # the value is kept, but nobody has read the meter
    view = bench.site.view(now=bench.now)
    assert view.is_healthy and view.last_success == NOON
    bench.at(40)
    bench.t = 70 * S - timedelta(microseconds=1)
    assert bench.site.view(now=bench.now).is_healthy
    bench.t = 70 * S
    assert not bench.site.view(now=bench.now).is_healthy
