"""A charger that cannot switch phases charges on those it has; it is asked again only after a while."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bench import Bench, loadpoint, site_config

from evcclib.commands import Batch, Command, Enable, Result, SwitchPhases
from evcclib.machines.charger import SWITCH_RETRY, SWITCH_TRIES
from evcclib.model import ChargeMode, ChargerStatus
from evcclib.readings import Measured
from evcclib.units import SECOND, Instant


def tick(bench: Bench) -> None:
    bench.at(bench.t / SECOND + 10 if bench.has_started else 0)


def _switches(bench: Bench) -> list[Command]:
    return [command for batch in bench.sent for command in batch if isinstance(command, SwitchPhases)]


@pytest.mark.parametrize(("mode", "phases"), [(ChargeMode.NOW, 0), (ChargeMode.MINPV, 1), (ChargeMode.PV, 3)])
@pytest.mark.rule("PH-8", "PH-11", "STR-10")
def test_a_stuck_relay_does_not_keep_the_car_from_charging(mode: ChargeMode, phases: int) -> None:
    bench = Bench(site_config(loadpoint(mode=mode, can_switch_phases=True, phases=phases), pv_count=1), grid_w=-9000.0)
    bench.box.status = ChargerStatus.B
    bench.box.result, bench.box.applied = Result.FAILED, 0
    for _ in range(SWITCH_TRIES):
        tick(bench)
    assert len(_switches(bench)) == SWITCH_TRIES
    bench.box.result, bench.box.applied = Result.DONE, None
    for _ in range(12):
        tick(bench)
    assert Enable() in [command for batch in bench.sent for command in batch]
    assert len(_switches(bench)) == SWITCH_TRIES


def test_it_is_asked_again_after_a_while() -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.NOW, can_switch_phases=True), pv_count=1))
    bench.box.status = ChargerStatus.B
    bench.box.result, bench.box.applied = Result.FAILED, 0
    for _ in range(SWITCH_TRIES):
        tick(bench)
    began = bench.t
    bench.box.result, bench.box.applied = Result.DONE, None
    while len(_switches(bench)) == SWITCH_TRIES:
        tick(bench)
        assert bench.t - began <= SWITCH_RETRY + 20 * SECOND
    assert bench.t - began >= SWITCH_RETRY
    assert bench.lp.charger.phases == 3
    assert bench.lp.charger.phases_refused_at is None


class WithoutRelay(Bench):
    """Refuses every switch of phases and does everything else."""

    def answer(self, index: int, batch: Batch) -> None:
        kinds = [type(command) for command in batch.commands]
        refuses = SwitchPhases in kinds
        self.box.result = Result.FAILED if refuses else Result.DONE
        self.box.applied = kinds.index(SwitchPhases) if refuses else None
        super().answer(index, batch)


@pytest.mark.rule("PH-7", "PH-11")
def test_who_can_never_switch_is_asked_ever_less_often() -> None:
    """Each try ends a charge: a station without a relay, whose phases are locked to three, lost one every five minutes."""
    bench = WithoutRelay(site_config(loadpoint(mode=ChargeMode.NOW, can_switch_phases=True, phases=3), pv_count=1))
    bench.box.status = ChargerStatus.B
    bench.box.extra = {"phases": Measured(1, Instant(timedelta(days=1)))}
    asked = [
        second for second in range(0, 4 * 3600, 10) if SwitchPhases in {type(command) for command in bench.at(second)}
    ]
    assert asked == [0, 10, 20, 320, 920, 2120, 4520, 8120, 11720]
    assert bench.box.is_enabled
