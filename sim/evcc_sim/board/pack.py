"""The worlds of the leaderboard, in groups, and the figure that decides each.

A world is one of the library with changes, as ``--set`` of a command says them. Whatever a system has a default for is left at
it: no residual power, no order of car and battery, no delays of our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evcc_sim.board.figures import CHARGED, DAY_COST, PAID, REGRET, Figure
from evcc_sim.worlds.scenario import InvalidScenario

SWITCHES = "charger.0.box.can_switch_phases=true"
KEEPS = "charger.0.box.can_switch_phases=false"
PLAIN = "site.residual_power_w=0"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """``base`` of the library with ``changes``."""

    name: str
    title: str
    base: str
    changes: tuple[str, ...] = ()
    decided_by: Figure = REGRET


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Worlds of one kind, and a sentence about them."""

    title: str
    text: str
    worlds: tuple[World, ...]


def _under(sky: str, *changes: str) -> tuple[str, ...]:
    return (PLAIN, f"weather.sky={sky}", *changes)


PACK = (
    Group(
        title="Sun, a station that switches phases",
        text="One car at home from 7:30 to 20:30 in April, 10 kW of modules, a household, mode pv.",
        worlds=(
            World(name="clear", title="a clear day", base="april-clouds", changes=_under("clear")),
            World(name="broken", title="sun and clouds", base="april-clouds", changes=_under("cumulus")),
            World(name="rough", title="clouds in quick succession", base="april-clouds", changes=_under("april")),
            World(name="overcast", title="a grey day", base="april-clouds", changes=_under("overcast")),
        ),
    ),
    Group(
        title="Sun, a station that keeps three phases",
        text="The same house; the car needs 4.1 kW before it can start.",
        worlds=(
            World(name="three-clear", title="a clear day", base="april-clouds", changes=_under("clear", KEEPS)),
            World(name="three-broken", title="sun and clouds", base="april-clouds", changes=_under("cumulus", KEEPS)),
        ),
    ),
    Group(
        title="Home battery",
        text=(
            "A battery of 10 kWh with its own fast controller on the same grid meter, sun and clouds in May. Cars come first, "
            "as is every system's default; what goes into the battery although the car could have used it counts as not "
            "taken, what comes out of it into the car as a purchase of the day cost."
        ),
        worlds=(
            World(
                name="battery",
                title="sun, clouds and a battery",
                base="battery-home",
                changes=(PLAIN, "site.priority_soc_pct=0", "site.buffer_soc_pct=0", SWITCHES),
            ),
        ),
    ),
    Group(
        title="Two cars, two stations",
        text=(
            "14 kW of modules, sun and clouds. The left station switches phases and has the higher priority, its car comes at "
            "10:30; the right one keeps three phases."
        ),
        worlds=(
            World(
                name="priority",
                title="the important car comes later",
                base="two-cars-one-roof",
                changes=(SWITCHES,),
                decided_by=DAY_COST,
            ),
        ),
    ),
    Group(
        title="Circuits",
        text="A limit that the grid meter guards.",
        worlds=(
            World(
                name="narrow",
                title="following the sun behind 16 A, a station of whole amperes",
                base="coarse-steps",
                changes=_under("cumulus", SWITCHES, "action=[]", "circuit.0.current_max_a=16", "site.fuse_a=16"),
            ),
            World(
                name="full",
                title="two cars in mode now behind 25 A, an evening in October",
                base="two-cars-one-fuse",
                decided_by=CHARGED,
            ),
        ),
    ),
    Group(
        title="Prices",
        text="Two nights on a day-ahead tariff of quarters of hours, in November and without sun.",
        worlds=(
            World(
                name="cheap",
                title="mode pv, and whatever costs no more than 0.20 EUR/kWh",
                base="night-tariff",
                changes=('action=[{at="17:40",loadpoint=0,setting="smart_cost_limit",value=0.2}]', SWITCHES),
                decided_by=PAID,
            ),
            World(
                name="plan",
                title="85 % at 6:30",
                base="night-tariff",
                changes=(SWITCHES,),
                decided_by=PAID,
            ),
        ),
    ),
)


def chosen(names: Sequence[str]) -> tuple[Group, ...]:
    """The groups with the worlds called so, all of them if nothing is. Raises `InvalidScenario`."""
    known = [world.name for group in PACK for world in group.worlds]
    for name in names:
        if name not in known:
            raise InvalidScenario(f"--worlds {name!r}: expected some of {', '.join(known)}")
    groups = []
    for group in PACK:
        worlds = tuple(world for world in group.worlds if not names or world.name in names)
        if worlds:
            groups.append(Group(title=group.title, text=group.text, worlds=worlds))
    return tuple(groups)
