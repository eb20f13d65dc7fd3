"""What a site learns from its meters about a station that has none, and what it decides by it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from bench import Bench, S, loadpoint, site_config

from evcclib import Site
from evcclib.commands import Command, Disable, Enable, SetCurrent, SwitchPhases
from evcclib.config import BatteryConfig, CircuitConfig
from evcclib.machines.unmetered import NOTHING_SEEN
from evcclib.model import Cause, ChargeMode, ChargerStatus, Now
from evcclib.readings import ABSENT, Measured, MeterReading
from evcclib.reasons import ReasonCode

A, B, C = ChargerStatus.A, ChargerStatus.B, ChargerStatus.C


class Home:
    """A house with a constant load, the sun, and cars that take at most ``caps_a`` of what they are offered."""

    def __init__(self, bench: Bench, *caps_a: float, house_w: float = 300.0, sun_w: float = 4300.0) -> None:
        self.bench = bench
        self.caps_a = caps_a
        self.house_w, self.sun_w = house_w, sun_w
        self.sent: list[tuple[float, tuple[Command, ...]]] = []
        for box in bench.boxes:
            box.status = B
            box.extra = {"power_w": ABSENT, "currents_a": ABSENT}

    def drawn_w(self, index: int) -> float:
        box = self.bench.boxes[index]
        if box.status is not C or not box.is_enabled:
            return 0.0
        return 230.0 * min(box.phases, box.car_phases) * min(box.offered_a, self.caps_a[index])

    def run(self, start_s: int, end_s: int) -> None:
        for second in range(start_s, end_s, 10):
            cars_w = sum(self.drawn_w(index) for index in range(len(self.bench.boxes)))
            self.bench.grid_w = self.house_w + cars_w - self.sun_w
            if self.bench.config.pv_count:
                self.bench.pv_w = [self.sun_w]
            commands = self.bench.at(second)
            if commands:
                self.sent.append((second, commands))

    def switches(self) -> int:
        return sum(isinstance(each, SwitchPhases) for _, commands in self.sent for each in commands)


def home(*caps_a: float, **values: object) -> Home:
    stations = [loadpoint(has_power=False, can_switch_phases=True, current_step_a=0.1) for _ in caps_a]
    return Home(Bench(site_config(*stations, pv_count=1)), *caps_a, **values)  # type: ignore[arg-type]  # by name


@pytest.mark.rule("MEA-7", "PH-6")
def test_car_that_takes_less_than_offered_is_not_switched_to_and_fro() -> None:
    site = home(10.0)
    site.run(0, 7200)
    assert site.switches() == 1  # one phase for 4 kW, for good
    view = site.bench.site.view(now=site.bench.now)
    assert view.loadpoints[0].charge_power_w == 2300.0
    assert (view.home_power_w, view.pv_power_w) == (300.0, 4300.0)


@pytest.mark.rule("MEA-7", "PH-6")
def test_car_that_takes_all_is_given_three_phases_when_the_sun_feeds_them() -> None:
    site = home(16.0)
    site.run(0, 1200)
    assert site.bench.box.phases == 1
    site.sun_w = 9300.0
    site.run(1200, 1800)
    assert site.bench.box.phases == 3
    assert site.drawn_w(0) == pytest.approx(9000, abs=690)
    site.sun_w = 4300.0
    site.run(1800, 2400)
    assert site.bench.box.phases == 1
    assert site.switches() == 3


@pytest.mark.rule("PH-6")
def test_nothing_learned_means_that_only_what_is_exported_counts_for_more_phases() -> None:
    bench = Bench(site_config(loadpoint(has_power=False, can_switch_phases=True), pv_count=1))
    site = Home(bench, 10.0)
    bench.pv_w = [None]
    bench.config = bench.config
    for second in range(0, 3600, 10):  # the sun is not measured: nothing can be learned
        bench.grid_w = site.house_w + site.drawn_w(0) - site.sun_w
        commands = bench.at(second)
        if commands:
            site.sent.append((second, commands))
    assert bench.lp.doubts == NOTHING_SEEN
    assert site.switches() == 1


@pytest.mark.rule("MEA-7", "EV-13")
def test_what_was_learned_ends_with_the_visit() -> None:
    site = home(10.0)
    site.run(0, 600)
    assert site.bench.lp.doubts != NOTHING_SEEN
    site.bench.box.status = A
    site.run(600, 700)
    assert site.bench.lp.doubts == NOTHING_SEEN
    site.bench.box.status = B
    site.run(700, 720)
    assert site.bench.lp.doubts == NOTHING_SEEN


@pytest.mark.rule("MEA-7", "SITE-22")
def test_what_was_learned_outlives_a_restart() -> None:
    site = home(10.0)
    site.run(0, 600)
    bench = site.bench
    data = json.loads(json.dumps(bench.site.export(now=bench.now)))
    later = Now(5 * S, bench.now.utc + 30 * S)
    twin = Site.restore(bench.config, data, now=later)
    assert twin.state.loadpoints[0].doubts == bench.lp.doubts
    assert twin.state.loadpoints[0].watch.before is None and twin.state.load is None
    assert twin.view(now=later).loadpoints[0].charge_power_w == 2300.0


@pytest.mark.rule("MEA-7")
def test_battery_that_makes_up_for_the_car_is_part_of_what_is_seen() -> None:
    station = loadpoint(has_power=False, mode=ChargeMode.NOW, phases=1)
    bench = Bench(site_config(station, pv_count=1, batteries=(BatteryConfig(capacity_kwh=10.0),)))
    site = Home(bench, 10.0)
    for second in range(0, 200, 10):
        bench.pv_w = [4300.0]
        bench.battery = [(300.0 + site.drawn_w(0) - 4300.0, 50.0)]
        bench.grid_w = 0.0
        bench.at(second)
    assert bench.site.view(now=bench.now).loadpoints[0].charge_power_w == 2300.0


@pytest.mark.rule("MEA-2")
def test_measured_phase_currents_are_a_measured_power() -> None:
    bench = Bench(site_config(loadpoint(has_power=False, mode=ChargeMode.NOW, phases=3)))
    bench.box.status = B
    bench.at(0)
    bench.box.extra = {"power_w": ABSENT}
    bench.box.currents_a = (10.0, 9.0, 0.0)
    bench.at(10)
    assert bench.site.view(now=bench.now).loadpoints[0].charge_power_w == 19 * 230.0
    bench.box.currents_a = (float("nan"), 9.0, 0.0)
    bench.at(20)
    shown_w = bench.site.view(now=bench.now).loadpoints[0].charge_power_w
    assert shown_w == 16 * 460.0  # on the two phases that were seen


@pytest.mark.rule("PRIO-1", "PRIO-2")
def test_nobody_is_promised_what_another_car_has_not_taken() -> None:
    """The first car is offered 16 A and takes 10: its 1.4 kW more are nowhere to be had."""
    high = loadpoint(has_power=False, phases=3, priority=1)
    low = loadpoint(has_power=False, phases=1)
    bench = Bench(site_config(high, low, pv_count=1))
    site = Home(bench, 16.0, 10.0)
    bench.boxes[0].status = A
    site.run(0, 600)
    assert bench.boxes[1].offered_a == 16.0 and site.drawn_w(1) == 2300.0
    bench.boxes[0].status = B
    site.run(600, 1800)  # 4 kW are 140 W short for three phases, 16 A on one are 3.7 kW and 1.7 kW of sun left
    assert not bench.boxes[0].is_enabled
    site.sun_w = 4500.0
    site.run(1800, 3600)
    assert bench.boxes[0].is_enabled  # what it surely takes is lent


@pytest.mark.rule("MEA-7", "INV-2")
def test_limit_gives_nobody_what_only_seems_to_be_free() -> None:
    """House 8 A, car 6 of the 8 A that are left under 16 A: it is never offered more, however little it takes."""
    main = CircuitConfig(name="main", current_max_a=16.0, uses_grid_meter=True)
    station = loadpoint(has_power=False, phases=1, mode=ChargeMode.NOW, circuit="main", current_step_a=0.1)
    bench = Bench(site_config(station, circuits=(main,)))
    site = Home(bench, 6.0)
    for second in range(0, 900, 10):
        drawn_a = site.drawn_w(0) / 230.0
        bench.grid = MeterReading(
            power_w=Measured(230 * (8.0 + drawn_a), bench.t + 10 * S),
            currents_a=Measured((8.0 + drawn_a, 0.0, 0.0), bench.t + 10 * S),
        )
        bench.at(second)
        assert 8.0 + bench.box.offered_a <= 16.0 + 1e-9
    assert bench.box.is_enabled and bench.box.offered_a >= 7.0


@pytest.mark.rule("MEA-2", "INV-2")
def test_load_that_has_fallen_is_missing_only_once_under_a_limit() -> None:
    """48 A, two cars of 16 A, a house that falls from 9 to 2 A: a third car has 48 - 32 - 2 - 7 A, whosever those 7 were."""
    main = CircuitConfig(name="main", current_max_a=48.0, uses_grid_meter=True)
    station = loadpoint(has_power=False, phases=3, mode=ChargeMode.NOW, circuit="main", current_step_a=0.1)
    bench = Bench(site_config(station, station, station, circuits=(main,)))
    site = Home(bench, 16.0, 16.0, 16.0)
    for box in bench.boxes:
        box.status = A
    for second in range(0, 2400, 10):
        for index, arrives_s in enumerate((0, 600, 1800)):
            if second == arrives_s:
                bench.boxes[index].status = B
        flows_a = (9.0 if second < 1200 else 2.0) + sum(site.drawn_w(index) for index in range(3)) / 690.0
        bench.grid = MeterReading(
            power_w=Measured(690.0 * flows_a, bench.t + 10 * S),
            currents_a=Measured((flows_a, flows_a, flows_a), bench.t + 10 * S),
        )
        bench.at(second)
        if second == 1800:
            assert [each.offered_a for each in bench.boxes[:2]] == [16.0, 16.0]
            assert bench.boxes[2].offered_a == pytest.approx(7.0, abs=0.1)


@pytest.mark.rule("MEA-7")
def test_meter_that_is_ahead_of_the_station_does_not_show_what_the_car_does_not_take() -> None:
    """The car begins after the station's last word, and the grid meter shows it first; likewise when it ends."""
    site = Home(Bench(site_config(loadpoint(has_power=False, mode=ChargeMode.NOW), pv_count=1)), 16.0)
    bench, box = site.bench, site.bench.box
    box.starts = False
    for begins_s in (0, 240):
        site.run(begins_s, begins_s + 60)
        grid_sample(site, begins_s + 58, grid_w=300.0 + 11_040.0 - 4300.0)
        box.status = C
        site.run(begins_s + 60, begins_s + 120)
        assert bench.site.view(now=bench.now).loadpoints[0].charge_power_w == 11_040.0
        grid_sample(site, begins_s + 118, grid_w=300.0 - 4300.0)
        box.status = B


@pytest.mark.rule("MEA-7")
def test_cloud_that_the_roof_has_not_told_yet_is_no_load() -> None:
    site = home(16.0)
    site.run(0, 60)
    before = site.bench.site.state.load
    grid_sample(site, 58, grid_w=3000.0)
    assert before is not None and site.bench.site.state.load == before


def grid_sample(site: Home, second: float, *, grid_w: float) -> None:
    """A new value of the grid meter, all others stay as they are."""
    bench = site.bench
    seen, bench.t = bench.site.state.readings, second * S
    bench.step(Cause.SAMPLE, replace(seen, grid=MeterReading(power_w=Measured(grid_w, bench.t)), outcomes=()))


@pytest.mark.rule("PH-7")
def test_car_that_does_not_charge_does_not_wear_the_relay_out() -> None:
    site = home(16.0)
    site.bench.box.starts = False  # 8 A needed, it says nothing and takes nothing
    for minute in range(180):
        site.house_w = 5300.0 if minute % 3 == 2 else 300.0
        site.sun_w = 5000.0
        site.run(60 * minute, 60 * (minute + 1))
    assert site.switches() <= 6
    assert site.bench.lp.idle_switches == site.switches()
    site.bench.box.status = C
    site.run(10800, 10810)
    assert site.bench.lp.idle_switches == 0


@pytest.mark.rule("PV-12")
def test_full_car_is_not_told_every_ray_of_the_sun() -> None:
    site = home(16.0)
    site.bench.box.starts = False
    for number in range(360):
        site.sun_w = 6300.0 + 600.0 * ((number * 7) % 5 - 2)
        site.run(10 * number, 10 * number + 10)
    currents = [each for _, commands in site.sent for each in commands if isinstance(each, SetCurrent)]
    assert len(currents) <= 30


@pytest.mark.rule("DEF-49", "PV-8")
@pytest.mark.parametrize("has_power", [True, False])
def test_request_just_before_a_tick_is_not_decided_twice_on_one_measurement(has_power: bool) -> None:
    bench = Bench(site_config(loadpoint(phases=3, has_power=has_power, current_step_a=0.1)))
    bench.box.status = B
    for second in (0, 10, 20):
        bench.grid_w = 300.0 - 4440.0 + (4140.0 if bench.box.is_enabled else 0.0)
        bench.at(second)
    bench.grid_w = -2760.0  # 4 A more on three phases
    assert bench.at(29.9, Cause.REQUEST) == (SetCurrent(10.0),)
    assert bench.at(30) == ()  # a new sample, but the car has not followed yet
    bench.grid_w = 0.0
    assert bench.at(40) == ()
    bench.grid_w = 1380.0
    assert bench.at(49.9, Cause.REQUEST) == (SetCurrent(8.0),)
    assert bench.at(50) == ()
    bench.grid_w = 0.0
    assert bench.at(60) == ()
    assert bench.lp.reason.code is ReasonCode.SURPLUS


@pytest.mark.rule("DEF-49", "PV-8")
def test_minimum_that_is_raised_meanwhile_is_no_pause() -> None:
    bench = Bench(site_config(loadpoint(phases=3)))
    bench.box.status = B
    for second in (0, 10, 20):
        bench.grid_w = -4200.0 + (4140.0 if bench.box.is_enabled else 0.0)
        bench.at(second)
    bench.grid_w = -690.0
    assert bench.at(30) == (SetCurrent(7.0),)
    bench.set("current_min_a", 8.0)
    bench.t = 30.5 * S
    commands = bench.step(Cause.REQUEST)
    assert commands == (SetCurrent(8.0),)
    assert not any(isinstance(each, Disable | Enable) for each in commands)
