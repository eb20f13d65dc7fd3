"""Runs without I/O, as README and docs import them; how they go is in `evcc_sim.runs.inprocess`."""

from evcc_sim.runs.controls import Control, ControlFactory, classic
from evcc_sim.runs.inprocess import simulate
from evcc_sim.runs.result import RunResult

__all__ = ["Control", "ControlFactory", "RunResult", "classic", "simulate"]
