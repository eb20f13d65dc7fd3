"""Runs without I/O, as README and docs import them; how they go is in `evcc_sim.runs.inprocess`."""

from evcc_sim.runs.controls import Control, ControlFactory
from evcc_sim.runs.inprocess import simulate

__all__ = ["Control", "ControlFactory", "simulate"]
