"""What read-backs tell of a station's step."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest
from bench import Bench, S, loadpoint, site_config

from evcclib.config import CircuitConfig
from evcclib.machines.rounding import UNKNOWN, Rounding, hear
from evcclib.model import ChargeMode, ChargerStatus, Now
from evcclib.readings import Measured
from evcclib.site import Site
from evcclib.units import ORIGIN


def told(state: Rounding, told_a: float, shown_a: float, at_s: int, *, configured_a: float = 0.001) -> Rounding:
    return hear(state, told_a=told_a, shown_a=shown_a, told_at=at_s * S, is_settled=False, configured_a=configured_a)


def after(*pairs: tuple[float, float], configured_a: float = 0.001) -> Rounding:
    state = UNKNOWN
    for number, (told_a, shown_a) in enumerate(pairs):
        state = told(state, told_a, shown_a, number * 10, configured_a=configured_a)
    return state


@pytest.mark.rule("LIM-2")
@pytest.mark.parametrize("step_a", [2.0, 1.0, 0.6, 0.5, 0.2, 0.1])
@pytest.mark.parametrize("how", [math.floor, math.ceil, lambda steps: math.floor(steps + 0.5)])
def test_step_is_learned_however_it_rounds(step_a: float, how: Callable[[float], int]) -> None:
    currents = [8.437, 9.319, 7.213, 10.871, 12.143, 6.459, 11.667, 9.943]
    assert after(*((a, how(a / step_a) * step_a) for a in currents)).step_a == step_a


@pytest.mark.rule("LIM-2")
def test_station_that_does_what_it_is_told_has_no_other_step() -> None:
    assert after((8.43, 8.43), (9.0, 9.0), (9.31, 9.31), (16.0, 16.0), (6.0, 6.0)).step_a == 0
    assert after((8.4, 8.0), (9.3, 9.0), (7.8, 7.0), configured_a=1.0).step_a == 0
    assert after((8.4, 8.25), (9.3, 9.25), (7.8, 7.75), (7.4, 7.25), configured_a=0.1).step_a == 0


@pytest.mark.rule("LIM-2")
def test_current_above_what_was_told_is_learned_from_at_once_and_one_below_is_not() -> None:
    assert after((8.4, 9.0)).step_a == 1.0
    assert after((8.6, 9.0)).step_a == 0.5
    assert after((8.6, 9.0), (8.5, 9.0), (8.4, 8.0)).step_a == 1.0
    assert after((8.6, 8.0)).step_a == 0


@pytest.mark.rule("LIM-2", "SYN-2")
def test_read_back_that_is_no_multiple_ends_it_and_one_that_is_far_off_tells_nothing() -> None:
    known = after((7.9, 7.0), (8.8, 8.0), (8.3, 8.0))
    assert known.step_a == 1
    assert told(known, 9.0, 9.0, 100).step_a == 1
    assert told(known, 9.0, 8.43, 100).step_a == 0
    assert told(known, 15.0, 10.0, 100) is known
    assert told(known, 9.0, 16.0, 100) is known
    lies = hear(known, told_a=9.0, shown_a=16.0, told_at=100 * S, is_settled=True, configured_a=0.001)
    assert lies.step_a == 0
    assert after((15.2, 14.0), (9.3, 14.0), (14.4, 14.0), (14.7, 14.0)).step_a == 0  # it always shows the same
    same = told(known, 9.0, 9.0, 100)
    assert told(same, 9.0, 9.0, 100) is same


def rounding_up(bench: Bench) -> None:
    """The station offers the next whole ampere and says so."""
    charger = bench.lp.charger
    if charger.current_a is not None:
        bench.box.extra = {"current_offered_a": Measured(float(math.ceil(charger.current_a)), bench.now.instant)}


@pytest.mark.rule("LIM-2", "CUT-6")
def test_limit_holds_with_a_station_that_rounds_up_also_after_a_restart() -> None:
    config = site_config(
        loadpoint(mode=ChargeMode.NOW, current_step_a=0.001, circuit="main"),
        circuits=(CircuitConfig(name="main", current_max_a=8.4),),
    )
    bench = Bench(config)
    bench.box.status = ChargerStatus.C
    for second in range(0, 60, 10):
        bench.at(second)
        rounding_up(bench)
    assert bench.lp.charger.current_a == 8.0
    plain = json.loads(json.dumps(bench.site.export(now=bench.now)))
    there = Site.restore(config, plain, now=Now(ORIGIN, bench.now.utc))
    known = there.state.loadpoints[0].charger.rounding
    assert known.step_a > 0
    assert known == bench.lp.charger.rounding._replace(told_at=known.told_at)
    assert known.told_at is not None and bench.lp.charger.rounding.told_at is not None
    assert known.told_at == bench.lp.charger.rounding.told_at - bench.now.instant
