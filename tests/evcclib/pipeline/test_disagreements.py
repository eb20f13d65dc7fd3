"""What a charger reports against what it was told last: nothing is decided from it, and little is said again."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from bench import Bench, S, loadpoint, run, site_config
from loadpoint_bench import NOW, OFF, PV, B, C, bench

from evcclib.commands import Command, Disable, Enable, SetCurrent, SwitchPhases
from evcclib.config import CircuitConfig
from evcclib.events import Warned, WarningCode
from evcclib.model import Cause
from evcclib.readings import Measured, MeterReading, OperatorLimit
from evcclib.reasons import Reason, ReasonCode
from evcclib.site import Site

FOREVER: Any = timedelta(days=365)
LONG = range(0, 7200, 10)


def said(sent: dict[float, tuple[Command, ...]], kind: type[Command]) -> list[float]:
    return [second for second, commands in sent.items() if kind in map(type, commands)]


@pytest.mark.rule("SYN-2", "SYN-4", "PVT-4")
def test_a_report_that_lies_restarts_nothing_that_the_sun_s_law_waits_for() -> None:
    site = bench(PV)
    site.box.extra = {"is_enabled": Measured(False, FOREVER)}
    sent = run(site, range(0, 1800, 10), sun_w=8000.0)
    assert said(sent, Enable) == [0, 60, 360, 960]
    assert site.lp.reason == Reason(ReasonCode.SURPLUS, {"read_back": "enabled"})
    dark = run(site, range(1800, 7200, 10), sun_w=0.0)
    assert said(dark, Disable) == [1980]
    assert not said(dark, Enable)
    assert site.found(Warned).count(Warned(WarningCode.CHARGER_OUT_OF_SYNC, 0)) == 1


@pytest.mark.rule("SYN-2", "LIM-5")
def test_what_is_said_again_touches_neither_guard_nor_timers() -> None:
    site = bench(PV)
    site.box.extra = {"is_enabled": Measured(False, FOREVER)}
    run(site, range(0, 50, 10), sun_w=8000.0)
    guard, memory = site.lp.charger.guard, site.lp.memory
    sent = run(site, range(50, 400, 10), sun_w=8000.0)
    assert said(sent, Enable) == [60, 360]
    assert (site.lp.charger.guard, site.lp.memory.scaling) == (guard, memory.scaling)


@pytest.mark.rule("SYN-3", "LIM-8")
def test_a_charger_that_seems_off_is_left_alone_while_its_law_only_waits_for_the_stop() -> None:
    site = bench(PV)
    run(site, range(0, 100, 10), sun_w=8000.0)
    site.box.is_enabled, site.box.status = False, B
    assert not run(site, range(100, 270, 10), sun_w=0.0)
    assert site.lp.reason.code is ReasonCode.READ_BACK_DISAGREES
    assert site.lp.reason.params == {"read_back": "enabled", "wanted": "surplus_wait_disable"}
    assert said(run(site, range(270, 310, 10), sun_w=0.0), Disable) == [300]  # after its guard
    assert site.lp.reason.code is ReasonCode.SURPLUS_MISSING


@pytest.mark.rule("SYN-3", "INV-2")
@pytest.mark.parametrize("cause", [Cause.INTERVAL, Cause.SAMPLE])
def test_a_charger_that_seems_off_cannot_be_offered_less_so_a_limit_ends_it(cause: Cause) -> None:
    site = bench(PV)
    run(site, range(0, 100, 10), sun_w=12_000.0)
    site.box.is_enabled, site.box.status = False, B
    run(site, range(100, 130, 10), sun_w=0.0)
    assert site.lp.charger.seems_off and site.lp.charger.committed_a(16.0) == 16.0
    site.operator = OperatorLimit(power_w=5000.0, expires_at=FOREVER)
    site.grid_w = 0.0
    assert site.at(130, cause) == (Disable(),)
    assert site.lp.charger.committed_a(16.0) == 0.0


@pytest.mark.rule("SYN-3", "INV-2")
def test_who_charges_against_orders_counts_where_limits_are_added_up() -> None:
    house = CircuitConfig(name="house", current_max_a=20.0, uses_grid_meter=True)
    lps = [loadpoint(mode=mode, phases=3, circuit="house") for mode in (OFF, NOW)]
    site = Bench(site_config(*lps, circuits=(house,)))
    unasked, other = site.boxes
    unasked.currents_a, unasked.power_w, unasked.status, unasked.starts = (12.0, 12.0, 12.0), 8280.0, C, False
    unasked.is_enabled = True
    other.status, other.shows_currents = B, True
    for second in range(0, 600, 10):
        unasked.is_enabled = True  # whatever it is told
        used_a = 12.0 + (other.offered_a if other.is_enabled else 0.0)
        site.grid = MeterReading(
            power_w=Measured(used_a * 690, second * S), currents_a=Measured((used_a,) * 3, second * S)
        )
        site.at(second)
        if second >= 120:
            assert site.lp.charger.runs_unasked
            assert used_a <= 20.0
    assert site.lp.reason.code is ReasonCode.READ_BACK_DISAGREES
    assert other.is_enabled and other.offered_a == 8.0


@pytest.mark.rule("PH-9", "SYN-2", "PH-11")
@pytest.mark.parametrize("shows_currents", [True, False])
def test_phases_that_read_wrong_do_not_make_a_locked_loadpoint_switch_for_ever(shows_currents: bool) -> None:
    site = bench(NOW, can_switch_phases=True, phases=1)
    site.box.shows_currents = shows_currents
    site.box.phases = 3
    site.box.extra = {"phases": Measured(3, FOREVER)}
    sent = run(site, LONG)
    switches = said(sent, SwitchPhases)
    assert switches[0] == 0
    again = [] if shows_currents else [360, 660, 1260, 2460, 4860]  # nothing speaks against the report
    assert switches == [0, *again]
    assert site.box.is_enabled and site.box.phases == 1
    assert site.lp.reason.params == {"read_back": "phases"}


@pytest.mark.rule("PH-9", "PH-7", "SYN-3")
def test_a_switch_of_phases_that_is_acknowledged_and_ignored_is_tried_ever_less_often() -> None:
    site = bench(NOW, can_switch_phases=True, phases=1)
    site.box.shows_currents = True
    sent: list[float] = []
    for second in LONG:
        site.box.phases = 3
        site.box.extra = {"phases": Measured(3, second * S)}
        if SwitchPhases(1) in site.at(second):
            sent.append(second)
    assert len(sent) <= 7
    assert site.box.is_enabled  # it charges on those it has


@pytest.mark.rule("CUT-6", "SYN-2")
def test_how_often_it_was_said_survives_a_restart() -> None:
    site = bench(PV)
    site.box.extra = {"is_enabled": Measured(False, FOREVER)}
    run(site, range(0, 400, 10), sun_w=8000.0)
    before = site.lp.charger.enabled_disagreement
    exported = json.loads(json.dumps(site.site.export(now=site.now)))
    site.site = Site.restore(site.config, exported, now=site.now)
    assert site.lp.charger.enabled_disagreement == before
    assert said(run(site, range(400, 1800, 10), sun_w=8000.0), Enable) == [960]


@pytest.mark.rule("SITE-1", "SYN-2")
def test_the_next_repetition_is_a_reason_to_come_back() -> None:
    site = bench(NOW)
    site.box.extra = {"is_enabled": Measured(False, FOREVER)}
    run(site, range(0, 70, 10))
    assert site.lp.charger.enabled_disagreement is not None
    run(site, range(70, 330, 10))
    assert site.decision is not None
    assert site.decision.wake_renewed_at == 360 * S
    assert said(run(site, [360]), Enable) == [360]


@pytest.mark.rule("PV-2", "SYN-3")
@pytest.mark.parametrize("has_power", [True, False])
def test_a_status_that_lies_starts_nothing_without_sun(has_power: bool) -> None:
    """With 6 A that nobody draws added to it, any surplus would have been enough."""
    site = bench(PV, has_power=has_power)
    site.box.extra = {"status": Measured(C, FOREVER)}
    site.box.starts, site.box.power_w = False, 0.0
    sent = run(site, LONG, sun_w=1000.0)
    assert not said(sent, Enable) and not said(sent, SetCurrent)
    assert len(said(sent, Disable)) <= 7


@pytest.mark.rule("PV-2", "SYN-3")
def test_a_status_that_never_says_charging_keeps_nobody_from_following() -> None:
    site = bench(PV)
    site.box.status, site.box.starts, site.box.shows_currents = C, False, True
    site.box.extra = {"status": Measured(B, FOREVER)}
    sent = run(site, range(0, 1800, 10), sun_w=6900.0)
    assert said(sent, Enable) == [0] and not said(sent, Disable)
    assert site.lp.charger.current_a == 10.0


@pytest.mark.rule("SYN-4")
@pytest.mark.parametrize(("offered_a", "told"), [(6.0, (SetCurrent(16.0),)), (15.6, ())])
def test_station_that_comes_back_with_less_is_told_again(offered_a: float, told: tuple[Command, ...]) -> None:
    site = Bench(site_config(loadpoint(mode=NOW, phases=3)))
    site.box.status = B
    for second in range(0, 140, 10):
        site.box.status = site.box.status if second < 70 else None
        site.at(second)
    site.box.status = C
    site.box.extra = {"current_offered_a": Measured(offered_a, 140 * S)}
    assert site.at(140) == told
    assert [site.at(second) for second in range(150, 300, 10)] == [()] * 15
