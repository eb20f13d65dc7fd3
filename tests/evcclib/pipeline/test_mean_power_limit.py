"""A circuit's limit of the mean power, in the step."""

from __future__ import annotations

import json

import pytest
from bench import NOON, Bench, S, loadpoint, site_config

from evcclib import Site
from evcclib.commands import Disable, SetCurrent
from evcclib.config import CircuitConfig
from evcclib.errors import InvalidConfig
from evcclib.model import Cause, ChargeMode, ChargerStatus, Now
from evcclib.readings import MeterReading, Missing
from evcclib.reasons import ReasonCode

QUARTER_END = NOON + 900 * S


def house(*, mean_w: float = 5000.0, seconds: float = 0.0, **values: object) -> Bench:
    circuit = CircuitConfig(name="house", mean_power_max_w=mean_w, uses_grid_meter=True, **values)  # type: ignore[arg-type]
    place = loadpoint(mode=ChargeMode.NOW, phases=3, circuit="house", current_step_a=0.001)
    bench = Bench(site_config(place, circuits=(circuit,)), seconds=seconds)
    bench.box.status, bench.box.shows_currents = ChargerStatus.B, True
    return bench


def live(bench: Bench, until: float, house_w: float, every: float = 10.0) -> float:
    """Let it run; returns what was bought meanwhile [Wh]."""
    bought_wh = 0.0
    while bench.t < until * S:
        bench.grid_w = house_w + bench.power(bench.box)
        bench.step()
        bought_wh += max(house_w + bench.power(bench.box), 0.0) * every / 3600
        bench.t += every * S
    return bought_wh


@pytest.mark.rule("CIR-2")
def test_car_gets_what_the_house_leaves_of_the_mean_all_the_time() -> None:
    bench = house()
    assert live(bench, 300, 400.0) / 300 * 3600 == pytest.approx(4850.0, rel=0.01)
    told = len(bench.sent)
    assert live(bench, 900, 400.0) / 600 * 3600 == pytest.approx(4850.0, rel=0.01)
    assert len(bench.sent) - told <= 3  # to the end, without a burst
    assert (bench.lp.reason.limit, bench.lp.reason.until_utc) == ("house (mean power)", QUARTER_END)


@pytest.mark.rule("CIR-2", "INV-2")
def test_what_the_house_takes_more_is_made_up_for_by_lowering_then_by_stopping() -> None:
    bench = house(mean_w=7000.0)
    bought_wh = live(bench, 450, 400.0)
    before_a = bench.box.offered_a
    bought_wh += live(bench, 600, 1800.0)
    assert 6.0 <= bench.box.offered_a < before_a - 1.0
    bought_wh += live(bench, 900, 6000.0)
    assert bench.sent[-1] == (Disable(),)
    assert bench.lp.reason.code in (ReasonCode.LIMITED, ReasonCode.GUARD)
    assert 1600.0 < bought_wh <= 1750.0


@pytest.mark.rule("CIR-2", "INV-2")
def test_reason_of_a_stop_says_until_when() -> None:
    bench = house()
    live(bench, 600, 400.0)
    bench.grid_w = 9000.0 + bench.power(bench.box)
    bench.step(Cause.SAMPLE)
    assert (bench.lp.reason.code, bench.lp.reason.limit) == (ReasonCode.LIMITED, "house (mean power)")
    assert bench.lp.reason.until_utc == QUARTER_END


@pytest.mark.rule("CIR-2")
def test_next_window_begins_with_all_of_it() -> None:
    bench = house()
    live(bench, 900, 5200.0)
    assert not bench.box.is_enabled
    live(bench, 930, 0.0)
    assert bench.box.is_enabled
    assert bench.box.offered_a * 690 == pytest.approx(4850.0, rel=0.01)


@pytest.mark.rule("CIR-2", "DEF-47")
def test_meter_that_is_silent_leaves_the_safe_current_and_has_saved_nothing() -> None:
    bench = house(safe_current_a=6.0)
    live(bench, 60, 4000.0)
    for second in range(60, 600, 10):
        bench.t = second * S
        bench.grid = MeterReading(power_w=Missing(bench.t))
        bench.step()
    assert bench.box.offered_a in (0.0, 6.0)
    bench.grid = None
    bought = live(bench, 900, 0.0)
    assert bench.site.state.bought["house"].bought_wh >= 5000.0 * 540 / 3600 + bought - 20
    assert bench.box.offered_a * 690 <= 5000.0


@pytest.mark.rule("CIR-2", "SITE-22")
def test_restart_goes_on_with_what_was_bought() -> None:
    bench = house()
    live(bench, 450, 4000.0)
    before = bench.site.state.bought["house"]
    plain = json.loads(json.dumps(bench.site.export(now=bench.now)))
    again = Site.restore(bench.config, plain, now=Now(1000 * S, bench.now.utc))
    assert again.state.bought["house"] == before._replace(at=1000 * S - 10 * S)
    elsewhere = site_config(*bench.config.loadpoints, circuits=(CircuitConfig(name="house", current_max_a=20.0),))
    assert Site.restore(elsewhere, plain, now=bench.now).state.bought == {}


@pytest.mark.rule("CIR-2")
def test_late_start_counts_what_nobody_has_seen_as_the_limit() -> None:
    bench = house(seconds=600)
    live(bench, 630, 0.0)
    assert bench.box.offered_a * 690 <= 5000.0


@pytest.mark.rule("CIR-2")
def test_hour_is_a_window_too() -> None:
    bench = house(mean_window=3600 * S)
    live(bench, 1800, 9000.0)
    assert not bench.box.is_enabled
    assert live(bench, 3600, 200.0) < 600.0  # 500 Wh were left of 5 kWh


@pytest.mark.rule("CIR-2")
def test_small_excess_between_two_ticks_is_left_to_the_tick() -> None:
    bench = house()
    live(bench, 300, 400.0)
    bench.grid_w = 480.0 + bench.power(bench.box)
    assert bench.step(Cause.SAMPLE) == ()
    assert isinstance(bench.step()[0], SetCurrent)


@pytest.mark.rule("CIR-2")
def test_mean_needs_a_meter_and_a_window_of_the_clock() -> None:
    with pytest.raises(
        InvalidConfig, match=r"mean_power_max_w: 1\.0 is not allowed, expected None where there is no meter"
    ):
        Bench(site_config(circuits=(CircuitConfig(name="house", mean_power_max_w=1.0),)))
    with pytest.raises(InvalidConfig, match="mean_window: 1200 s is not allowed, expected 15, 30 or 60 minutes"):
        house(mean_window=1200 * S)
