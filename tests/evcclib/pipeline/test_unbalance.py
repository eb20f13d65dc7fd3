"""The limit of the difference between phases, in the step."""

from __future__ import annotations

import pytest
from bench import Bench, S, loadpoint, site_config

from evcclib.commands import Disable, Enable, SetCurrent
from evcclib.config import CircuitConfig, LoadpointConfig
from evcclib.model import Cause, ChargeMode, ChargerStatus, PhaseTriple
from evcclib.readings import ABSENT, Measured, MeterReading, Missing
from evcclib.reasons import ReasonCode

NOW = ChargeMode.NOW


def single(**values: object) -> LoadpointConfig:
    """A loadpoint of one phase that could have 32 A."""
    return loadpoint(**{"mode": NOW, "phases": 1, "circuit": "house", "current_max_a": 32.0, **values})


def house(*loadpoints: LoadpointConfig, car_phases: int = 1, **values: object) -> Bench:
    values = {"unbalance_max_a": 20.0, "uses_grid_meter": True, **values}
    circuit = CircuitConfig(name="house", **values)  # type: ignore[arg-type]
    bench = Bench(site_config(*(loadpoints or (single(),)), circuits=(circuit,)))
    for box in bench.boxes:
        box.status, box.shows_currents, box.car_phases = ChargerStatus.B, True, car_phases
    return bench


def shown(bench: Bench, currents: PhaseTriple) -> MeterReading:
    return MeterReading(power_w=Measured(230.0 * sum(currents), bench.t), currents_a=Measured(currents, bench.t))


def flows(bench: Bench, house_a: PhaseTriple) -> PhaseTriple:
    """What the house takes and what the cars draw, on the grid phases."""
    flowing = list(house_a)
    for box, config in zip(bench.boxes, bench.config.loadpoints, strict=True):
        for phase, current in zip(config.phase_rotation, bench.currents(box), strict=True):
            flowing[phase - 1] += current
    return (flowing[0], flowing[1], flowing[2])


def tick(bench: Bench, second: float, house_a: PhaseTriple, cause: Cause | None = None) -> tuple[object, ...]:
    bench.t = second * S
    bench.grid = shown(bench, flows(bench, house_a))
    return bench.step(cause)


@pytest.mark.rule("CIR-1", "INV-2")
def test_single_phase_car_is_lowered_at_once_then_stopped_and_the_reason_names_the_limit() -> None:
    bench = house()
    assert tick(bench, 0, (2.0, 4.0, 3.0)) == (SetCurrent(21.0), Enable())  # 3 A flow on the other phases at least
    assert (bench.lp.reason.code, bench.lp.reason.limit) == (ReasonCode.MODE_NOW, "house (unbalance)")
    assert tick(bench, 60, (8.0, 4.0, 3.0)) == (SetCurrent(15.0),)
    assert tick(bench, 63, (12.0, 4.0, 3.0), Cause.SAMPLE) == (SetCurrent(11.0),)
    assert tick(bench, 66, (18.0, 4.0, 3.0), Cause.SAMPLE) == (Disable(),)
    assert (bench.lp.reason.code, bench.lp.reason.limit) == (ReasonCode.LIMITED, "house (unbalance)")


@pytest.mark.rule("CIR-1", "INV-2")
@pytest.mark.parametrize(("rotation", "left_a"), [((1, 2, 3), 15.0), ((2, 3, 1), 25.0), ((3, 1, 2), 20.0)])
def test_phase_counts_that_the_car_is_connected_to(rotation: tuple[int, int, int], left_a: float) -> None:
    bench = house(single(phase_rotation=rotation))
    tick(bench, 0, (10.0, 5.0, 5.0) if rotation[0] != 2 else (10.0, 5.0, 10.0))
    assert bench.box.offered_a == left_a


@pytest.mark.rule("CIR-1", "DEF-47", "PH-3")
@pytest.mark.parametrize("has_currents", [True, False])
def test_car_counts_as_one_of_one_phase_until_what_flows_proves_three(has_currents: bool) -> None:
    bench = house(loadpoint(mode=NOW, phases=3, circuit="house"), car_phases=3)
    bench.box.shows_currents = has_currents
    tick(bench, 0, (9.0, 2.0, 2.0))
    assert bench.box.offered_a == 13.0
    for second in (10, 20):
        tick(bench, second, (9.0, 2.0, 2.0))
    assert bench.box.offered_a == 16.0
    tick(bench, 30, (29.0, 2.0, 2.0))
    assert bench.box.offered_a == 16.0  # what it takes changes nothing


@pytest.mark.rule("CIR-1", "INV-2")
def test_cars_on_one_phase_share_the_difference_and_others_do_not_mind() -> None:
    bench = house(single(), single(), single(phase_rotation=(3, 1, 2)))
    for second in (0, 10, 20):
        tick(bench, second, (0.0, 0.0, 0.0))
    assert [box.offered_a for box in bench.boxes] == [14.0, 6.0, 20.0]


@pytest.mark.rule("CIR-1", "DEF-47", "DEF-48")
def test_meter_that_is_silent_proves_no_difference() -> None:
    bench = house(safe_current_a=6.0)
    tick(bench, 0, (0.0, 0.0, 0.0))
    assert bench.box.offered_a == 20.0
    for second in range(10, 50, 10):
        bench.t = second * S
        bench.grid = MeterReading(power_w=Missing(bench.t), currents_a=Missing(bench.t))
        bench.step()
    assert bench.box.offered_a == 6.0


@pytest.mark.rule("CIR-1", "DEF-47", "DEF-48")
def test_meter_whose_phases_cannot_be_read_is_none_that_shows_no_phases() -> None:
    bench = house(safe_current_a=6.0)
    bench.grid = MeterReading(power_w=Measured(0.0, bench.t), currents_a=Missing(bench.t))
    bench.step()
    assert bench.box.offered_a == 6.0
    bench = house(safe_current_a=6.0)
    bench.grid = MeterReading(power_w=Measured(5000.0, bench.t), currents_a=ABSENT)
    bench.step()
    assert bench.box.offered_a == 20.0  # the loadpoints' own difference counts


@pytest.mark.rule("CIR-1", "INV-2", "MEA-2")
def test_what_nobody_measures_may_be_drawn_on_one_phase_alone() -> None:
    """The first station has no meter: of the 12 A on L1 nobody knows whose they are, and a second car on L1 gets what is sure."""
    bench = house(loadpoint(mode=NOW, phases=3, circuit="house", has_power=False, current_max_a=12.0), single())
    bench.box.extra = {"power_w": ABSENT, "currents_a": ABSENT}
    for second in range(0, 120, 10):
        tick(bench, second, (0.0, 0.0, 0.0))
    assert sum(box.offered_a for box in bench.boxes) <= 20.0
