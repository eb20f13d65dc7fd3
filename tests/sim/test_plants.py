"""Each plant alone: what it draws, shows and does, second by second."""

from __future__ import annotations

from datetime import date, time
from zoneinfo import ZoneInfo

import pytest
import simpy

from evcc_sim.plants.battery import Battery, BatteryMode, BatterySpec
from evcc_sim.plants.bus import NOTHING, REFRESH_EVERY, Bus
from evcc_sim.plants.car import Car, CarSpec
from evcc_sim.plants.faults import Fault, FaultKind, FaultTable, ReadBack
from evcc_sim.plants.fuse import Fuse, Trip
from evcc_sim.plants.meter import Meter, MeterSpec
from evcc_sim.plants.wallbox import Wallbox, WallboxSpec, WriteRefused
from evcc_sim.timebase import Timebase, stream
from evcclib.model import ChargerStatus, PhaseTriple

V3: PhaseTriple = (230.0, 230.0, 230.0)


class Bench:
    """A station with a car on a bus of its own."""

    def __init__(
        self, *, car: CarSpec | None = None, box: WallboxSpec | None = None, faults: tuple[Fault, ...] = ()
    ) -> None:
        self.env = simpy.Environment()
        self.bus = Bus(self.env)
        table = FaultTable(faults)
        self.car = Car(self.env, car or CarSpec(ramp_a_per_s=100.0), faults=table)
        self.box = Wallbox(self.env, self.bus.tap("box"), box or WallboxSpec(name="box"), V3, faults=table)

    def at(self, second: float) -> Bench:
        if second > self.env.now:
            self.env.run(until=second)
        while self.env.peek() <= second:
            self.env.step()
        return self

    def charging(self, current_a: float = 16.0) -> Bench:
        self.box.plug_in(self.car)
        self.box.set_current(current_a)
        self.box.enable()
        return self.at(30)


# -- time ---------------------------------------------------------------------------------------------------------------


def test_days_have_23_24_or_25_hours() -> None:
    spring = Timebase(date(2026, 3, 28), ZoneInfo("Europe/Berlin"))
    autumn = Timebase(date(2026, 10, 24), ZoneInfo("Europe/Berlin"))
    assert (spring.day_second(2) - spring.day_second(1)) / 3600 == 23
    assert (autumn.day_second(2) - autumn.day_second(1)) / 3600 == 25
    assert spring.second(1, time(7)) - spring.day_second(1) == 6 * 3600


def test_streams_do_not_disturb_each_other() -> None:
    assert stream(1, "clouds").random() == stream(1, "clouds").random()
    assert stream(1, "clouds").random() != stream(1, "household", 0).random()
    assert stream(1, "clouds").random() != stream(2, "clouds").random()


# -- bus and meters -------------------------------------------------------------------------------------------------------


def test_the_grid_takes_what_is_left_on_each_phase() -> None:
    env = simpy.Environment()
    bus = Bus(env)
    load, roof = bus.tap("load"), bus.tap("roof")
    load.set((1000.0, 0.0, 500.0))
    roof.set((-400.0, -400.0, -400.0))
    env.run(until=3600)
    assert bus.grid.powers_w == (600.0, -400.0, 100.0)
    assert bus.grid.energy_in_kwh == pytest.approx(0.3)
    assert roof.energy_out_kwh == pytest.approx(1.2)
    assert bus.grid.energy_in_kwh - bus.grid.energy_out_kwh == pytest.approx(load.energy_in_kwh - roof.energy_out_kwh)


def test_the_grid_is_in_balance_when_one_plant_moves_another() -> None:
    bus = Bus(simpy.Environment())
    load, battery, inverter = bus.tap("load"), bus.tap("battery"), bus.tap("inverter")
    battery.listeners.append(lambda: inverter.set((-8000.0 - battery.power_w, 0.0, 0.0)))
    told: list[bool] = []
    bus.grid.listeners.append(lambda: told.append(bus.grid.powers_w == bus.sum_of_taps()))
    for step in range(3 * REFRESH_EVERY):  # so that the sum is renewed at each place of the chain
        load.set((step % 5 * 500.0, 0.0, 0.0))
        battery.set((step % 3 * 1000.0, 0.0, 0.0))
    assert len(told) > 6 * REFRESH_EVERY and all(told)


def test_a_slow_meter_shows_the_past() -> None:
    env = simpy.Environment()
    bus = Bus(env)
    tap = bus.tap("load")
    meter = Meter(env, "grid", bus.grid, V3, spec=MeterSpec(refresh_s=10, lag_s=5))
    env.run(until=12)
    tap.set((900.0, 0.0, 0.0))
    seen = []
    for second in (13, 19, 24, 25, 31):
        env.run(until=second)
        seen.append(meter.power_w)
    assert seen == [0.0, 0.0, 0.0, 900.0, 900.0] or seen == [0.0, 0.0, 0.0, 0.0, 900.0]
    env.run(until=60)
    assert meter.power_w == 900.0


def test_a_rotated_meter_swaps_phases() -> None:
    env = simpy.Environment()
    bus = Bus(env)
    bus.tap("load").set((230.0, 460.0, 690.0))
    meter = Meter(env, "grid", bus.grid, V3, spec=MeterSpec(rotation=(3, 1, 2)))
    assert meter.currents_a == (3.0, 1.0, 2.0)


def test_noise_depends_on_time_and_seed_only() -> None:
    env = simpy.Environment()
    bus = Bus(env)
    spec = MeterSpec(noise_w=50, refresh_s=1)
    first, again, other = (Meter(env, "grid", bus.grid, V3, spec=spec, seed=seed) for seed in (1, 1, 2))
    env.run(until=10)
    assert first.power_w == first.power_w == again.power_w
    assert first.power_w != other.power_w


def test_faulty_meters_freeze_lie_and_go_blank() -> None:
    env = simpy.Environment()
    bus = Bus(env)
    tap = bus.tap("load")
    faults = FaultTable(
        (
            Fault(kind=FaultKind.FROZEN, device="grid", start_s=10, duration_s=10),
            Fault(kind=FaultKind.LYING, device="grid", start_s=30, duration_s=10, params={"factor": -1.0}),
            Fault(kind=FaultKind.NAN, device="grid", start_s=50, duration_s=10),
        )
    )
    meter = Meter(env, "grid", bus.grid, V3, faults=faults)
    tap.set((100.0, 0.0, 0.0))
    env.run(until=15)
    tap.set((500.0, 0.0, 0.0))
    assert meter.power_w == 100.0
    env.run(until=25)
    assert meter.power_w == 500.0
    env.run(until=35)
    assert meter.power_w == -500.0
    env.run(until=55)
    assert meter.power_w != meter.power_w
    env.run(until=65)
    assert meter.power_w == 500.0


# -- the fuse -------------------------------------------------------------------------------------------------------------


def fuse_trip_second(factor: float, before: float = 0.0) -> float | None:
    env = simpy.Environment()
    bus = Bus(env)
    fuse = Fuse(env, lambda: bus.currents_a, lambda: NOTHING, rated_a=20.0)
    bus.grid.listeners.append(fuse.changed)
    tap = bus.tap("load")
    if before:
        tap.set((before * 20 * 230, 0.0, 0.0))
        env.run(until=7200)
    start = float(env.now)
    tap.set((factor * 20 * 230, 0.0, 0.0))
    env.run(until=start + 7200)
    return fuse.trips[0][0] - start if fuse.trips else None


def test_the_fuse_carries_what_the_standard_says_and_trips_where_it_must() -> None:
    assert fuse_trip_second(1.13) is None
    cold = fuse_trip_second(1.45)
    warm = fuse_trip_second(1.45, before=1.0)
    assert cold is not None and warm is not None
    assert 60 < warm < cold < 3600
    assert fuse_trip_second(6.0) == 0.0


def test_the_fuse_feels_a_load_that_has_been_there_from_the_start() -> None:
    env = simpy.Environment()
    bus = Bus(env)
    bus.tap("load").set((1.45 * 20 * 230, 0.0, 0.0))
    fuse = Fuse(env, lambda: bus.currents_a, lambda: NOTHING, rated_a=20.0)
    bus.grid.listeners.append(fuse.changed)
    env.run(until=3600)
    assert fuse.trips and fuse.trips[0][0] == fuse_trip_second(1.45)


def trips(*hours: tuple[float, float]) -> list[Trip]:
    """Those of a fuse under what the house and the car take in each hour, in rated currents."""
    env = simpy.Environment()
    bus = Bus(env)
    home, box = bus.tap("home"), bus.tap("box")
    fuse = Fuse(env, lambda: bus.currents_a, lambda: (box.powers_w[0] / 230, 0.0, 0.0), rated_a=20.0)
    bus.grid.listeners.append(fuse.changed)
    for hour, (house, car) in enumerate(hours, start=1):
        home.set((house * 20 * 230, 0.0, 0.0))
        box.set((car * 20 * 230, 0.0, 0.0))
        env.run(until=hour * 3600)
    return fuse.trips


@pytest.mark.parametrize(
    ("house", "car", "is_houses"),
    [
        (1.2, 0.0, True),  # the house alone
        (1.2, 0.5, True),  # and what a car takes beside it makes no odds once the house suffices
        (1.1, 0.1, False),  # carried for ever without the car
        (0.0, 1.2, False),
        (6.0, 0.0, True),  # at once
        (0.0, 6.0, False),
    ],
)
def test_a_trip_that_would_have_come_without_cars_is_the_houses(house: float, car: float, is_houses: bool) -> None:
    assert trips((house, 0.0), (house, car))[-1].is_houses is is_houses


def test_what_trips_after_an_overload_of_the_house_is_the_cars_again() -> None:
    found = trips((1.5, 0.0), (0.5, 1.0))
    assert {(trip.is_houses, trip.second < 3600) for trip in found} == {(True, True), (False, False)}


# -- the battery ------------------------------------------------------------------------------------------------------------


def battery_bench(**changes: float) -> tuple[simpy.Environment, Bus, Battery]:
    env = simpy.Environment()
    bus = Bus(env)
    battery = Battery(env, bus.tap("battery"), BatterySpec(**changes), lambda: bus.grid.power_w)  # type: ignore[arg-type]  # numbers by name
    bus.grid.listeners.append(battery.grid_changed)
    return env, bus, battery


def test_the_battery_brings_the_grid_to_zero_after_its_lag() -> None:
    env, bus, battery = battery_bench(lag_s=3)
    load = bus.tap("load")
    load.set((1500.0, 0.0, 0.0))
    env.run(until=2.5)
    assert bus.grid.power_w == 1500.0
    env.run(until=10)
    assert abs(bus.grid.power_w) < 15
    load.set((-2500.0, 0.0, 0.0))
    env.run(until=20)
    assert battery.power_w == pytest.approx(-2500.0, abs=15)


def test_the_battery_loses_what_its_converter_costs_and_nothing_else() -> None:
    env, bus, battery = battery_bench(capacity_kwh=5.0, soc_pct=10.0, efficiency=0.9)
    load = bus.tap("load")
    load.set((-3000.0, 0.0, 0.0))
    env.run(until=3 * 3600)
    assert battery.soc_pct == 100.0
    load.set((2000.0, 0.0, 0.0))
    env.run(until=8 * 3600)
    assert battery.soc_pct == pytest.approx(10.0)
    assert battery.power_w == 0.0
    taken, given = battery.tap.energy_in_kwh, battery.tap.energy_out_kwh
    assert taken == pytest.approx(4.5 / 0.9, rel=1e-6)
    assert given == pytest.approx(4.5 * 0.9, rel=1e-6)
    assert battery.losses_kwh == pytest.approx(taken - given)


def test_a_battery_told_to_hold_does_not_discharge() -> None:
    env, bus, battery = battery_bench()
    bus.tap("load").set((1500.0, 0.0, 0.0))
    battery.set_mode("hold")
    env.run(until=20)
    assert battery.power_w == 0.0
    battery.set_mode("charge")
    env.run(until=40)
    assert battery.power_w == -5000.0
    with pytest.raises(ValueError, match="nonsense"):
        battery.set_mode("nonsense")
    assert battery.mode is BatteryMode.CHARGE


# -- car and station ----------------------------------------------------------------------------------------------------------


def test_a_car_starts_follows_and_stops_in_its_own_time() -> None:
    bench = Bench(car=CarSpec(start_delay_s=6, dead_time_s=3, stop_delay_s=1.5, ramp_a_per_s=4))
    box = bench.box
    assert box.status is ChargerStatus.A
    box.plug_in(bench.car)
    assert box.status is ChargerStatus.B
    box.set_current(10)
    box.enable()
    assert bench.at(5).box.status is ChargerStatus.B
    assert bench.at(8).box.status is ChargerStatus.C
    assert box.power_w == 0.0
    assert bench.at(20).box.currents_a == (10.0, 10.0, 10.0)
    box.set_current(6)
    assert bench.at(21).box.currents_a == (10.0, 10.0, 10.0)
    assert bench.at(22).box.currents_a == (6.0, 6.0, 6.0)
    box.disable()
    assert bench.at(24).box.status is ChargerStatus.B
    assert box.power_w == 0.0


def test_a_car_refuses_a_current_below_its_own_minimum() -> None:
    bench = Bench(car=CarSpec(current_min_a=10))
    bench.charging(8)
    assert bench.at(120).box.status is ChargerStatus.B
    bench.box.set_current(10)
    assert bench.at(240).box.status is ChargerStatus.C


def test_a_single_phase_car_loads_the_grid_phase_that_is_wired() -> None:
    bench = Bench(car=CarSpec(phases=1), box=WallboxSpec(name="box", phase_rotation=(3, 1, 2)))
    bench.charging(16)
    assert bench.bus.grid.powers_w == (0.0, 0.0, 3680.0)
    assert bench.box.currents_a == (16.0, 0.0, 0.0)


def test_a_car_tapers_and_ends_at_its_own_limit() -> None:
    spec = CarSpec(capacity_kwh=10, soc_pct=75, taper_from_pct=80, soc_limit_pct=90, taper_end_w=1000)
    bench = Bench(car=spec)
    bench.box.plug_in(bench.car)
    bench.car.soc_pct = 75
    bench.charging(16)
    powers = [bench.at(second).box.power_w for second in range(60, 1800, 60)]
    assert powers[0] == pytest.approx(11_040)
    falling = [power for power in powers if 0 < power < 11_000]
    assert falling == sorted(falling, reverse=True) and len(falling) > 2
    assert bench.at(7200).car.soc_pct == pytest.approx(90.0)
    assert bench.box.status is ChargerStatus.B


def test_a_sleeping_car_must_be_woken() -> None:
    bench = Bench(car=CarSpec(sleep_after_s=60, wakes_by_pilot=False))
    bench.box.plug_in(bench.car)
    bench.at(100)
    bench.box.enable()
    assert bench.at(200).box.status is ChargerStatus.B
    bench.car.wake()
    assert bench.at(230).box.status is ChargerStatus.C


def test_phases_switch_without_current_and_after_a_pause() -> None:
    bench = Bench(box=WallboxSpec(name="box", can_switch_phases=True, phase_switch_s=8)).charging(16)
    bench.box.switch_phases(1)
    assert bench.at(35).box.pilot_a == 0.0
    assert bench.box.phases_shown == 3
    assert bench.at(80).box.phases_shown == 1
    assert bench.box.currents_a == (16.0, 0.0, 0.0)
    assert bench.box.switched_under_load == []


def test_a_station_without_pause_switches_under_load_and_offends_the_car() -> None:
    spec = WallboxSpec(name="box", can_switch_phases=True, phase_switch_pauses=False)
    bench = Bench(box=spec).charging(16)
    bench.box.switch_phases(1)
    assert bench.box.switched_under_load == [30.0]
    assert bench.at(100).car.is_offended


def test_a_station_without_relay_refuses() -> None:
    bench = Bench().charging()
    with pytest.raises(WriteRefused):
        bench.box.switch_phases(1)


def test_the_watchdog_falls_back_and_recovers() -> None:
    bench = Bench(box=WallboxSpec(name="box", watchdog_s=60, failsafe_a=6)).charging(16)
    assert bench.at(59).box.pilot_a == 16.0
    assert bench.at(65).box.pilot_a == 6.0
    bench.box.kick()
    assert bench.box.pilot_a == 16.0


def test_a_station_that_ignores_writes_keeps_its_pilot() -> None:
    faults = (
        Fault(kind=FaultKind.IGNORED_WRITES, device="box", start_s=40, duration_s=20),
        Fault(kind=FaultKind.REFUSED_WRITES, device="box", start_s=70, duration_s=20),
    )
    bench = Bench(faults=faults).charging(16)
    bench.at(45).box.set_current(6)
    assert bench.box.pilot_a == 16.0
    with pytest.raises(WriteRefused):
        bench.at(75).box.set_current(6)
    bench.at(95).box.set_current(6)
    assert bench.box.pilot_a == 6.0


def test_a_rebooting_station_forgets_its_settings_but_not_its_counter() -> None:
    faults = (Fault(kind=FaultKind.REBOOT, device="box", start_s=100, duration_s=60),)
    bench = Bench(faults=faults).charging(16)
    before = bench.at(99).box.energy_total_kwh
    assert bench.at(110).box.pilot_a == 0.0
    assert bench.at(161).box.enabled is False
    assert bench.box.energy_total_kwh >= before


def test_shown_settings_lag_when_the_fault_says_so() -> None:
    faults = (Fault(kind=FaultKind.READ_BACK_LAG, device="box", start_s=0, duration_s=1000, params={"lag_s": 8}),)
    bench = Bench(faults=faults)
    bench.box.plug_in(bench.car)
    bench.at(50).box.enable()
    assert bench.at(57).box.enabled is False
    assert bench.at(59).box.enabled is True


def misread(kind: FaultKind, of: ReadBack, **params: float) -> Bench:
    """A station at 10 A with a car that draws, which tells the wrong of one value from second 100 on."""
    faults = (Fault(kind=kind, device="box", start_s=100, duration_s=1000, of=of, params=params),)
    return Bench(faults=faults).charging(10)


@pytest.mark.parametrize(
    ("of", "shows", "wrong", "stuck"),
    [
        (ReadBack.STATUS, 0, "B", "A"),
        (ReadBack.ENABLED, 0, False, False),
        (ReadBack.CURRENT, 13, 16.0, 13.0),
        (ReadBack.PHASES, 1, 1, 1),
    ],
)
def test_a_value_read_back_wrong_or_stuck_leaves_the_others_true(
    of: ReadBack, shows: float, wrong: object, stuck: object
) -> None:
    position = [ReadBack.STATUS, ReadBack.ENABLED, ReadBack.CURRENT, ReadBack.PHASES].index(of)
    true = ("C", True, 10.0, 3)
    for bench, expected in (
        (misread(FaultKind.READ_BACK_WRONG, of), wrong),
        (misread(FaultKind.READ_BACK_STUCK, of, shows=shows), stuck),
    ):
        assert bench.at(99).box.settings_shown() == true
        assert bench.at(101).box.settings_shown() == (*true[:position], expected, *true[position + 1 :])
        assert bench.box.status.value == bench.box.settings_shown()[0]
        assert (bench.box.true_status.value, bench.box.true_enabled, bench.box.true_current_limit_a) == true[:3]
        assert bench.box.power_w == pytest.approx(6900)
        assert bench.at(1101).box.settings_shown() == true


def test_one_value_may_lag_alone() -> None:
    bench = misread(FaultKind.READ_BACK_LAG, ReadBack.ENABLED, lag_s=70)
    bench.at(200).box.disable()
    assert bench.at(210).box.settings_shown()[:2] == ("B", True)
    assert bench.at(271).box.settings_shown()[:2] == ("B", False)


def test_power_read_back_wrong_stuck_or_late_leaves_the_counter_true() -> None:
    bench = misread(FaultKind.READ_BACK_WRONG, ReadBack.POWER)
    assert bench.at(101).box.power_w == 0
    bench.box.disable()
    assert bench.at(200).box.power_w == 2000
    bench = misread(FaultKind.READ_BACK_STUCK, ReadBack.POWER, shows=690)
    assert bench.at(101).box.currents_a == pytest.approx((1, 1, 1))
    bench = misread(FaultKind.READ_BACK_LAG, ReadBack.POWER, lag_s=70)
    bench.at(200).box.disable()
    counted_kwh = bench.at(240).box.energy_total_kwh
    assert bench.box.power_w == pytest.approx(6900)
    assert bench.at(280).box.power_w == 0
    assert bench.box.energy_total_kwh == counted_kwh


def test_counters_reset_and_count_on() -> None:
    faults = (Fault(kind=FaultKind.COUNTER_RESET, device="box", start_s=3600, duration_s=1),)
    bench = Bench(faults=faults).charging(16)
    assert bench.at(3599).box.energy_total_kwh > 1234
    assert bench.at(7200).box.energy_total_kwh < 30


def test_climate_control_draws_at_a_full_car() -> None:
    hot = [False]
    bench = Bench()
    bench.car = Car(bench.env, CarSpec(soc_pct=100, climate=((time(1), time(2)),)), is_climate_time=lambda: hot[0])
    bench.charging(16)
    assert bench.box.status is ChargerStatus.B
    hot[0] = True
    bench.car.climate_changed()
    assert bench.at(60).box.power_w == pytest.approx(1800.0)
    assert bench.car.soc_pct == 100.0
