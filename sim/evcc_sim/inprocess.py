"""Runs without I/O, as README and docs import them; how they go is in `evcc_sim.runs.inprocess`."""

from evcc_sim.runs.inprocess import Control, ControlFactory, simulate

__all__ = ["Control", "ControlFactory", "simulate"]
