"""The adaptive law on the bench: when it moves, what current it offers, and what an owner's settings change about it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from bench import Bench, S, loadpoint, run, site_config

from evcclib.commands import Command, Disable, Enable, SetCurrent, SwitchPhases
from evcclib.config import VehicleConfig
from evcclib.errors import IncompatibleState
from evcclib.laws.adaptive import FRESH
from evcclib.laws.by_name import by_name
from evcclib.laws.law import News
from evcclib.model import ChargeMode, ChargerStatus, Now, PhaseAction, PvAction, RemoteDemand
from evcclib.readings import ABSENT, Measured, VehicleReading
from evcclib.reasons import ReasonCode
from evcclib.requests import DemandRemotely
from evcclib.site import Site

CAR = VehicleConfig(name="zoe", capacity_kwh=60.0, has_soc=True)
MIN_W = 6.0 * 3 * 230.0
Sent = dict[float, tuple[Command, ...]]


def bench(*, law: str = "adaptive", residual_power_w: float = 0.0, **values: Any) -> Bench:
    """A car that was plugged in without sun, ten minutes ago."""
    values.setdefault("phases", 0 if values.get("can_switch_phases") else 3)
    values.setdefault("current_step_a", 0.001)
    made = Bench(site_config(loadpoint(**values), law=law, residual_power_w=residual_power_w))
    made.box.status = ChargerStatus.B
    under(made, 0.0, 600)
    return made


def under(made: Bench, sun_w: float, seconds: int, interval_s: int = 10) -> Sent:
    """So much sun above the household from now on."""
    start = int(made.t / S)
    return run(made, range(start + interval_s, start + seconds + 1, interval_s), sun_w=sun_w)


def after(sent: Sent, kind: type[Command], since: float) -> list[float]:
    """How long after ``since`` commands of a kind were sent [s]."""
    return [second - since for second, commands in sent.items() if any(isinstance(each, kind) for each in commands)]


def at(made: Bench) -> float:
    return float(made.t / S)


# starting


def test_it_starts_once_the_sun_has_lasted_for_its_price() -> None:
    """5 kW that are left cost 1.10 EUR an hour, and to start and to stop later 0.009 EUR each at a station of fixed phases."""
    made = bench()
    sent = under(made, 5000.0, 600)
    assert after(sent, Enable, 600) == [60]
    assert sent[660] == (SetCurrent(7.246), Enable())
    assert len(sent) == 1


@pytest.mark.parametrize("sun_w", [0.0, 1500.0, MIN_W - 1])
def test_it_never_starts_with_less_than_the_minimum(sun_w: float) -> None:
    assert under(bench(), sun_w, 4 * 3600, interval_s=30) == {}


def test_sun_that_comes_and_goes_starts_nothing() -> None:
    made = bench()
    for _ in range(20):
        assert under(made, 5000.0, 20) == under(made, 500.0, 60) == {}


def test_a_car_that_is_plugged_in_waits_for_nothing() -> None:
    made = bench()
    made.box.status = ChargerStatus.A
    under(made, 6000.0, 600)
    made.box.status = ChargerStatus.B
    assert after(under(made, 6000.0, 60), Enable, 1200) == [10]


# stopping


@pytest.mark.parametrize(("delay_s", "sun_w"), [(180, 4000.0), (60, 4000.0), (900, 3900.0)])
def test_it_stops_after_the_owners_delay_at_the_latest(delay_s: int, sun_w: float) -> None:
    made = bench(disable_delay=delay_s * S)
    under(made, 5000.0, 600)
    assert made.lp.charger.is_enabled
    (stopped,) = after(under(made, sun_w, 3600), Disable, 1200)
    assert stopped == delay_s + 10


def test_it_stops_much_sooner_where_much_is_bought() -> None:
    made = bench(guard_duration=0 * S)
    under(made, 5000.0, 600)
    assert after(under(made, 0.0, 3600), Disable, 1200) == [50]


def test_a_short_shadow_stops_nothing() -> None:
    made = bench()
    under(made, 9000.0, 600)
    for _ in range(20):
        sent = under(made, 2000.0, 10) | under(made, 9000.0, 50)
        assert not [each for commands in sent.values() for each in commands if not isinstance(each, SetCurrent)]


@pytest.mark.parametrize("sun_w", [0.0, 3000.0, 5000.0, 9000.0])
def test_minpv_never_stops(sun_w: float) -> None:
    made = bench(mode=ChargeMode.MINPV)
    assert made.lp.charger.is_enabled
    under(made, sun_w, 1200)
    assert made.lp.charger.is_enabled
    assert made.box.offered_a == pytest.approx(max(6.0, sun_w / 690.0), abs=0.2)


# an owner's settings


def started(**values: Any) -> list[float]:
    return after(under(bench(**values), 5000.0, 3600), Enable, 600)


def test_enable_delay_scales_the_price_of_starting() -> None:
    assert started(enable_delay=0 * S) == [10]
    assert started(enable_delay=60 * S) == [60]
    assert started(enable_delay=120 * S) == pytest.approx([120], abs=30)
    assert started(enable_delay=600 * S) == pytest.approx([600], abs=60)


@pytest.mark.parametrize(("enable_s", "disable_s"), [(600, 180), (600, 1), (1, 600), (60, 1), (1, 1)])
def test_delays_of_any_proportion_let_it_start_and_stop(enable_s: int, disable_s: int) -> None:
    made = bench(enable_delay=enable_s * S, disable_delay=disable_s * S)
    assert len(after(under(made, 6000.0, 1200), Enable, 600)) == 1
    assert len(after(under(made, 2000.0, 1200), Disable, 1800)) == 1


def test_delays_of_nothing_neither_crash_nor_flap() -> None:
    made = bench(enable_delay=0 * S, disable_delay=0 * S)
    assert list(under(made, 5000.0, 1200)) == [610]
    assert list(under(made, 4000.0, 1200)) == [1810]
    assert list(under(made, MIN_W - 1, 1200)) == []
    assert list(under(made, 5000.0, 1200)) == [4210]


def test_enable_threshold_is_what_must_be_left_at_least() -> None:
    made = bench(enable_threshold_w=-6000.0)
    assert under(made, 5900.0, 3600) == {}
    assert len(after(under(made, 6000.0, 600), Enable, at(made))) == 1


def test_disable_threshold_is_what_may_be_bought() -> None:
    made = bench(disable_threshold_w=500.0)
    under(made, 5000.0, 600)
    sent = under(made, MIN_W - 450.0, 3600)
    assert after(sent, Disable, 1200) == []
    assert len(after(under(made, MIN_W - 550.0, 3600), Disable, 1200)) == 1


@pytest.mark.parametrize(("residual_power_w", "grid_w"), [(0.0, 0.0), (300.0, 0.0), (-300.0, 300.0)])
def test_under_a_calm_sun_the_grid_is_held_at_what_may_be_bought(residual_power_w: float, grid_w: float) -> None:
    made = bench(residual_power_w=residual_power_w)
    under(made, 6000.0, 1800)
    assert made.grid_w == pytest.approx(grid_w, abs=15.0)


def test_positive_residual_power_is_left_while_the_sun_is_restless() -> None:
    made = bench(residual_power_w=200.0)
    grids = []
    for turn in range(300):
        under(made, 6000.0 + 500.0 * (turn % 2), 10)
        grids.append(made.grid_w or 0.0)
    assert -200.0 - 500.0 < sum(grids[100:]) / 200 < 0.0


def test_positive_residual_power_is_needed_to_start() -> None:
    made = bench(residual_power_w=300.0)
    assert under(made, MIN_W + 299.0, 3600) == {}
    assert len(after(under(made, MIN_W + 301.0, 3600), Enable, 0)) == 1


# the contactor's ration


def test_contactor_rests_for_a_fifth_of_its_guard_time_and_on_the_average_for_all_of_it() -> None:
    made = bench(guard_duration=300 * S, enable_delay=0 * S, disable_delay=0 * S)
    moves: list[float] = []
    for _ in range(60):
        for sun_w in (9000.0, 0.0):
            sent = under(made, sun_w, 60)
            moves += after(sent, Enable, 0) + after(sent, Disable, 0)
    waits = [later - sooner for sooner, later in pairwise(moves)]
    assert min(waits) >= 60
    assert waits.count(60) >= 2
    assert len(moves) <= 4 + (moves[-1] - moves[0]) / 300 + 1


def test_moves_that_wait_for_nothing_are_not_counted_without_end() -> None:
    """A guest who plugs in and out again all the time leaves a state that can be restored."""
    made = bench(guard_duration=3600 * S)
    for _ in range(12):
        made.box.status = ChargerStatus.B
        under(made, 9000.0, 20)
        made.box.status = ChargerStatus.A
        under(made, 9000.0, 20)
    assert len(after(dict(enumerate(made.sent)), Enable, 0)) > 10
    Site.restore(made.config, made.site.export(now=made.now), now=made.now)


def test_contactor_rests_while_a_car_does_not_take_its_offer() -> None:
    made = bench(enable_delay=0 * S)
    made.box.starts = False
    moves = [
        command
        for _ in range(20)
        for sent in (under(made, 9000.0, 120) | under(made, 500.0, 60)).values()
        for command in sent
    ]
    assert not [each for each in moves if isinstance(each, Disable)]


# phases


@pytest.mark.parametrize("interval_s", [2, 10, 30])
def test_it_changes_phases_where_that_is_worth_it_in_one_batch_and_without_load(interval_s: int) -> None:
    made = bench(can_switch_phases=True)
    first = under(made, 2000.0, 600, interval_s)
    assert made.box.phases == 1 and made.lp.charger.is_enabled
    assert SwitchPhases(1) in next(iter(first.values()))
    up = under(made, 9000.0, 900, interval_s)
    (switched,) = [commands for commands in up.values() if any(isinstance(each, SwitchPhases) for each in commands)]
    assert [type(each) for each in switched] == [Disable, SwitchPhases, SetCurrent, Enable]
    assert switched[1] == SwitchPhases(3)
    assert made.box.offered_a == pytest.approx(9000 / 690, abs=0.1)
    down = under(made, 2000.0, 900, interval_s)
    assert made.box.phases == 1 and made.lp.charger.is_enabled
    is_on = True
    for commands in down.values():
        for each in commands:
            assert not (isinstance(each, SwitchPhases) and is_on)
            is_on = is_on if isinstance(each, (SetCurrent, SwitchPhases)) else isinstance(each, Enable)


def test_between_the_most_of_one_phase_and_the_least_of_three_it_stays_at_one() -> None:
    made = bench(can_switch_phases=True)
    under(made, 3900.0, 3600)
    assert (made.box.phases, made.box.offered_a, made.lp.charger.is_enabled) == (1, 16.0, True)


@pytest.mark.parametrize("phases_configured", [1, 3])
def test_owners_phases_are_kept(phases_configured: int) -> None:
    made = bench(can_switch_phases=True)
    made.set("phases_configured", phases_configured)
    under(made, 9000.0, 1800)
    assert made.box.phases == phases_configured
    under(made, 2000.0, 1800)
    assert made.lp.charger.is_enabled is (phases_configured == 1)


def test_car_that_nobody_measures_does_not_make_it_change_phases_to_and_fro() -> None:
    made = bench(can_switch_phases=True, has_power=False)
    made.box.extra = {"power_w": ABSENT, "currents_a": ABSENT}
    switched: list[float] = []
    for sun_w in (2000.0, 9000.0, 9000.0, 2000.0, 2000.0):
        switched += after(under(made, sun_w, 1200), SwitchPhases, 0)
    assert 1 <= len(switched) <= 3


# outlook


def test_what_it_waits_for_comes_true_when_it_said() -> None:
    made = bench(can_switch_phases=True)
    said: dict[str, list[float]] = {}
    done: dict[str, list[float]] = {}
    for sun_w, seconds in ((2000.0, 600), (9000.0, 600), (2000.0, 600), (0.0, 900), (9000.0, 600)):
        under(made, sun_w, 30)
        for _ in range(seconds // 10):
            view = made.site.view(now=made.now).loadpoints[0]
            if view.pv_action is not PvAction.INACTIVE:
                said.setdefault(view.pv_action.value, []).append((made.t + view.pv_remaining) / S)
            if view.phase_action is not PhaseAction.INACTIVE:
                said.setdefault(view.phase_action.value, []).append((made.t + view.phase_remaining) / S)
            sent = under(made, sun_w, 10)
            for kind, name in ((Enable, "enable"), (Disable, "disable"), (SwitchPhases, "phases")):
                done.setdefault(name, []).extend(after(sent, kind, 0))
    assert set(said) >= {"disable", "scale3p", "scale1p"}
    for name, times in said.items():
        happened = done["phases" if name.startswith("scale") else name]
        for due in times:
            assert any(-1 <= second - due <= 11 for second in happened), (name, due, happened)


def test_stop_is_foreseen_by_the_owners_delay() -> None:
    made = bench()
    under(made, 5000.0, 600)
    under(made, 4000.0, 60)
    view = made.site.view(now=made.now).loadpoints[0]
    assert (view.pv_action, view.pv_remaining) == (PvAction.DISABLE, 130 * S)
    assert view.reason.code is ReasonCode.SURPLUS_WAIT_DISABLE


# what follows no sun is classic's


def same(story: Iterable[Any], *, forget: int = 0, **values: Any) -> list[tuple[Command, ...]]:
    """What both laws send through the same story, in which it does not matter what they sent in its first parts."""
    sent: list[list[tuple[Command, ...]]] = []
    for law in ("classic", "adaptive"):
        made = Bench(site_config(loadpoint(phases=3, vehicle="zoe", **values), law=law, vehicles=(CAR,)))
        made.box.status = ChargerStatus.B
        for number, step in enumerate(story):
            made.sent = [] if number == forget else made.sent
            step(made)
        sent.append(made.sent)
    assert sent[0] == sent[1]
    return sent[1]


def let(seconds: int, sun_w: float = 0.0) -> Any:
    return lambda made: under(made, sun_w, seconds)


def mode(value: ChargeMode) -> Any:
    return lambda made: made.set("mode", value)


def test_modes_that_follow_no_sun_are_as_under_classic() -> None:
    sent = same(
        (let(60), mode(ChargeMode.NOW), let(120), mode(ChargeMode.OFF), let(120), mode(ChargeMode.NOW), let(10))
    )
    assert sent == [(SetCurrent(16.0), Enable()), (Disable(),), (SetCurrent(16.0), Enable())]


def test_remote_demands_are_as_under_classic() -> None:
    def demand(made: Bench) -> None:
        made.submit(DemandRemotely(0, RemoteDemand.HARD, "manager"))

    assert same((mode(ChargeMode.NOW), let(60), demand, let(60)))


def test_min_soc_is_as_under_classic() -> None:
    def low(made: Bench) -> None:
        made.vehicles = {"zoe": VehicleReading(soc_pct=Measured(10.0, made.t))}
        made.set("soc_min_pct", 20)

    assert same((low, let(60)))[0] == (SetCurrent(16.0), Enable())


def test_silent_grid_meter_is_as_under_classic() -> None:
    def silent(made: Bench) -> None:
        for _ in range(60):
            made.t += 10 * S
            made.grid_w = None
            made.step()

    sent = same((let(1200, 9000.0), silent), forget=1)
    assert sent == [(SetCurrent(6.0),), (Disable(),)]


# what it remembers


def test_snapshot_in_the_middle_of_everything_changes_nothing() -> None:
    story = [(2000.0, 200), (9000.0, 300), (1000.0, 70), (5000.0, 200), (3000.0, 400), (9000.0, 400)]
    through = bench(can_switch_phases=True)
    restored = bench(can_switch_phases=True)
    for sun_w, seconds in story:
        for _ in range(seconds // 10):
            assert under(through, sun_w, 10) == under(restored, sun_w, 10)
            exported = json.loads(json.dumps(restored.site.export(now=restored.now)))
            restored.site = Site.restore(restored.config, exported, now=restored.now)
            assert restored.site.export(now=restored.now) == through.site.export(now=through.now)


def test_snapshot_is_understood_by_another_clock() -> None:
    made = bench(can_switch_phases=True)
    under(made, 9000.0, 30)
    exported = json.loads(json.dumps(made.site.export(now=made.now)))
    later = Now(made.t + 5000 * S, made.now.utc)
    there = Site.restore(made.config, exported, now=later)
    assert json.loads(json.dumps(there.export(now=later))) == exported


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("account",), [0.0, 0.0, 0.0]),
        (("account",), [0.0, 0.0, 0.0, -1.0]),
        (("account",), [0.0, 0.0, 0.0, 1e13]),
        (("account",), [0.0, 0.0, 0.0, "much"]),
        (("account",), 5),
        (("sun_w",), 1e13),
        (("spread_w",), -1.0),
        (("missed_ws",), "much"),
        (("ration", "spared"), 5.0),
        (("ration",), 5),
        (("sampled_at",), "noon"),
        (("is_hurried",), 5),
        (("waits", "pv_action"), "leave"),
    ],
)
def test_what_it_cannot_have_remembered_is_refused(path: tuple[str, ...], value: object) -> None:
    made = bench()
    under(made, 5000.0, 30)
    exported: Any = json.loads(json.dumps(made.site.export(now=made.now)))
    place = exported["law"]["loadpoints"][0]
    for key in path[:-1]:
        place = place[key]
    assert path[-1] in place
    place[path[-1]] = value
    with pytest.raises(IncompatibleState) as refused:
        Site.restore(made.config, exported, now=made.now)
    assert path[0] in refused.value.where


@pytest.mark.parametrize("news", News)
def test_memory_object_is_kept_while_nothing_changes(news: News) -> None:
    law = by_name("adaptive")
    once = law.hear(law.hear(FRESH, News.HURRY), news)
    assert law.hear(once, news) is once


def test_what_follows_no_sun_has_no_account() -> None:
    made = bench(mode=ChargeMode.PV)
    under(made, 5000.0, 30)
    assert made.lp.memory.account != FRESH.account
    made.set("mode", ChargeMode.NOW)
    under(made, 5000.0, 30)
    assert made.lp.memory._replace(promised_at=FRESH.promised_at) == FRESH
