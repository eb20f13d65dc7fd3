"""Scenarios, as README and docs import them; what they are is in `evcc_sim.worlds.scenario`."""

from evcc_sim.worlds.scenario import Scenario, load, names, parse

__all__ = ["Scenario", "load", "names", "parse"]
