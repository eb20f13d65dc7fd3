"""Circuits and the grid operator, in the step."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from bench import NOON, Bench, S, loadpoint, run, site_config

from evcclib import Site
from evcclib.commands import Command, Disable, Enable, Outcome, Result, SetCurrent, SwitchPhases
from evcclib.config import CircuitConfig, LoadpointConfig, VehicleConfig
from evcclib.events import Warned, WarningCode
from evcclib.machines.charger import forget_current
from evcclib.model import Cause, ChargeMode, ChargerStatus, PhaseTriple, TariffKind
from evcclib.readings import ABSENT, Measured, MeterReading, Missing, OperatorLimit, VehicleReading
from evcclib.reasons import ReasonCode
from evcclib.tariff import Rate, Rates

NOW = ChargeMode.NOW


def grid(bench: Bench, currents: PhaseTriple | None, *, powers: PhaseTriple | None = None, power: float = 0.0) -> None:
    bench.grid = MeterReading(
        power_w=Measured(power, bench.t),
        currents_a=ABSENT if currents is None else Measured(currents, bench.t),
        powers_w=ABSENT if powers is None else Measured(powers, bench.t),
    )


def house(*loadpoints: object, **values: object) -> Bench:
    values.setdefault("current_max_a", 20.0)
    values.setdefault("uses_grid_meter", True)
    circuit = CircuitConfig(name="house", **values)  # type: ignore[arg-type]
    bench = Bench(site_config(*(loadpoints or (loadpoint(mode=NOW, phases=3, circuit="house"),)), circuits=(circuit,)))  # type: ignore[arg-type]
    for box in bench.boxes:
        box.status, box.shows_currents = ChargerStatus.B, True
    return bench


@pytest.mark.rule("INV-2")
def test_overload_is_lowered_at_once_and_raised_on_the_next_tick() -> None:
    bench = house()
    grid(bench, (5.0, 2.0, 2.0))
    assert bench.at(0) == (SetCurrent(15.0), Enable())
    assert (bench.lp.reason.code, bench.lp.reason.limit) == (ReasonCode.MODE_NOW, "house")
    bench.t = 3 * S
    grid(bench, (27.0, 17.0, 17.0))
    assert bench.step(Cause.SAMPLE) == (SetCurrent(8.0),)
    assert Warned(WarningCode.LIMIT_EXCEEDED, 0, {"limit": "house"}) in bench.events
    bench.t = 5 * S
    grid(bench, (13.0, 10.0, 10.0))
    assert bench.step(Cause.SAMPLE) == ()
    assert bench.step(Cause.INTERVAL) == (SetCurrent(15.0),)


@pytest.mark.rule("INV-2", "MEA-3", "DEF-48")
def test_phase_of_the_grid_of_which_nothing_is_known_proves_no_limit() -> None:
    bench = house(safe_current_a=6.0)
    grid(bench, (5.0, float("nan"), float("nan")), power=1150.0)
    assert bench.at(0) == (SetCurrent(6.0), Enable())


@pytest.mark.rule("INV-2", "MEA-3")
@pytest.mark.parametrize("has_power", [True, False])
def test_phases_of_a_car_of_which_nothing_is_known_leave_the_house_all_that_may_be_its(has_power: bool) -> None:
    bench = house(loadpoint(mode=NOW, phases=3, circuit="house", has_power=has_power))
    grid(bench, (2.0, 2.0, 2.0))
    bench.at(0)
    assert bench.box.offered_a == 16.0
    for second in (10, 20, 30, 40):
        bench.t = second * S
        bench.box.extra = {"currents_a": Measured((16.0, float("nan"), float("nan")), bench.t)}
        if has_power:  # one phase: what flows on the others is the house
            bench.box.extra["power_w"] = Measured(3680.0, bench.t)
        grid(bench, (18.0, 12.0, 12.0))
        bench.step()
    assert bench.box.offered_a == 16.0
    bench.t = 50 * S
    bench.box.extra["currents_a"] = Measured((16.0, float("nan"), float("nan")), bench.t)
    if has_power:
        bench.box.extra["power_w"] = Measured(3680.0, bench.t)
    grid(bench, (24.0, 12.0, 12.0))
    bench.step()
    assert bench.box.offered_a <= 12.0


@pytest.mark.rule("INV-2")
def test_below_the_minimum_it_pauses_and_says_why() -> None:
    bench = house()
    grid(bench, (2.0, 2.0, 2.0))
    bench.at(0)
    bench.t = 3 * S
    grid(bench, (32.0, 18.0, 18.0))
    assert bench.step(Cause.SAMPLE) == (Disable(),)
    assert (bench.lp.reason.code, bench.lp.reason.limit) == (ReasonCode.LIMITED, "house")
    bench.t = 10 * S
    grid(bench, (15.0, 0.0, 0.0))
    assert bench.step() == ()
    assert bench.lp.reason.params == {"wanted": "mode_now"}
    bench.t = 290 * S
    grid(bench, (2.0, 0.0, 0.0))
    assert bench.step() == ()  # there is room, but the contactor has just been opened
    assert (bench.lp.reason.code, bench.lp.reason.until) == (ReasonCode.GUARD, 303 * S)
    bench.t = 310 * S
    grid(bench, (2.0, 0.0, 0.0))
    assert bench.step() == (SetCurrent(16.0), Enable())


@pytest.mark.rule("INV-2", "PV-12")
@pytest.mark.parametrize(
    ("house_a", "step_a", "resolution_w"),
    [
        (9.994, 0.001, 10.0),  # 10.006 A are left: 2301 W, shown as 10.0 A, and then 10.0 A are left
        (9.0, 1.0, 20.0),  # 11 A: 2530 W, shown as 10.957 A, and then 10 A
        (4.0, 0.001, 60.0),  # 16 A, the most there is: 3680 W, shown as 15.913 A
    ],
)
def test_meter_that_rounds_makes_nobody_dance_below_a_limit(house_a: float, step_a: float, resolution_w: float) -> None:
    bench = house(loadpoint(mode=NOW, phases=3, circuit="house", current_step_a=step_a))
    for second in range(0, 1200, 10):
        bench.t = second * S
        drawn_a = bench.currents(bench.box)[0]
        shown_a = round(drawn_a * 230.0 / resolution_w) * resolution_w / 230.0
        bench.box.extra["currents_a"] = Measured((shown_a, shown_a, shown_a), bench.t)
        bench.box.extra["power_w"] = Measured(690.0 * shown_a, bench.t)
        used_a = house_a + drawn_a
        grid(bench, (used_a, used_a, used_a), power=690.0 * used_a)
        bench.step()
    assert len(bench.sent) <= 3
    assert 20.0 - step_a - 0.1 <= house_a + bench.box.offered_a <= 20.0


@pytest.mark.rule("INV-2", "LIM-5")
def test_house_that_swings_around_the_limit_does_not_wear_the_contactor_out() -> None:
    bench = house()
    starts = 0
    for second in range(0, 3600, 30):
        bench.t = second * S
        drawn_a = bench.currents(bench.box)[0]
        house_a = 2.0 if second % 60 == 0 else 18.0
        grid(bench, (house_a + drawn_a, 2.0 + drawn_a, 2.0 + drawn_a))
        starts += Enable() in bench.step(Cause.INTERVAL)
    assert 2 <= starts <= 12  # five minutes apart


@pytest.mark.rule("INV-2")
def test_who_rests_holds_nobody_down_and_the_next_vehicle_does_not_rest() -> None:
    lps = [loadpoint(mode=NOW, phases=3, circuit="house") for _ in range(2)]
    bench = house(*lps)
    grid(bench, (0.0, 0.0, 0.0))
    bench.boxes[1].status = ChargerStatus.A
    bench.at(0)
    bench.t = 5 * S
    grid(bench, (32.0, 18.0, 18.0))
    assert bench.step(Cause.SAMPLE) == (Disable(),)
    bench.boxes[1].status = ChargerStatus.B
    for second in (20, 30):
        bench.t = second * S
        drawn_a = bench.currents(bench.boxes[1])[0]
        grid(bench, (2.0 + drawn_a, 2.0 + drawn_a, 2.0 + drawn_a))
        bench.step()
    assert bench.boxes[1].offered_a == 16  # all there is for one
    bench.boxes[0].status = ChargerStatus.A
    bench.at(40)
    bench.boxes[0].status, bench.boxes[1].status = ChargerStatus.B, ChargerStatus.A
    bench.at(50)
    bench.t = 60 * S
    grid(bench, (2.0, 2.0, 2.0))
    assert Enable() in bench.step()


@pytest.mark.rule("DEF-47")
@pytest.mark.parametrize(("safe_a", "expected"), [(8.0, (SetCurrent(8.0),)), (0.0, (Disable(),))])
def test_limit_whose_meter_is_silent_falls_to_the_safe_current_at_once(
    safe_a: float, expected: tuple[object, ...]
) -> None:
    bench = house(loadpoint(mode=NOW, phases=3, circuit="house", guard_duration=0 * S), safe_current_a=safe_a)
    grid(bench, (2.0, 2.0, 2.0))
    bench.at(0)
    bench.grid = MeterReading(power_w=Missing(5 * S), currents_a=Missing(5 * S))
    assert bench.at(30, Cause.SAMPLE) == ()
    assert bench.at(31, Cause.SAMPLE) == expected
    bench.t = 40 * S
    grid(bench, (2.0, 2.0, 2.0))
    assert bench.step()[0] == SetCurrent(16.0)


@pytest.mark.rule("DEF-47")
def test_limit_of_a_meter_without_phase_values_is_not_proven() -> None:
    bench = house(safe_current_a=6.0)
    grid(bench, None, power=500.0)
    assert bench.at(0) == (SetCurrent(6.0), Enable())
    bench.t = 10 * S
    grid(bench, None, powers=(460.0 + 1380.0, 1380.0, 1380.0))
    assert bench.step() == (SetCurrent(16.0),)


@pytest.mark.rule("DEF-49", "INV-2")
def test_two_loadpoints_share_and_the_first_is_raised_after_the_second_was_lowered() -> None:
    lps = [loadpoint(mode=NOW, phases=3, circuit="house") for _ in range(2)]
    bench = house(*lps)
    bench.boxes[1].status = ChargerStatus.A
    grid(bench, (0.0, 0.0, 0.0))
    bench.at(0)
    assert bench.boxes[0].offered_a == 16
    bench.boxes[1].status = ChargerStatus.B
    seen = []
    for second in (10, 20, 30):
        bench.t = second * S
        total = sum(box.offered_a for box in bench.boxes if box.is_enabled)
        grid(bench, (total, total, total))
        bench.step()
        seen.append(tuple(box.offered_a if box.is_enabled else 0 for box in bench.boxes))
        assert sum(seen[-1]) <= 20
    assert seen == [(14, 0), (14, 6), (14, 6)]


@pytest.mark.rule("INV-2")
def test_rotation_and_single_phase_cars_load_their_own_phase() -> None:
    bench = house(loadpoint(mode=NOW, phases=1, circuit="house", phase_rotation=(3, 1, 2)))
    bench.box.phases = 1
    grid(bench, (19.0, 19.0, 3.0))
    assert bench.at(0) == (SetCurrent(16.0), Enable())
    bench.t = 10 * S
    grid(bench, (19.0, 19.0, 22.0))
    assert bench.step() == (SetCurrent(14.0),)


@pytest.mark.rule("INV-2", "STR-10")
def test_too_much_for_three_phases_stays_on_one() -> None:
    bench = house(loadpoint(mode=NOW, can_switch_phases=True, circuit="house"))
    bench.box.extra, bench.box.phases = {"phases": Measured(1, 0 * S)}, 1
    grid(bench, (3.0, 19.0, 19.0))
    assert bench.at(0) == (SetCurrent(16.0), Enable())
    for second in range(10, 250, 10):  # the house must leave room for all for both delays
        bench.t = second * S
        grid(bench, (19.0, 3.0, 3.0))
        assert bench.step() == ()
    bench.t = 250 * S
    grid(bench, (19.0, 3.0, 3.0))
    assert bench.step() == (Disable(), SwitchPhases(3), SetCurrent(16.0), Enable())


@pytest.mark.rule("INV-2")
def test_circuit_without_a_meter_adds_up_what_hangs_below_it() -> None:
    circuits = (
        CircuitConfig(name="main", current_max_a=30.0),
        CircuitConfig(name="shed", parent="main", current_max_a=25.0, has_meter=True, power_max_w=12000.0),
    )
    lps = (loadpoint(mode=NOW, phases=3, circuit="main"), loadpoint(mode=NOW, phases=3, circuit="shed"))
    bench = Bench(site_config(*lps, circuits=circuits))
    for box in bench.boxes:
        box.status = ChargerStatus.B
    bench.circuits = {
        "shed": MeterReading(power_w=Measured(2000.0, 0 * S), currents_a=Measured((3.0, 3.0, 3.0), 0 * S))
    }
    bench.at(0)
    assert [box.offered_a for box in bench.boxes] == [16, 11]
    bench.circuits = {}
    for second in (10, 20, 31):
        bench.at(second, Cause.SAMPLE)
    assert [box.is_enabled for box in bench.boxes] == [False, False]


@pytest.mark.rule("INV-2")
def test_operator_limit_holds_for_the_sum_and_ends_by_itself() -> None:
    lps = [loadpoint(mode=NOW, phases=3, current_step_a=0.1, guard_duration=60 * S) for _ in range(2)]
    bench = Bench(site_config(*lps))
    for box in bench.boxes:
        box.status = ChargerStatus.B
    bench.at(0)
    bench.at(10)
    assert [bench.power(box) for box in bench.boxes] == [11040, 11040]
    bench.operator = OperatorLimit(power_w=4200.0, expires_at=100 * S)
    bench.at(12, Cause.SAMPLE)
    assert sum(bench.power(box) for box in bench.boxes) <= 4200
    assert [box.is_enabled for box in bench.boxes] == [True, False]
    bench.at(20)
    assert bench.site.state.loadpoints[1].reason.limit == "operator"
    assert bench.decision is not None and bench.decision.wake_at is not None
    run(bench, [30, 90])
    assert bench.decision.wake_at == 100 * S
    run(bench, [100])
    assert [box.is_enabled for box in bench.boxes] == [True, True]


@pytest.mark.rule("INV-2", "LIM-8")
def test_lowered_maximum_acts_at_once() -> None:
    bench = Bench(site_config(loadpoint(mode=NOW, phases=3)))
    bench.box.status = ChargerStatus.B
    bench.at(0)
    bench.set("current_max_a", 10)
    assert bench.at(5, Cause.SAMPLE) == (SetCurrent(10.0),)


@pytest.mark.rule("INV-2")
def test_loads_of_phases_are_not_known_twice() -> None:
    bench = house(loadpoint(mode=NOW, phases=3, circuit="house"))
    bench.box.shows_currents = False  # its share of the meter is worked out from its power
    grid(bench, (4.0, 4.0, 4.0))
    bench.at(0)
    bench.t = 10 * S
    grid(bench, (20.0, 20.0, 20.0))
    assert bench.step() == ()
    assert bench.box.offered_a == 16


@pytest.mark.rule("INV-2")
def test_meter_that_is_faster_than_the_charger_causes_no_swing() -> None:
    bench = house(current_max_a=32.0)
    bench.box.starts = False
    grid(bench, (5.0, 5.0, 5.0))
    bench.at(0)
    old = bench.charger_reading(bench.box)  # still says that nothing flows
    bench.box.status = ChargerStatus.C
    for second in (1, 2, 3, 9):
        bench.t = second * S
        grid(bench, (21.0, 21.0, 21.0))
        readings = replace(bench.readings(), chargers=(old,))
        assert bench.step(Cause.SAMPLE, readings) == ()
    bench.t = 10 * S
    grid(bench, (21.0, 21.0, 21.0))
    assert bench.step() == ()
    assert bench.box.offered_a == 16


@pytest.mark.rule("INV-2")
def test_car_that_is_still_ramping_when_it_was_read_causes_no_swing() -> None:
    bench = house(loadpoint(mode=NOW, phases=1, circuit="house"), current_max_a=25.0)
    bench.box.phases = 1
    grid(bench, (17.0, 0.0, 0.0))
    assert bench.at(0) == (SetCurrent(8.0), Enable())
    bench.t = 10 * S
    bench.box.currents_a = (4.0, 0.0, 0.0)
    grid(bench, (21.0, 0.0, 0.0))
    assert bench.step() == ()
    half_way = bench.charger_reading(bench.box)
    bench.t = 11 * S
    grid(bench, (25.0, 0.0, 0.0))  # all of the 8 A, and no more
    assert bench.step(Cause.SAMPLE, replace(bench.readings(), chargers=(half_way,))) == ()
    bench.t = 12 * S
    grid(bench, (25.5, 0.0, 0.0))  # the house has risen too
    assert bench.step(Cause.SAMPLE, replace(bench.readings(), chargers=(half_way,))) == (SetCurrent(7.0),)


@pytest.mark.rule("INV-2")
def test_car_that_begins_by_itself_long_after_any_command_is_not_taken_for_the_house() -> None:
    bench = house(loadpoint(mode=NOW, phases=1, circuit="house"), current_max_a=25.0)
    bench.box.phases, bench.box.starts = 1, False
    for second in range(0, 110, 10):
        bench.t = second * S
        grid(bench, (17.0, 0.0, 0.0))
        bench.step()
    assert bench.box.offered_a == 8
    idle = bench.charger_reading(bench.box)
    bench.t = 103 * S
    grid(bench, (25.0, 0.0, 0.0))  # preheating, say
    assert bench.step(Cause.SAMPLE, replace(bench.readings(), chargers=(idle,))) == ()
    bench.t = 104 * S
    grid(bench, (25.5, 0.0, 0.0))  # the house has risen too
    assert bench.step(Cause.SAMPLE, replace(bench.readings(), chargers=(idle,))) == (SetCurrent(7.0),)


@pytest.mark.rule("INV-2")
def test_one_overload_is_answered_once() -> None:
    bench = house(loadpoint(mode=NOW, phases=1, circuit="house"), current_max_a=25.0)
    bench.box.phases, bench.box.starts = 1, False
    grid(bench, (9.0, 0.0, 0.0))
    assert bench.at(0) == (SetCurrent(16.0), Enable())
    idle = bench.charger_reading(bench.box)
    bench.t = 8 * S
    grid(bench, (28.0, 0.0, 0.0))  # the car, and 3 A more of the house
    bench.answers_at_once = False
    assert bench.step(Cause.SAMPLE, replace(bench.readings(), chargers=(idle,))) == (SetCurrent(13.0),)
    assert bench.decision is not None
    bench.outcomes.append(Outcome(0, bench.decision.commands[0].number, Result.DONE, 1))
    assert bench.step(Cause.OUTCOME, replace(bench.readings(), chargers=(idle,))) == ()


@pytest.mark.rule("DEF-49", "INV-2")
def test_first_loadpoint_that_comes_late_gets_its_minimum() -> None:
    lps = [loadpoint(mode=NOW, phases=3, circuit="house") for _ in range(2)]
    bench = house(*lps)
    bench.boxes[0].status = ChargerStatus.A
    seen = []
    for second in range(0, 50, 10):
        bench.t = second * S
        total = sum(box.offered_a for box in bench.boxes if box.is_enabled)
        grid(bench, (total, total, total))
        bench.step()
        seen.append(tuple(box.offered_a if box.is_enabled else 0 for box in bench.boxes))
        bench.boxes[0].status = bench.boxes[0].status if second else ChargerStatus.B
        assert sum(seen[-1]) <= 20
    assert seen == [(0, 16), (0, 14), (6, 14), (6, 14), (6, 14)]


@pytest.mark.rule("INV-2")
def test_charger_that_is_faster_than_the_meter_causes_no_swing() -> None:
    bench = house(
        loadpoint(mode=NOW, phases=3, circuit="house"),
        loadpoint(mode=NOW, phases=3, circuit="house"),
        current_max_a=40.0,
    )
    bench.boxes[1].status = ChargerStatus.A
    grid(bench, (5.0, 5.0, 5.0))
    bench.at(0)
    bench.at(1, Cause.SAMPLE)  # the charger shows 16 A, the meter not yet
    assert bench.box.offered_a == 16
    bench.boxes[1].status = ChargerStatus.B
    bench.at(5)
    assert bench.boxes[1].offered_a == 16  # 5 A of other loads and 16 A leave 19 A
    bench.t = 12 * S
    grid(bench, (37.0, 37.0, 37.0))
    bench.t = 12.5 * S
    bench.boxes[0].currents_a = (2.0, 2.0, 2.0)  # read after the meter: the car has just stopped
    assert bench.step(Cause.SAMPLE) == ()


@pytest.mark.rule("DEF-47", "INV-2")
def test_silent_charger_below_a_limit_counts_with_what_it_was_told() -> None:
    lps = [loadpoint(mode=NOW, phases=3, circuit="house") for _ in range(2)]
    bench = house(*lps, current_max_a=40.0)
    grid(bench, (5.0, 5.0, 5.0))
    bench.at(0)
    bench.boxes[0].status = None
    for second in range(10, 100, 10):
        bench.t = second * S
        grid(bench, (37.0, 37.0, 37.0))
        assert bench.step() == ()
    assert [box.offered_a for box in bench.boxes] == [16, 16]


@pytest.mark.rule("DEF-48", "INV-2")
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_proves_no_limit(bad: float) -> None:
    bench = house(safe_current_a=6.0)
    grid(bench, (bad, 0.0, 0.0), power=bad)
    assert bench.at(0) == (SetCurrent(6.0), Enable())


def held_by_the_guard(config: LoadpointConfig, *, circuits: tuple[CircuitConfig, ...] = ()) -> Bench:
    """Charging has begun with the sun at 0 s; at 100 s the sun goes, and the guard keeps the contactor closed until 300 s."""
    bench = Bench(site_config(config, circuits=circuits))
    bench.box.status, bench.box.shows_currents = ChargerStatus.B, True
    for second in range(0, 120, 10):
        bench.t = second * S
        sun_a = 12.0 if second < 100 else 0.0
        flowing_a = bench.currents(bench.box)[0] - sun_a
        grid(bench, (flowing_a, flowing_a, flowing_a), power=flowing_a * 690)
        bench.step()
    assert (bench.box.is_enabled, bench.box.offered_a, bench.lp.reason.code) == (True, 6, ReasonCode.GUARD)
    return bench


QUICK = {"phases": 3, "guard_duration": 300 * S, "disable_delay": 0 * S, "enable_delay": 0 * S}


@pytest.mark.rule("INV-2", "LIM-5")
@pytest.mark.parametrize("cause", [Cause.INTERVAL, Cause.SAMPLE, Cause.STATUS, Cause.REQUEST, Cause.WAKE])
@pytest.mark.parametrize("limit", ["house", "operator"])
def test_guard_keeps_nothing_above_a_limit(cause: Cause, limit: str) -> None:
    circuit = CircuitConfig(name="house", current_max_a=16.0, uses_grid_meter=True)
    bench = (
        held_by_the_guard(loadpoint(circuit="house", **QUICK), circuits=(circuit,))
        if limit == "house"
        else held_by_the_guard(loadpoint(**QUICK))
    )
    bench.t = 120 * S
    load_a = 15.9 if limit == "house" else 0.0
    grid(bench, (load_a + 6, load_a + 6, load_a + 6), power=(load_a + 6) * 690)
    if limit == "operator":
        bench.operator = OperatorLimit(power_w=600.0, expires_at=600 * S)
    assert bench.step(cause) == (Disable(),)
    assert (bench.lp.reason.code, bench.lp.reason.limit) == (ReasonCode.LIMITED, limit)


@pytest.mark.rule("INV-2", "LIM-5")
def test_guard_goes_on_where_the_limit_leaves_the_minimum() -> None:
    circuit = CircuitConfig(name="house", current_max_a=16.0, uses_grid_meter=True)
    bench = held_by_the_guard(loadpoint(circuit="house", **QUICK), circuits=(circuit,))
    for second in range(120, 300, 10):
        bench.t = second * S
        grid(bench, (16.0, 16.0, 16.0), power=16.0 * 690)
        assert bench.step() == ()
        assert bench.lp.reason.code is ReasonCode.GUARD
    bench.t = 300 * S
    grid(bench, (16.0, 16.0, 16.0), power=16.0 * 690)
    assert bench.step() == (Disable(),)


@pytest.mark.rule("INV-2", "CUT-4")
def test_charger_that_may_be_enabled_is_lowered_between_ticks_too() -> None:
    bench = house(uses_grid_meter=False)
    bench.box.result, bench.box.applied = Result.UNKNOWN, 0
    assert bench.at(0) == (SetCurrent(16.0), Enable())  # the answer is lost: nobody knows
    bench.box.result = Result.DONE
    bench.operator = OperatorLimit(power_w=7000.0, expires_at=600 * S)
    assert bench.at(3, Cause.SAMPLE) == (SetCurrent(10.0),)
    bench.operator = OperatorLimit(power_w=3000.0, expires_at=600 * S)
    assert bench.at(4, Cause.SAMPLE) == (Disable(),)
    assert bench.at(5, Cause.SAMPLE) == ()


def in_doubt(before_a: float, wanted_a: float, *, limit_a: float) -> Bench:
    """A car in mode now at ``before_a`` below a branch of ``limit_a``; the answer to ``wanted_a`` is lost."""
    circuit = CircuitConfig(name="branch", current_max_a=limit_a)
    bench = Bench(site_config(loadpoint(mode=NOW, phases=3, circuit="branch"), circuits=(circuit,)))
    bench.box.status, bench.box.shows_currents = ChargerStatus.B, True
    bench.set("current_max_a", before_a)
    bench.at(0)
    bench.set("current_max_a", wanted_a)
    bench.box.result, bench.box.applied = Result.UNKNOWN, 0
    assert bench.at(10) == (SetCurrent(wanted_a),)
    bench.box.result = Result.DONE
    bench.set("current_max_a", 16.0)
    return bench


@pytest.mark.rule("INV-2", "CUT-4")
@pytest.mark.parametrize(("before_a", "wanted_a"), [(9.0, 7.0), (7.0, 9.0)])
def test_enforcement_raises_nothing_while_the_current_is_in_doubt(before_a: float, wanted_a: float) -> None:
    bench = in_doubt(before_a, wanted_a, limit_a=14.0)
    for second in (11, 12, 13):
        assert bench.at(second, Cause.SAMPLE) == ()  # 9 A at most: below the limit
    assert bench.at(20) == (SetCurrent(14.0),)


@pytest.mark.rule("INV-2", "CUT-4")
@pytest.mark.parametrize(("before_a", "wanted_a"), [(12.0, 7.0), (7.0, 12.0)])
def test_enforcement_lowers_what_is_in_doubt_to_what_surely_stands(before_a: float, wanted_a: float) -> None:
    bench = in_doubt(before_a, wanted_a, limit_a=14.0)
    bench.operator = OperatorLimit(power_w=6900.0, expires_at=600 * S)  # 10 A
    assert bench.at(11, Cause.SAMPLE) == (SetCurrent(7.0),)
    assert bench.at(12, Cause.SAMPLE) == ()


@pytest.mark.rule("INV-2", "LP-3")
def test_enforcement_gives_what_it_finds_enabled_the_minimum() -> None:
    bench = house(uses_grid_meter=False, current_max_a=14.0)
    bench.box.status, bench.box.is_enabled = None, True
    bench.at(0)
    bench.box.status, bench.box.offered_a = ChargerStatus.C, 6.0
    assert bench.at(3, Cause.STATUS) == (SetCurrent(6.0),)


@pytest.mark.rule("INV-2", "SYN-2")
def test_enforcement_stops_what_has_begun_by_itself_and_may_exceed_a_limit() -> None:
    bench = house(loadpoint(mode=ChargeMode.OFF, phases=3, circuit="house"), current_max_a=14.0)
    grid(bench, (2.0, 2.0, 2.0))
    bench.at(0)
    bench.box.is_enabled, bench.box.offered_a, bench.box.status = True, 32.0, ChargerStatus.C
    bench.t = 63 * S
    grid(bench, (34.0, 34.0, 34.0))
    assert bench.step(Cause.SAMPLE) == (Disable(),)


@pytest.mark.rule("INV-2", "PH-3")
def test_phases_that_nobody_knows_count_as_three() -> None:
    bench = Bench(site_config(loadpoint(mode=NOW, can_switch_phases=True)))
    bench.box.status, bench.box.shows_currents = ChargerStatus.B, True
    bench.operator = OperatorLimit(power_w=4000.0, expires_at=20 * S)
    run(bench, range(0, 250, 10))
    assert (bench.box.phases, bench.lp.measured_phases) == (1, 1)
    bench.box.result, bench.box.applied = Result.UNKNOWN, 0
    run(bench, range(250, 270, 10))
    assert bench.lp.charger.phases == 0
    assert bench.lp.measured_phases == 0


def narrow(mode: ChargeMode = NOW, *, watts: float | None = None, at_grid: bool = False, **values: object) -> Bench:
    """A station that can switch, below a circuit of ``watts``, or under an operator's limit of 4 kW."""
    circuits = () if watts is None else (CircuitConfig(name="house", power_max_w=watts, uses_grid_meter=at_grid),)
    place = loadpoint(mode=mode, can_switch_phases=True, circuit=None if watts is None else "house", **values)
    bench = Bench(site_config(place, circuits=circuits, vehicles=(VehicleConfig(name="car", capacity_kwh=50.0),)))
    bench.box.status, bench.box.shows_currents = ChargerStatus.B, True
    if watts is None:
        bench.operator = OperatorLimit(power_w=4000.0, expires_at=24 * 3600 * S)
    return bench


def tick(bench: Bench, second: float, *, house_w: float = 0.0, sun_w: float = 0.0) -> tuple[Command, ...]:
    bench.t = second * S
    first, second_a, third = (each + (house_w - sun_w) / 690 for each in bench.currents(bench.box))
    grid(bench, (first, second_a, third), power=(first + second_a + third) * 230)
    return bench.step()


def switches(bench: Bench) -> list[int]:
    return [command.phases for commands in bench.sent for command in commands if isinstance(command, SwitchPhases)]


@pytest.mark.rule("STR-10", "PH-7", "INV-2")
@pytest.mark.parametrize("watts", [None, 4000.0])
@pytest.mark.parametrize("why", ["now", "min_soc", "plan", "smart_cost", "minpv", "pv", "after minpv"])
def test_limit_too_small_for_three_phases_leaves_one(why: str, watts: float | None) -> None:
    mode = {"now": NOW, "minpv": ChargeMode.MINPV, "after minpv": ChargeMode.MINPV}.get(why, ChargeMode.PV)
    bench = narrow(mode, watts=watts, vehicle="car", guard_duration=0 * S, enable_delay=0 * S)
    if why == "min_soc":
        bench.set("soc_min_pct", 80)
        bench.vehicles["car"] = VehicleReading(soc_pct=Measured(20.0, 0 * S))
    elif why == "plan":
        bench.set("energy_target_kwh", 30.0)
        bench.set("target_time", NOON + timedelta(hours=1))
    elif why == "smart_cost":
        bench.tariffs[TariffKind.GRID] = Rates((Rate(NOON, NOON + timedelta(hours=24), 0.1),))
        bench.set("smart_cost_limit", 0.2)
    sun_w = 11_000.0 if why in ("minpv", "pv") else 0.0
    for second in range(0, 100, 10):
        if why == "after minpv" and second == 50:
            bench.set("mode", NOW)
        tick(bench, second, sun_w=sun_w)
    assert (bench.box.is_enabled, bench.box.phases, bench.box.offered_a) == (True, 1, 16)
    assert bench.lp.reason.limit == ("operator" if watts is None else "house")
    assert switches(bench) == [1]


@pytest.mark.rule("STR-10", "PH-7", "INV-2")
def test_three_become_one_at_once_and_three_again_when_the_limit_has_gone_for_both_delays() -> None:
    bench = narrow(enable_delay=60 * S, disable_delay=180 * S)
    bench.operator = None
    assert tick(bench, 0)[-2:] == (SetCurrent(16.0), Enable())
    assert bench.box.phases == 3
    bench.operator = OperatorLimit(power_w=4000.0, expires_at=100 * S)
    assert tick(bench, 10) == (Disable(), SwitchPhases(1), SetCurrent(16.0), Enable())
    for second in range(20, 340, 10):
        assert tick(bench, second) == ()
    assert (bench.lp.reason.code, bench.lp.reason.limit, bench.lp.reason.until) == (
        ReasonCode.MODE_NOW,
        "operator",
        340 * S,
    )
    assert tick(bench, 340) == (Disable(), SwitchPhases(3), SetCurrent(16.0), Enable())


@pytest.mark.rule("PH-7", "INV-2")
@pytest.mark.parametrize("cause", [Cause.INTERVAL, Cause.SAMPLE])
def test_house_that_swings_around_the_limit_for_three_wears_no_relay_out(cause: Cause) -> None:
    bench = narrow(watts=4500.0, at_grid=True, enable_delay=60 * S, disable_delay=180 * S)
    for second in range(0, 3600, 5):
        bench.t = second * S
        house_w = 200.0 if second // 300 % 2 == 0 else 1000.0
        currents = bench.currents(bench.box)
        flowing = (currents[0] + house_w / 690, currents[1] + house_w / 690, currents[2] + house_w / 690)
        grid(bench, flowing, power=sum(flowing) * 230)
        bench.step(Cause.INTERVAL if second % 10 == 0 else cause)
        assert bench.power(bench.box) + house_w <= 4500 or second % 300 == 0
    assert 2 <= len(switches(bench)) <= 2 * 3600 / 240 + 2
    assert bench.box.is_enabled


@pytest.mark.rule("PH-11", "STR-10")
def test_locked_phases_stay_locked_under_a_limit() -> None:
    bench = narrow(phases=3)
    for second in range(0, 100, 10):
        tick(bench, second)
    assert (bench.box.is_enabled, switches(bench)) == (False, [3])
    assert (bench.lp.reason.code, bench.lp.reason.limit) == (ReasonCode.LIMITED, "operator")


@pytest.mark.rule("STR-10", "LIM-5")
def test_who_was_stopped_on_three_between_ticks_goes_on_with_one() -> None:
    bench = narrow()
    bench.operator = None
    tick(bench, 0)
    bench.operator = OperatorLimit(power_w=4000.0, expires_at=24 * 3600 * S)
    bench.t = 3 * S
    assert bench.step(Cause.SAMPLE) == (Disable(),)
    assert tick(bench, 10) == (SwitchPhases(1), SetCurrent(16.0), Enable())


@pytest.mark.rule("STR-10", "DEF-49")
def test_two_that_must_do_with_one_phase_share_the_limit() -> None:
    bench = Bench(site_config(*[loadpoint(mode=NOW, can_switch_phases=True) for _ in range(2)]))
    for box in bench.boxes:
        box.status, box.shows_currents = ChargerStatus.B, True
    bench.operator = OperatorLimit(power_w=4000.0, expires_at=24 * 3600 * S)
    for second in range(0, 60, 10):
        bench.at(second)
        assert sum(bench.power(box) for box in bench.boxes) <= 4000
    assert [(box.phases, box.offered_a) for box in bench.boxes] == [(1, 11), (1, 6)]


@pytest.mark.rule("INV-2", "DEF-49")
def test_what_has_left_is_no_excuse_for_what_the_meter_shows() -> None:
    lps = [loadpoint(mode=NOW, phases=1, circuit="house") for _ in range(2)]
    bench = house(*lps, current_max_a=16.0)
    for box in bench.boxes:
        box.phases = 1
    grid(bench, (0.0, 0.0, 0.0))
    bench.at(0)
    bench.t = 10 * S
    grid(bench, (16.0, 0.0, 0.0))
    bench.at(10)
    assert [box.offered_a for box in bench.boxes] == [10, 6]
    bench.boxes[1].status = ChargerStatus.A
    bench.t = 20 * S
    grid(bench, (17.0, 0.0, 0.0))  # the second has gone, and the house takes 7 A
    assert bench.step() == (SetCurrent(9.0),)


@pytest.mark.rule("INV-2", "DEF-47")
def test_what_nobody_knows_has_no_benefit_of_the_doubt() -> None:
    bench = house(current_max_a=16.0)
    grid(bench, (0.0, 0.0, 0.0))
    bench.set("current_max_a", 7.0)
    bench.at(0)
    bench.site.state.loadpoints[0].charger = forget_current(bench.lp.charger)  # as after a restart of the server
    bench.t = 10 * S
    grid(bench, (22.9, 7.0, 7.0))
    assert bench.step(Cause.START) == (Disable(),)


@pytest.mark.rule("INV-2", "DEF-49")
@pytest.mark.parametrize("cause", [Cause.INTERVAL, Cause.SAMPLE])
def test_who_is_silent_keeps_all_it_may_be_drawing_and_others_give_way(cause: Cause) -> None:
    lps = [loadpoint(mode=NOW, phases=3, circuit="house", priority=priority) for priority in (0, 1)]
    bench = house(*lps, uses_grid_meter=False, current_max_a=32.0)
    bench.at(0)
    bench.at(10)
    assert [box.offered_a for box in bench.boxes] == [16, 16]
    bench.boxes[0].status = None
    bench.operator = OperatorLimit(power_w=16_000.0, expires_at=600 * S)
    bench.at(20, cause)
    assert [(box.is_enabled, box.offered_a) for box in bench.boxes] == [(True, 16), (True, 7)]
    bench.operator = OperatorLimit(power_w=12_000.0, expires_at=600 * S)
    bench.at(30, cause)
    assert [box.is_enabled for box in bench.boxes] == [True, False]


@pytest.mark.rule("INV-2", "DEF-47")
@pytest.mark.parametrize("cause", [Cause.INTERVAL, Cause.SAMPLE])
def test_who_fell_silent_before_it_was_lowered_is_no_excuse_for_what_the_meter_shows(cause: Cause) -> None:
    bench = house(
        *[loadpoint(mode=mode, phases=3, circuit="house") for mode in (NOW, ChargeMode.OFF)], current_max_a=16.0
    )
    grid(bench, (0.0, 0.0, 0.0))
    bench.at(0)
    bench.boxes[0].status = None  # nobody has seen it draw less than 16 A
    bench.t = 10 * S
    grid(bench, (25.0, 25.0, 25.0))
    assert bench.step() == (SetCurrent(7.0),)
    bench.set("mode", NOW, 1)
    bench.t = 20 * S
    grid(bench, (0.0, 0.0, 0.0))  # the sun covers its 7 A
    bench.step()
    assert [(box.is_enabled, box.offered_a) for box in bench.boxes] == [(True, 7.0), (True, 7.0)]
    bench.t = 60 * S
    grid(bench, (22.0, 22.0, 22.0))  # the sun has gone, and the house takes 8 A
    bench.step(cause)
    assert [(box.is_enabled, box.offered_a) for box in bench.boxes] == [(True, 6.0), (False, 7.0)]


@pytest.mark.rule("INV-2", "DEF-47")
@pytest.mark.parametrize("cause", [Cause.INTERVAL, Cause.SAMPLE])
def test_maximum_that_is_lowered_makes_a_station_that_was_never_heard_no_excuse(cause: Cause) -> None:
    bench = house(
        *[loadpoint(mode=mode, phases=3, circuit="house") for mode in (ChargeMode.PV, NOW)], current_max_a=16.0
    )
    bench.boxes[0].status = None
    grid(bench, (-16.0, -16.0, -16.0))
    bench.at(0)
    assert bench.boxes[1].offered_a == 16.0
    bench.set("current_max_a", 7.0)  # nothing is sent: until it is heard it may still be offering 16 A
    for second, metered_a in ((10, 17.0), (20, 16.0)):
        bench.t = second * S
        grid(bench, (metered_a, metered_a, metered_a))
        bench.step(cause)
        assert bench.boxes[1].offered_a == 15.0


SMALL = VehicleConfig(name="small", phases=1)


def wrong_vehicle(*, shows_currents: bool, watts: float, **values: object) -> Bench:
    """A car that charges on three phases, where a vehicle with one is said to be, below a limit of power."""
    place = loadpoint(mode=NOW, phases=3, circuit="house", vehicle="small", current_step_a=0.1, **values)
    circuit = CircuitConfig(name="house", power_max_w=watts)
    bench = Bench(site_config(place, circuits=(circuit,), vehicles=(SMALL,)))
    bench.box.status, bench.box.shows_currents = ChargerStatus.B, shows_currents
    return bench


@pytest.mark.rule("INV-2", "DEF-47", "PH-3")
@pytest.mark.parametrize("shows_currents", [True, False])
@pytest.mark.parametrize("cause", [Cause.INTERVAL, Cause.SAMPLE])
def test_vehicle_that_is_not_there_lends_no_limit_its_phases(shows_currents: bool, cause: Cause) -> None:
    bench = wrong_vehicle(shows_currents=shows_currents, watts=7000.0)
    for second in range(0, 100, 10):
        bench.at(second)
        assert bench.power(bench.box) <= 7000.0
    assert bench.box.offered_a == 10.1
    bench.operator = OperatorLimit(power_w=5000.0, expires_at=600 * S)
    bench.at(101, cause)
    assert bench.box.offered_a == 7.2
    assert bench.power(bench.box) <= 5000.0


@pytest.mark.rule("INV-2", "DEF-47", "PH-3")
@pytest.mark.parametrize("shows_currents", [True, False])
def test_vehicle_whose_phases_are_confirmed_has_the_limit_for_them(shows_currents: bool) -> None:
    bench = wrong_vehicle(shows_currents=shows_currents, watts=7000.0)
    bench.box.car_phases = 1
    offered = [(bench.at(second), bench.box.offered_a)[1] for second in range(0, 60, 10)]
    assert (offered[0], offered[-1]) == (10.1, 16.0)
    bench.box.status = ChargerStatus.A  # the next one may have as many as are connected
    bench.at(60)
    bench.box.status, bench.box.car_phases = ChargerStatus.B, 3
    bench.at(70)
    bench.at(80)
    assert bench.box.offered_a == 10.1


@pytest.mark.rule("INV-2", "DEF-47", "PH-3")
def test_phases_that_are_confirmed_outlive_a_restart() -> None:
    bench = wrong_vehicle(shows_currents=False, watts=7000.0)
    bench.box.car_phases = 1
    for second in range(0, 60, 10):
        bench.at(second)
    assert bench.box.offered_a == 16.0
    bench.site = Site.restore(bench.config, bench.site.export(now=bench.now), now=bench.now)
    bench.at(60, Cause.START)
    assert bench.box.offered_a == 16.0


@pytest.mark.rule("INV-2", "DEF-47", "PH-3")
def test_currents_on_more_phases_than_are_said_to_be_connected_count() -> None:
    place = loadpoint(mode=NOW, phases=1, circuit="house", current_step_a=0.1)
    bench = Bench(site_config(place, circuits=(CircuitConfig(name="house", power_max_w=7000.0),)))
    bench.box.status, bench.box.shows_currents, bench.box.phases = ChargerStatus.B, True, 3
    assert bench.at(0) == (SetCurrent(16.0), Enable())
    assert bench.box.offered_a == 10.1  # as soon as it draws


@pytest.mark.rule("INV-2", "DEF-47")
@pytest.mark.parametrize("where", ["station", "grid", "circuit"])
def test_limit_in_watts_counts_with_the_highest_voltage_that_is_measured(where: str) -> None:
    bench = house(loadpoint(mode=NOW, phases=3, current_step_a=0.1), uses_grid_meter=False, has_meter=True)
    shown: PhaseTriple = (238.0, 240.0, 400.0)  # the last is one between two phases

    def at(second: float, voltages: PhaseTriple | None) -> float:
        bench.t = second * S
        measured = ABSENT if voltages is None else Measured(voltages, bench.t)
        meter = MeterReading(power_w=Measured(0.0, bench.t), voltages_v=measured)
        if where == "station":
            bench.box.extra["voltages_v"] = ABSENT if voltages is None else Measured(voltages, bench.t)
        bench.grid = meter if where == "grid" else None
        bench.circuits = {"house": meter} if where == "circuit" else {}
        bench.operator = OperatorLimit(power_w=7000.0, expires_at=1000 * S)
        bench.step()
        return bench.box.offered_a

    assert at(0, None) == 10.1  # 7000 W at 230 V
    assert at(10, shown) == 9.7  # at 240 V
    assert at(20, (220.0, 220.0, 220.0)) == 9.7  # limits do not follow every load in the street
    assert at(290, (220.0, 220.0, 220.0)) == 9.7
    assert at(310, (220.0, 220.0, 220.0)) == 10.1  # lower than assumed is left out


@pytest.mark.rule("INV-2", "SITE-8")
def test_currents_are_worked_out_at_the_voltages_of_their_own_meter() -> None:
    bench = house(loadpoint(mode=NOW, phases=3, circuit="house", current_step_a=0.1))
    bench.grid = MeterReading(
        power_w=Measured(6600.0, bench.t),
        powers_w=Measured((2200.0, 2200.0, 2200.0), bench.t),
        voltages_v=Measured((220.0, 220.0, 220.0), bench.t),
    )
    assert bench.at(0) == (SetCurrent(10.0), Enable())


def silent(*, limit_w: float | None) -> Bench:
    """A station that was told 16 A on three phases, is silent, and may hear; ``limit_w`` comes after."""
    bench = Bench(site_config(loadpoint(mode=NOW, phases=3)))
    bench.box.status = ChargerStatus.B
    bench.at(0)
    bench.answers_at_once = False
    bench.box.status = None
    bench.at(10)
    if limit_w is not None:
        bench.operator = OperatorLimit(power_w=limit_w, expires_at=3600 * S)
    return bench


def told_blindly(bench: Bench, seconds: range, result: Result, cause: Cause) -> dict[int, tuple[Command, ...]]:
    """What a silent station is sent, and when; each batch ends like this a second later."""
    sent: dict[int, tuple[Command, ...]] = {}
    for second in seconds:
        commands = bench.at(second, cause)
        if commands:
            sent[second] = commands
            assert bench.decision is not None
            number = bench.decision.commands[0].number
            bench.outcomes.append(Outcome(0, number, result, len(commands) if result is Result.DONE else 0))
    return sent


@pytest.mark.rule("INV-2", "DEF-47")
@pytest.mark.parametrize("cause", [Cause.INTERVAL, Cause.SAMPLE])
@pytest.mark.parametrize(("limit_w", "lowered"), [(7000.0, SetCurrent(10.0)), (3000.0, Disable())])
def test_silent_charger_above_a_limit_is_told_in_case_it_hears(limit_w: float, lowered: Command, cause: Cause) -> None:
    sent = told_blindly(silent(limit_w=limit_w), range(20, 300), Result.UNKNOWN, cause)
    assert set(sent.values()) == {(lowered,)}
    assert list(sent) == [20, 30, 50, 90, 150, 210, 270]


@pytest.mark.rule("INV-2", "DEF-47")
@pytest.mark.parametrize("cause", [Cause.INTERVAL, Cause.SAMPLE])
def test_silent_charger_that_has_heard_is_told_once_and_never_raised(cause: Cause) -> None:
    bench = silent(limit_w=7000.0)
    assert told_blindly(bench, range(20, 100), Result.DONE, cause) == {20: (SetCurrent(10.0),)}
    bench.operator = None
    assert told_blindly(bench, range(100, 200), Result.DONE, cause) == {}
    assert bench.lp.reason.code is ReasonCode.CHARGER_SILENT


@pytest.mark.rule("INV-2", "DEF-47")
def test_silent_charger_within_its_limits_is_left_alone() -> None:
    assert told_blindly(silent(limit_w=None), range(20, 300), Result.DONE, Cause.INTERVAL) == {}
    assert told_blindly(silent(limit_w=12_000.0), range(20, 300), Result.DONE, Cause.INTERVAL) == {}


@pytest.mark.rule("INV-2", "DEF-47")
def test_charger_that_falls_silent_again_is_told_at_once() -> None:
    bench = silent(limit_w=3000.0)
    told_blindly(bench, range(20, 300), Result.UNKNOWN, Cause.INTERVAL)
    bench.box.status = ChargerStatus.C
    bench.operator = None
    bench.answers_at_once = True
    bench.at(310)
    bench.at(320)
    bench.box.status = None
    bench.answers_at_once = False
    bench.operator = OperatorLimit(power_w=3000.0, expires_at=3600 * S)
    assert list(told_blindly(bench, range(330, 345), Result.UNKNOWN, Cause.INTERVAL)) == [330, 340]


@pytest.mark.rule("INV-2", "SYN-2", "DEF-47")
@pytest.mark.parametrize("cause", [Cause.INTERVAL, Cause.SAMPLE])
def test_who_draws_more_than_it_was_told_counts_with_that_and_others_give_way(cause: Cause) -> None:
    lps = [loadpoint(mode=NOW, phases=3, circuit="house", priority=priority) for priority in (1, 0)]
    bench = house(*lps, uses_grid_meter=False, current_max_a=20.0)
    bench.boxes[1].status = ChargerStatus.A
    bench.at(0)
    assert bench.box.offered_a == 16.0
    bench.set("current_max_a", 8.0)
    bench.boxes[1].status = ChargerStatus.B
    bench.box.currents_a = (8.0, 8.0, 8.0)
    for second in (10, 20, 30):
        bench.at(second)
    assert [box.offered_a for box in bench.boxes] == [8.0, 12.0]
    bench.box.currents_a = (13.0, 13.0, 13.0)
    for second in (80, 90):
        bench.at(second)
    before = len(bench.sent)
    for second in range(91, 100):
        bench.at(second, cause)
    assert [box.offered_a for box in bench.boxes] == [8.0, 7.0]
    later = [command for commands in bench.sent[before:] for command in commands]
    assert all(isinstance(each, SetCurrent) and each.current_a <= 8.0 for each in later)
    assert len(later) <= 2
