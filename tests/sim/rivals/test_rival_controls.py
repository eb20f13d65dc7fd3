"""Other systems at the simulator's door: by name, at their own pace, with what they can see, and only where their model holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from evcc_sim.commands import cli
from evcc_sim.inprocess import simulate
from evcc_sim.rivals.door import Look, RivalControl, Told
from evcc_sim.rivals.evcc import control as evcc
from evcc_sim.runs.controls import NAMED, control_of, name_of
from evcc_sim.worlds.scenario import InvalidScenario
from evcc_sim.worlds.site_config import site_config
from evcc_sim.worlds.variants import resolve
from evcclib.commands import Command, Disable, Enable, Outcome, Result, SetCurrent, SwitchPhases
from evcclib.model import Cause, ChargeMode, ChargerStatus, Now
from evcclib.readings import ChargerReading, Measured, MeterReading, Readings
from evcclib.reasons import ReasonCode
from evcclib.requests import ChangeLoadpointSetting
from evcclib.units import Instant

PACE = {"evcc": 10, "openwb": 10, "smartevse": 2, "openems": 1}
SWITCHES = "charger.0.box.can_switch_phases=true"


@pytest.mark.parametrize("name", NAMED)
def test_each_follows_the_sun_by_its_short_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert name_of(control_of(name)) == name
    changes = [f"site.interval_s={PACE[name]}", SWITCHES, "hours=11"]
    options = [word for change in changes for word in ("--set", change)]
    cli.main(["run", "clear-day", *options, "--control", name, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["charged_kwh"] > 8
    assert told["import_in_pv_mode_kwh"] < 0.6


def test_each_command_that_takes_a_control_takes_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--seeds", "1", "--workers", "1"]
    cli.main(["sweep", "clear-day,hours=8", *few, "--control", "openwb"])
    cli.main(["compare", "clear-day,hours=8", *few, "--control", "openwb", "--second-control", "evcc"])
    assert "(openwb)" in capsys.readouterr().out
    assert cli.main(["run", "clear-day", "--control", "tesla"]) == cli.WRONG_USE
    assert "'tesla': expected evcc, openwb, smartevse, openems, or module:factory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "world", "changes", "words"),
    [
        (
            "smartevse",
            "clear-day",
            [SWITCHES],
            "site.interval_s 10 is more than its model covers, expected one that divides 2",
        ),
        (
            "smartevse",
            "two-cars-one-roof",
            ["site.interval_s=2"],
            "2 chargers is more than its model covers, expected one",
        ),
        ("smartevse", "clear-day", ["site.interval_s=2"], "keeps its phases"),
        ("smartevse", "phase-border", ["site.interval_s=2", "charger.0.loadpoint.phases=3"], "phases_configured 3"),
        ("openems", "two-cars-one-fuse", ["site.interval_s=1"], "a circuit"),
        (
            "openems",
            "clear-day",
            ["site.interval_s=1", "car.0.phases=1", 'charger.0.loadpoint.vehicle="blue"'],
            "one phase",
        ),
        ("openwb", "clear-day", ['charger.0.loadpoint.mode="minpv"'], "loadpoint 1 in mode minpv"),
        ("openwb", "unbalance", ['charger.0.loadpoint.mode="pv"', 'charger.1.loadpoint.mode="pv"'], "turned phases"),
        ("openwb", "two-cars-one-roof", ["site.has_grid_meter=false"], "without a grid meter"),
        ("evcc", "operator-limit", [], "a limit of the grid operator"),
        ("evcc", "night-tariff", [], "soc_target_pct 85"),
        ("evcc", "no-meter", [], "charger 1 without a meter"),
    ],
)
def test_a_world_beyond_its_model_is_refused(name: str, world: str, changes: list[str], words: str) -> None:
    with pytest.raises(InvalidScenario, match=f"--control {name}: .*{words}"):
        simulate(resolve(world, seed=1, changes=changes), control=control_of(name))


# -- the door -----------------------------------------------------------------------------------------------------------------

CONFIG = site_config(resolve("clear-day", seed=1, changes=['charger.0.box={name="garage",current_step_a=0.1}']))


def at(second: float) -> Now:
    return Now(Instant(timedelta(seconds=second)), datetime(2026, 6, 1, 10, tzinfo=UTC) + timedelta(seconds=second))


def readings(second: float, *, grid_w: float = -5000.0, grid_age_s: float = 0.0, enabled: bool = False) -> Readings:
    now, then = at(second).instant, at(second - grid_age_s).instant
    charger = ChargerReading(
        status=Measured(ChargerStatus.B, now),
        is_enabled=Measured(enabled, now),
        power_w=Measured(0.0, now),
        currents_a=Measured((0.0, 0.0, 0.0), now),
    )
    return Readings(grid=MeterReading(power_w=Measured(grid_w, then)), chargers=(charger,))


def said(control: RivalControl, seen: Readings, second: float, cause: Cause = Cause.INTERVAL) -> Sequence[Command]:
    decision = control.step(seen, now=at(second), cause=cause)
    assert decision.wake_at == decision.wake_renewed_at
    return [command for batch in decision.commands.values() for command in batch.commands]


def test_it_decides_at_its_own_pace_and_wants_to_be_asked_then() -> None:
    control = evcc(CONFIG, None, now=at(0))
    first = control.step(readings(0), now=at(0), cause=Cause.START)
    assert first.commands[0].commands == (SetCurrent(6.0), Enable())
    assert first.wake_renewed_at == at(30).instant
    assert [reason.code for reason in first.reasons] == [ReasonCode.SURPLUS]
    for second, cause in ((10, Cause.INTERVAL), (20, Cause.SAMPLE), (29.9, Cause.OUTCOME), (30, Cause.STATUS)):
        assert said(control, readings(second, grid_w=9000.0, enabled=True), second, cause) == []
    later = control.step(readings(31, enabled=True), now=at(31.5), cause=Cause.INTERVAL)  # the round took its time
    assert later.wake_renewed_at == at(60).instant


def test_a_changed_setting_is_decided_at_once() -> None:
    control = evcc(CONFIG, None, now=at(0))
    assert said(control, readings(0), 0, Cause.START)
    control.submit(ChangeLoadpointSetting(0, "mode", ChargeMode.OFF), now=at(12))
    decision = control.step(readings(12, enabled=True), now=at(12), cause=Cause.REQUEST)
    assert decision.commands[0].commands == (Disable(),)
    assert decision.reasons[0].code is ReasonCode.MODE_OFF
    assert decision.wake_renewed_at == at(30).instant
    with pytest.raises(InvalidScenario, match="expected 100"):
        control.submit(ChangeLoadpointSetting(0, "soc_target_pct", 80), now=at(13))


@pytest.mark.parametrize(("age_s", "is_seen"), [(0.0, True), (2.5, True), (10.0, False)])
def test_the_last_answer_of_a_silent_meter_is_none(age_s: float, is_seen: bool) -> None:
    control = evcc(CONFIG, None, now=at(0))
    assert bool(said(control, readings(0, grid_age_s=age_s), 0, Cause.START)) is is_seen


def test_settings_come_back_after_a_restart() -> None:
    control = evcc(CONFIG, None, now=at(0))
    control.submit(ChangeLoadpointSetting(0, "mode", ChargeMode.OFF), now=at(1))
    again = evcc(CONFIG, control.export(now=at(2)), now=at(2))
    assert again.view(now=at(2)).loadpoints[0].settings.mode is ChargeMode.OFF
    assert said(again, readings(30), 30, Cause.START) == []


def test_only_news_is_said() -> None:
    told = Told(0.1)
    steps: tuple[tuple[list[Command], bool | None, tuple[Command, ...]], ...] = (
        ([SetCurrent(7.39), Enable()], False, (SetCurrent(7.3), Enable())),
        ([SetCurrent(7.31), Enable()], True, ()),
        ([SetCurrent(7.6000001), Enable()], True, (SetCurrent(7.6),)),
        ([SetCurrent(7.6), Enable()], False, (SetCurrent(7.6), Enable())),  # it has lost what it was told
        ([Disable(), SwitchPhases(1), Disable()], True, (Disable(), SwitchPhases(1))),
        ([Disable()], None, ()),
    )
    for wanted, reports_on, news in steps:
        assert told.news(wanted, reports_on) == news


class Constant:
    """Always the same."""

    name = "constant"
    period_s = 10.0
    modes = frozenset(ChargeMode)
    knows_prices = hears_requests = False
    phases = frozenset({0})

    def decide(self, look: Look) -> Mapping[int, Sequence[Command]]:
        return {0: [SetCurrent(8.0)]}


def test_what_was_refused_is_said_again() -> None:
    control = RivalControl(Constant(), CONFIG, None, now=at(0))
    assert said(control, readings(0), 0, Cause.START) == [SetCurrent(8.0)]
    assert said(control, readings(10), 10) == []
    failed = (Outcome(0, 1, Result.FAILED, 0),)
    assert said(control, replace(readings(10.2), outcomes=failed), 10.2, Cause.OUTCOME) == []
    assert said(control, readings(20), 20) == [SetCurrent(8.0)]


def test_looking_at_a_site_needs_no_reading_at_all() -> None:
    view = evcc(CONFIG, None, now=at(0)).view(now=at(0))
    look = Look(Readings(), view, 0.0, at(0).utc, at(0).instant)
    assert look.meter(None) == (None, None)
    assert look.battery_w == 0


def test_openwbs_relay_is_where_it_believes_it_to_be() -> None:
    """It starts on one phase, at a relay that the simulator leaves at three; else its first switch has failed for the day."""
    world = resolve("april-clouds", changes=["weather.sky=clear", "hours=13", "site.residual_power_w=0"])
    trace = simulate(world, 1, control=control_of("openwb")).trace
    first, *others = [sent.command for sent in trace.sent if isinstance(sent.command, SwitchPhases)]
    assert first == SwitchPhases(1) and others[0] == SwitchPhases(3)
    assert max(instant.charge_w for instant in trace.instants) > 4140
