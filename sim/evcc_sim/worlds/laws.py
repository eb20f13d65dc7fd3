"""Which law decides at a site: one that the library knows by its name, or anybody's as ``module:law``."""

from __future__ import annotations

import importlib
from dataclasses import replace

from evcc_sim.worlds.scenario import InvalidScenario, Scenario
from evcclib.laws.by_name import LAWS
from evcclib.laws.law import Law


def law_of(name: str) -> Law:
    """The law called so, made anew if a class is. Raises `InvalidScenario` when there is none, or when it is none."""
    if ":" not in name:
        if name not in LAWS:
            raise InvalidScenario(f"law {name!r}: expected {', '.join(LAWS)}, or module:law")
        return LAWS[name]
    module_name, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
        law = found() if isinstance(found, type) else found
    except (ImportError, AttributeError, SyntaxError, TypeError, ValueError) as error:
        raise InvalidScenario(f"law {name!r}: expected module:law ({error})") from error
    if not isinstance(law, Law):
        raise InvalidScenario(f"law {name!r}: expected an `evcclib.laws.law.Law`, not a {type(law).__name__}")
    return law


def with_law(scenario: Scenario, name: str, *, control: str = "") -> Scenario:
    """``scenario`` with this law, its own if the name is empty. Raises `InvalidScenario`, also for a ``control`` beside it."""
    if not name:
        return scenario
    if control:
        raise InvalidScenario("--law goes without --control: another control has its own law, or none")
    law_of(name)
    return replace(scenario, site=replace(scenario.site, law=name))
