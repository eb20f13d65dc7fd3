"""A home battery below a circuit: as its load, as its source, and who gives way to whom."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bench import NOON, Bench, S, loadpoint, site_config

from evcclib.commands import BatteryMode
from evcclib.config import BatteryConfig, CircuitConfig
from evcclib.errors import InvalidConfig
from evcclib.model import Cause, ChargeMode, ChargerStatus, PhaseTriple, TariffKind
from evcclib.readings import Measured, MeterReading, Missing
from evcclib.reasons import BatteryCode, ReasonCode
from evcclib.requests import ChangeSiteSetting
from evcclib.tariff import Rate, Rates

NORMAL, CHARGE = BatteryMode.NORMAL, BatteryMode.CHARGE
CHEAP = Rates((Rate(NOON - timedelta(hours=1), NOON + timedelta(hours=24), 0.1),), "EUR")
HOUSE = {"current_max_a": 25.0, "uses_grid_meter": True, "safe_current_a": 6.0}


class Home(Bench):
    """A car, a house, and a battery of 3 x 10 A that does what it is told at once."""

    def __init__(self, *circuits: CircuitConfig, mode: ChargeMode = ChargeMode.NOW, **battery: object) -> None:
        own = {"circuit": "house", "phases": 3, "charge_power_w": 6900.0, "modes": frozenset(BatteryMode), **battery}
        super().__init__(
            site_config(
                loadpoint(mode=mode, phases=3, circuit=circuits[0].name),
                circuits=circuits,
                batteries=(BatteryConfig(capacity_kwh=10, **own),),  # type: ignore[arg-type]
            )
        )
        self.box.shows_currents = True
        if own["modes"]:
            self.submit(ChangeSiteSetting("battery_grid_charge_limit", 0.1))
        self.tariffs = {TariffKind.GRID: CHEAP}
        self.gives_a = 0.0  # the battery, while it is in normal mode

    @property
    def mode(self) -> BatteryMode:
        return self.told[-1].mode if self.told else NORMAL

    def live(self, second: float, house_a: float, cause: Cause | None = None) -> None:
        self.t = second * S
        given_a = -10.0 if self.mode is CHARGE else self.gives_a
        self.battery = [(690.0 * given_a, 50.0)]
        flowing_a: PhaseTriple = tuple(house_a - given_a + own for own in self.currents(self.box))  # type: ignore[assignment]
        self.grid = MeterReading(
            power_w=Measured(230.0 * sum(flowing_a), self.t), currents_a=Measured(flowing_a, self.t)
        )
        self.step(cause)

    def until(self, second: float, house_a: float) -> None:
        while self.t < second * S:
            self.live(self.t / S + 10, house_a)


def home(**battery: object) -> Home:
    return Home(CircuitConfig(name="house", **HOUSE), **battery)  # type: ignore[arg-type]


def plugged(bench: Home) -> Home:
    bench.box.status = ChargerStatus.B
    return bench


@pytest.mark.rule("CIR-3")
def test_what_a_battery_gives_is_nothing_to_count_on() -> None:
    bench = plugged(home(modes=frozenset()))
    bench.gives_a = 8.0
    bench.until(60, 15.0)  # the meter shows 7 A for the house
    assert bench.box.offered_a == 10.0
    bench.live(70, 18.0)
    assert bench.box.offered_a == 7.0  # nor for one that charges already
    alone = plugged(home(modes=frozenset(), circuit=None))
    alone.gives_a = 8.0
    alone.until(60, 15.0)
    assert alone.box.offered_a == 16.0


@pytest.mark.rule("CIR-3", "DEF-47")
def test_battery_of_unknown_phases_may_be_on_any_one() -> None:
    bench = plugged(home(modes=frozenset(), phases=0))
    bench.gives_a = 4.0
    bench.until(60, 15.0)
    assert bench.box.offered_a == 0.0  # 12 A of one phase may be the battery's: 11 + 12 + 6 A are too much
    bench.gives_a = 1.0
    bench.until(600, 15.0)
    assert bench.box.offered_a == 8.0


@pytest.mark.rule("CIR-3")
def test_battery_that_a_circuit_has_no_meter_for_is_its_load() -> None:
    bench = plugged(Home(CircuitConfig(name="house", power_max_w=13_800.0), modes=frozenset()))
    bench.gives_a = -9.0
    bench.until(60, 0.0)
    assert bench.box.offered_a == 11.0
    bench.gives_a = 9.0
    bench.until(120, 0.0)
    assert bench.box.offered_a == 16.0  # it makes no room there
    for second in range(130, 200, 10):
        bench.t = second * S
        bench.battery = [(None, None)]
        bench.step()
    assert not bench.box.is_enabled  # nobody knows: the safe current


@pytest.mark.rule("CIR-3", "BAT-2")
def test_battery_gives_way_before_a_limit_holds_a_car_down_and_comes_back_when_there_is_room() -> None:
    bench = home()
    bench.until(60, 2.0)
    assert bench.mode is CHARGE
    plugged(bench).until(100, 2.0)  # 2 + 10 + 13 A
    assert bench.mode is NORMAL
    reason = bench.site.view(now=bench.now).batteries[0].mode_reason
    assert (reason.code, reason.params) == (BatteryCode.LIMITED, {"limit": "house"})
    bench.until(600, 2.0)
    assert (bench.mode, bench.box.offered_a) == (NORMAL, 16.0)
    bench.box.status = ChargerStatus.A
    bench.until(900, 2.0)
    assert bench.mode is CHARGE


@pytest.mark.rule("CIR-3", "INV-2")
def test_battery_that_comes_first_makes_cars_give_way_and_stays() -> None:
    bench = plugged(home(charges_before_cars=True))
    bench.tariffs = {}
    bench.until(60, 2.0)
    assert (bench.mode, bench.box.offered_a) == (NORMAL, 16.0)
    bench.tariffs = {TariffKind.GRID: CHEAP}
    bench.until(100, 2.0)
    assert (bench.mode, bench.box.offered_a) == (CHARGE, 13.0)  # told after the car has been
    bench.until(200, 12.0)
    assert (bench.mode, bench.box.is_enabled) == (CHARGE, False)
    bench.until(240, 16.0)
    assert bench.mode is NORMAL  # no car is left to give way


@pytest.mark.rule("CIR-3")
@pytest.mark.parametrize("first", [False, True])
def test_no_battery_charges_beyond_a_limit_or_below_one_that_cannot_be_proven(first: bool) -> None:
    bench = home(charges_before_cars=first)
    bench.until(100, 16.0)
    assert bench.told == []
    bench.until(300, 14.0)
    assert bench.mode is CHARGE
    for second in range(310, 360, 10):
        bench.t = second * S
        bench.grid = MeterReading(power_w=Missing(bench.t), currents_a=Missing(bench.t))
        bench.step()
    assert bench.mode is NORMAL


@pytest.mark.rule("CIR-3")
def test_car_that_a_limit_has_stopped_is_thought_of_before_a_battery_begins() -> None:
    bench = plugged(home())
    bench.tariffs = {}
    bench.until(60, 2.0)
    bench.live(63, 22.0, Cause.SAMPLE)
    assert not bench.box.is_enabled
    bench.tariffs = {TariffKind.GRID: CHEAP}
    bench.until(200, 10.0)  # 10 + 10 A fit, but not with 6 A more
    assert (bench.mode, bench.lp.reason.code) == (NORMAL, ReasonCode.GUARD)
    bench.until(230, 8.0)
    assert bench.mode is CHARGE


@pytest.mark.rule("CIR-3")
def test_battery_counts_in_all_circuits_above_it_and_in_no_other() -> None:
    tree = (
        CircuitConfig(name="garage", current_max_a=16.0),
        CircuitConfig(name="house", **HOUSE),  # type: ignore[arg-type]
        CircuitConfig(name="cellar", parent="house", current_max_a=9.0),
    )
    bench = Home(*tree, circuit="cellar", mode=ChargeMode.OFF)
    bench.until(60, 0.0)
    assert bench.told == []  # 10 A are too much for the cellar, where nothing else is
    bench = Home(*tree, circuit="house")
    plugged(bench).until(60, -2.0)
    assert (bench.mode, bench.box.offered_a) == (CHARGE, 16.0)  # the garage is not below the house, but in its meter


@pytest.mark.rule("CIR-3")
@pytest.mark.parametrize(
    ("battery", "complaint"),
    [
        ({"circuit": "shed"}, "circuit: 'shed' is not allowed, expected one of house"),
        ({"charge_power_w": None}, "charge_power_w: None is not allowed, expected a number where"),
        ({"phases": 1}, "phases: 1 is not allowed, expected 0 or 3"),
    ],
)
def test_battery_must_fit_the_tree(battery: dict[str, object], complaint: str) -> None:
    with pytest.raises(InvalidConfig) as refused:
        home(**battery)
    assert f"batteries[0].{complaint}" in str(refused.value)
