"""The seam: laws from outside decide whole sites, remember what they like, and say when they change."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from typing import Any, ClassVar

import pytest
from bench import Bench, S, loadpoint, run, site_config

from evcclib import check, laws
from evcclib.allowed import Table, whole
from evcclib.commands import Enable, SetCurrent
from evcclib.config import CircuitConfig
from evcclib.errors import IncompatibleState, InvalidConfig
from evcclib.laws.by_name import LAWS, by_name
from evcclib.laws.classic import Classic, Memory
from evcclib.laws.law import ON_TICKS_AND_REQUESTS, Ask, Law, News, SiteSeen, Target, Turn
from evcclib.machines.surplus import RESTING, Elapsed, Waiting
from evcclib.model import Cause, ChargeMode, ChargerStatus, Now, PvAction
from evcclib.pipeline import snapshot
from evcclib.reasons import Reason, ReasonCode
from evcclib.site import Site, initial, step
from evcclib.units import Instant

SURPLUS = Reason(ReasonCode.SURPLUS)


@dataclass(frozen=True, slots=True)
class Never:
    kind: ClassVar[str] = "never"


@dataclass(frozen=True, slots=True)
class Last:
    at: Instant
    kind: ClassVar[str] = "last"


@dataclass(frozen=True, slots=True)
class Count:
    turns: int = 0
    last: Never | Last = Never()
    heard: tuple[str, ...] = ()


class Shares(Law):
    """Everybody an equal part of 24 A, all worked out before the first turn."""

    name = "shares"
    fresh = Count()
    fresh_site = Count()
    allowed: Table = MappingProxyType({Count: {"turns": whole(0, 1000)}})

    def __init__(self) -> None:
        self.seen: list[SiteSeen] = []
        self.turns: list[Turn] = []

    def decide(self, seen: SiteSeen) -> tuple[Count, Ask]:
        self.seen.append(seen)
        asking = [index for index, each in enumerate(seen.loadpoints) if each.demand.wanted_a > 0]
        targets = {index: Target(24.0 / len(asking), 0, True, SURPLUS) for index in asking}

        def ask(memory: Count, turn: Turn) -> tuple[Target, Count]:
            self.turns.append(turn)
            stop = Target(0.0, 0, True, SURPLUS)
            later = replace(memory, turns=memory.turns + 1, last=Last(seen.instant))
            return targets.get(turn.loadpoint, stop), later

        return replace(seen.memory, turns=seen.memory.turns + 1), ask

    def hear(self, memory: Count, news: News) -> Count:
        return replace(memory, heard=(*memory.heard, news.value))


class Idle(Law):
    """The least that a law can be."""

    name = "idle"

    def decide(self, seen: SiteSeen) -> tuple[None, Ask]:
        stop = Target(0.0, 0, True, Reason(ReasonCode.SURPLUS_MISSING))
        return None, lambda memory, _turn: (stop, memory)


def bench(law: Law, *loadpoints: Any, **values: Any) -> Bench:
    made = Bench(site_config(*(loadpoints or (loadpoint(phases=3), loadpoint(phases=3))), **values))
    made.site = Site(made.config, now=made.now, law=law)
    for box in made.boxes:
        box.status = ChargerStatus.B
    return made


def test_a_law_from_outside_decides_for_the_whole_site() -> None:
    law = Shares()
    site = bench(law, loadpoint(phases=3), loadpoint(phases=3, priority=5), loadpoint(phases=3))
    site.boxes[2].status = ChargerStatus.A
    site.at(0)
    assert [turn.loadpoint for turn in law.turns[:3]] == [1, 0, 2]
    assert site.sent[:2] == [(SetCurrent(12.0), Enable())] * 2
    assert {each.reason.code for each in site.site.state.loadpoints[:2]} == {ReasonCode.SURPLUS}
    assert [each.priority for each in law.seen[0].loadpoints] == [0, 5, 0]


def test_limits_have_the_last_word_over_any_law() -> None:
    law = Shares()
    garage = loadpoint(phases=3, circuit="main")
    site = bench(law, garage, garage, circuits=(CircuitConfig(name="main", current_max_a=16.0, has_meter=False),))
    site.at(0)
    assert [box.offered_a for box in site.boxes] == [12.0, 0.0]
    assert site.site.state.loadpoints[1].reason.code is ReasonCode.LIMITED
    assert law.seen[0].limits is not None


def test_each_turn_sees_what_those_before_it_were_told() -> None:
    law = Shares()
    site = bench(law, loadpoint(phases=3), loadpoint(phases=3))
    site.grid_w = -12000.0
    site.at(0)
    first, second = law.turns[:2]
    assert first.sun.power_w == -12000.0
    assert second.sun.power_w == pytest.approx(-12000.0 + 12.0 * 3 * 230.0)


def test_who_must_be_left_alone_is_shown_but_not_asked_for() -> None:
    law = Shares()
    site = bench(law)
    site.boxes[0].status = None
    site.at(0)
    assert [each.is_told for each in law.seen[0].loadpoints] == [False, True]
    assert [turn.loadpoint for turn in law.turns if turn.sun.sampled_at == 0 * S] == [1]


def test_what_a_law_remembers_comes_back_under_its_name() -> None:
    here = bench(Shares())
    run(here, range(0, 60, 10), sun_w=5000)
    exported = json.loads(json.dumps(here.site.export(now=here.now)))
    assert exported["law"]["name"] == "shares"
    later = Now(1000 * S, here.now.utc)
    there = Site.restore(here.config, exported, now=later, law=Shares())
    shift = later.instant - here.t
    for old, new in zip(here.site.state.loadpoints, there.state.loadpoints, strict=True):
        assert old.memory.turns > 1
        assert new.memory == replace(old.memory, last=Last(old.memory.last.at + shift))
    assert there.state.memory == here.site.state.memory
    assert json.loads(json.dumps(there.export(now=later))) == exported


def test_snapshot_of_another_law_starts_this_one_fresh() -> None:
    here = bench(Shares())
    run(here, range(0, 60, 10), sun_w=5000)
    there = Site.restore(here.config, here.site.export(now=here.now), now=here.now)
    assert [each.memory for each in there.state.loadpoints] == [Memory(), Memory()]
    assert there.state.memory is None
    assert [each.connected_at for each in there.state.loadpoints] == [
        each.connected_at for each in here.site.state.loadpoints
    ]


def test_another_law_takes_over_in_the_middle_of_the_day() -> None:
    here = bench(Shares())
    run(here, range(0, 60, 10), sun_w=5000)
    state, _ = step(here.config, here.site.state, here.readings(), now=here.now, cause=Cause.INTERVAL)
    assert state.law == "classic"
    assert all(isinstance(each.memory, Memory) for each in state.loadpoints)
    assert here.site.state.law == "shares"


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("law", "loadpoints", 0, "turns"), -1, "law.loadpoints[0].turns"),
        (("law", "loadpoints", 0, "last", "kind"), "first", "law.loadpoints[0].last.kind"),
        (("law", "loadpoints", 0, "last"), 5, "law.loadpoints[0].last"),
        (("law", "loadpoints"), [], "law.loadpoints"),
        (("law", "site"), None, "law.site"),
        (("law", "name"), 5, "law.name"),
        (("law",), None, "law"),
    ],
)
def test_what_no_law_can_have_remembered_is_refused(path: tuple[Any, ...], value: object, where: str) -> None:
    here = bench(Shares())
    exported: Any = json.loads(json.dumps(here.site.export(now=here.now)))
    found = exported
    for key in path[:-1]:
        found = found[key]
    found[path[-1]] = value
    with pytest.raises(IncompatibleState) as refused:
        Site.restore(here.config, exported, now=here.now, law=Shares())
    assert refused.value.where == where


def test_the_least_law_is_a_law() -> None:
    site = bench(Idle())
    run(site, range(0, 60, 10), sun_w=9000)
    assert site.decision is not None
    assert site.sent == []
    assert site.decision.wake_at == 60 * S  # it may decide otherwise at every tick
    view = site.site.view(now=site.now).loadpoints[0]
    assert (view.pv_action, view.pv_remaining) == (PvAction.INACTIVE, 0 * S)
    Site.restore(site.config, site.site.export(now=site.now), now=site.now, law=Idle())


def test_a_law_may_decide_on_every_sample() -> None:
    class Eager(Shares):
        causes = ON_TICKS_AND_REQUESTS | {Cause.SAMPLE}

    law = Eager()
    site = bench(law)
    site.at(0)
    site.answers_at_once, count = False, len(law.seen)
    site.at(3, Cause.SAMPLE)
    assert len(law.seen) == count + 1


def test_news_reach_a_law() -> None:
    law = Shares()
    site = bench(law)
    site.boxes[0].status = ChargerStatus.A
    site.at(0)
    site.boxes[0].status = ChargerStatus.B
    site.at(10)
    assert site.lp.memory.heard[0] == "hurry"
    site.set("mode", ChargeMode.OFF)
    assert site.lp.memory.heard[-2:] == ("pv", "sun")


@pytest.mark.parametrize("news", News)
def test_classic_keeps_its_memory_object_while_nothing_changes(news: News) -> None:
    """What has elapsed already is no news, and so the guard stays [PVT-3]."""
    classic = Classic()
    once = classic.hear(Memory(Waiting(PvAction.ENABLE, 5 * S)), news)
    assert classic.hear(once, news) is once


def test_every_law_of_the_library_can_be_named() -> None:
    modules = [import_module(f"{laws.__name__}.{each.name}") for each in iter_modules(laws.__path__)]
    kinds = {kind for module in modules for kind in vars(module).values() if isinstance(kind, type)}
    assert {type(law) for law in LAWS.values()} == {kind for kind in kinds if issubclass(kind, Law)} - {Law}


def test_laws_are_chosen_by_name() -> None:
    assert by_name("classic") is LAWS["classic"]
    config = site_config()
    assert initial(config, now=Bench(config).now).law == config.law == "classic"
    for wrong in ("clasic", "", 5, None):
        with pytest.raises(InvalidConfig, match="one of classic"):
            check(replace(config, law=wrong))  # type: ignore[arg-type]
    with pytest.raises(InvalidConfig, match="one of classic"):
        by_name("clasic")


# --- snapshots of the first version -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timer", "action", "timers"),
    [
        (None, "inactive", RESTING),
        ("elapsed", "disable", Elapsed(PvAction.DISABLE)),
        ("elapsed", "inactive", Elapsed()),
        (-5_000_000, "enable", Waiting(PvAction.ENABLE, 95 * S)),
    ],
)
def test_snapshot_of_the_first_version_goes_on(timer: object, action: str, timers: object) -> None:
    here = bench(by_name("classic"))
    here.at(100)
    now = Now(100 * S, here.now.utc)
    old: Any = json.loads(json.dumps(here.site.export(now=now)))
    del old["law"]
    old["version"] = 1
    for each in old["site"]["loadpoints"]:
        del each["wants_odometer"]
        each |= {"pv_timer": timer, "pv_action": action, "scaling": [-1_000_000, "scale1p", False]}
        each["odometer_asked_at"] = "elapsed"
    state = Site.restore(here.config, old, now=now).state
    assert state.law == "classic"
    for loadpoint_ in state.loadpoints:
        assert loadpoint_.memory.timer == timers
        assert (loadpoint_.memory.scaling.since, loadpoint_.memory.scaling.is_due) == (99 * S, False)
        assert (loadpoint_.wants_odometer, loadpoint_.odometer_asked_at) == (True, None)
    assert Site.restore(here.config, old, now=now).export(now=now)["version"] == snapshot.VERSION


@pytest.mark.parametrize("broken", [{"site": 5}, {"site": {"loadpoints": 5}}, {"site": {"loadpoints": [5]}}])
def test_broken_snapshot_of_the_first_version_is_refused(broken: dict[str, object]) -> None:
    here = bench(by_name("classic"))
    old = {**here.site.export(now=here.now), "version": 1, **broken}
    with pytest.raises(IncompatibleState):
        Site.restore(here.config, old, now=here.now)
