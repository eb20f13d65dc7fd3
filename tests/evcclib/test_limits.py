"""Circuits and the grid operator, in the step."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench import Bench, S, loadpoint, run, site_config

from evcclib.commands import Disable, Enable, Outcome, Result, SetCurrent, SwitchPhases
from evcclib.config import CircuitConfig
from evcclib.events import Warned, WarningCode
from evcclib.model import Cause, ChargeMode, ChargerStatus, PhaseTriple
from evcclib.readings import ABSENT, Measured, MeterReading, Missing, OperatorLimit
from evcclib.reasons import ReasonCode

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
    assert bench.step(Cause.OVERLOAD) == (Disable(),)
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
    assert bench.step(Cause.OVERLOAD) == (Disable(),)
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
    bench.t = 10 * S
    bench.box.extra = {"phases": Measured(1, 10 * S)}
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
    bench.at(12, Cause.OVERLOAD)
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
