"""The one command that runs exactly this again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from shlex import quote

from evcc_sim.worlds.scenario import Scenario


def command(
    scenario: Scenario,
    seed: int,
    *,
    days: int | None = None,
    control: str | None = "",
    verb: str = "run",
    options: Iterable[str] = (),
) -> str:
    """What to type, or why nothing can be typed: a world was changed by hand, or the control (None) has no name.

    ``options``: further words of the command.
    """
    words = _words(scenario)
    if words is None:
        return f"no command: {scenario.name} is not what a file or a name says, but was made or changed by hand"
    if control is None:
        return "no command: the control cannot be imported as module:factory"
    words += [] if days is None else ["--days", str(days)]
    words += ["--seed", str(seed)]
    words += ["--control", control] if control else []
    return " ".join(quote(word) for word in ("evcc-sim", verb, *words, *options))


def _words(scenario: Scenario) -> list[str] | None:
    """How a command calls a world; a seed of its own, a law, a planner and more that is allowed can be said beside.

    None: nothing calls it so.
    """
    origin = scenario.origin
    if origin is None:
        return None
    law, planner = origin.world.site.law, origin.world.site.planner
    site = replace(scenario.site, law=law, planner=planner)
    seen = replace(scenario, seed=origin.world.seed, allowed=origin.world.allowed, site=site)
    more = [name for name in scenario.allowed if name not in origin.world.allowed]
    if seen != origin.world or not set(origin.world.allowed) <= set(scenario.allowed):
        return None
    changes = [word for change in origin.changes for word in ("--set", change)]
    changes += origin.options
    changes += [] if scenario.site.law == law else ["--law", scenario.site.law]
    changes += [] if scenario.site.planner is planner else ["--planner", scenario.site.planner]
    return [origin.text, *changes, *(word for name in more for word in ("--allow", name))]
