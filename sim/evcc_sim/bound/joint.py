"""The clairvoyant of several cars under one roof: the same moves and costs as for one, as a mixed-integer programme for HiGHS.

Needs the extra ``optimize``. What counts is said in `evcc_sim.bound.together`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

import highspy
import numpy as np

from evcc_sim.bound.cost import Weights
from evcc_sim.bound.moves import State, arcs
from evcc_sim.bound.stay import Stay
from evcc_sim.bound.together import Together

TIME_LIMIT_S = 120.0
GAP_EUR = 1e-4


class NotSolved(Exception):
    """HiGHS has found no bound: what it says of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JointOptimum:
    """``least``: no run has less [EUR], however little time there was; ``reached``: the best found."""

    least: float
    reached: float
    is_proven: bool  # the gap is closed as far as was asked

    @property
    def gap(self) -> float:
        """What lies between [EUR]."""
        return self.reached - self.least


def least_joint_cost(
    everything: Together,
    weights: Weights | None = None,
    *,
    time_limit_s: float = TIME_LIMIT_S,
    gap_eur: float = GAP_EUR,
) -> JointOptimum:
    """The least day cost of the house. Raises `NotSolved`."""
    weights = weights or Weights()
    model = _Model()
    _house(model, everything, weights, [_Car(model, stay, weights) for stay in everything.stays])
    solver = highspy.Highs()  # a new one for each: its time limit counts from its birth
    for name, value in (
        ("output_flag", False),
        ("time_limit", time_limit_s),
        ("mip_abs_gap", gap_eur),
        ("mip_rel_gap", 0.0),
    ):
        _checked(solver.setOptionValue(name, value), f"option {name}")
    _checked(solver.passModel(model.lp()), "model")
    _checked(solver.run(), "run")
    status = solver.getModelStatus()
    info = solver.getInfo()
    is_proven = status == highspy.HighsModelStatus.kOptimal
    if not (is_proven or status == highspy.HighsModelStatus.kTimeLimit):
        raise NotSolved(solver.modelStatusToString(status))
    # the sun that is there is no part of the objective: a constant would count in the gap
    there_eur = weights.not_taken_per_kwh * everything.usable_kwh
    has_solution = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    return JointOptimum(
        least=max(0.0, float(info.mip_dual_bound) + there_eur),
        reached=float(info.objective_function_value) + there_eur if has_solution else inf,
        is_proven=is_proven,
    )


def _checked(status: highspy.HighsStatus, what: str) -> None:
    if status == highspy.HighsStatus.kError:
        raise NotSolved(f"HiGHS refuses: {what}")


# -- the model: kilowatts and kilowatt-hours -------------------------------------------------------------------------------


@dataclass(slots=True)
class _Model:
    costs: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    is_whole: list[bool] = field(default_factory=list)
    rows: list[tuple[float, float, list[tuple[int, float]]]] = field(default_factory=list)

    def variable(self, cost: float, upper: float, *, is_whole: bool = False) -> int:
        """From 0 to ``upper``; its number."""
        self.costs.append(cost)
        self.upper.append(upper)
        self.is_whole.append(is_whole)
        return len(self.costs) - 1

    def row(self, low: float, high: float, *terms: tuple[int, float]) -> None:
        """``low`` <= sum of variable x factor <= ``high``."""
        self.rows.append((low, high, list(terms)))

    def lp(self) -> highspy.HighsLp:
        """As HiGHS takes it."""
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(self.costs), len(self.rows)
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = (
            np.array(self.costs),
            np.zeros(len(self.costs)),
            np.array(self.upper),
        )
        lp.row_lower_, lp.row_upper_ = np.array([row[0] for row in self.rows]), np.array([row[1] for row in self.rows])
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.concatenate(([0], np.cumsum([len(row[2]) for row in self.rows]))).astype(np.int32)
        lp.a_matrix_.index_ = np.array([number for row in self.rows for number, _factor in row[2]], dtype=np.int32)
        lp.a_matrix_.value_ = np.array([factor for row in self.rows for _number, factor in row[2]])
        kinds = highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger
        lp.integrality_ = [kinds[is_whole] for is_whole in self.is_whole]
        return lp


Terms = list[tuple[int, float]]


class _Car:
    """One arc in each step, each beginning where the one before has ended.

    A car that tapers may be filled instead, once it has nearly all: from then on it takes what it likes of the rest.
    """

    def __init__(self, model: _Model, stay: Stay, weights: Weights) -> None:
        self.powers: list[int] = []  # the variable of each step
        self._model, self._stay, self._weights = model, stay, weights
        self._arcs = arcs(stay)
        self._states = tuple(dict.fromkeys(state for arc in self._arcs for state in (arc.start, arc.end)))
        self._usual: list[int] = []  # powers of a car that is not filled
        self._filled: int | None = None  # whether it is, in the last step
        into: dict[State, Terms] | None = None
        for low, high in zip(stay.low_share, stay.high_share, strict=True):
            into = self._step(float(low), float(high), into)
        if into is not None and stay.leaves:
            for state, terms in into.items():
                if state.is_closed:
                    model.row(0.0, 0.0, *terms)
        self._keep_room()

    def _step(self, low: float, high: float, into: dict[State, Terms] | None) -> dict[State, Terms]:
        model, stay, weights = self._model, self._stay, self._weights
        most_kw = stay.most_w / 1000
        power, usual = model.variable(0.0, most_kw), model.variable(0.0, most_kw)
        least: Terms = [(usual, 1.0)]
        most: Terms = [(usual, 1.0)]
        starts = self._states if into is not None else self._first()
        out: dict[State, Terms] = {state: [] for state in starts}
        reached: dict[State, Terms] = {state: [] for state in self._states}
        for arc in self._arcs:
            if arc.start in out:
                cost = arc.switchings * weights.switching + arc.changes * weights.phase_change
                taken = model.variable(cost, 1.0, is_whole=True)
                out[arc.start].append((taken, -1.0))
                reached[arc.end].append((taken, 1.0))
                least.append((taken, -arc.low_w / 1000 * low))
                most.append((taken, -arc.high_w / 1000 * high))
        model.row(0.0, inf, *least)
        model.row(-inf, 0.0, *most)
        more: Terms = []
        if stay.nearly_full_kwh < inf:
            enters = [model.variable(0.0, 1.0, is_whole=True) for _state in starts]
            for state, enter in zip(starts, enters, strict=True):
                out[state].append((enter, -1.0))
            filled = model.variable(0.0, 1.0)
            before: Terms = [] if self._filled is None else [(self._filled, 1.0)]
            model.row(0.0, 0.0, (filled, -1.0), *before, *((enter, 1.0) for enter in enters))
            self._filled = filled
            rest = model.variable(0.0, most_kw)
            model.row(-inf, 0.0, (rest, 1.0), (filled, -most_kw * high))
            more = [(rest, -1.0)]
        model.row(0.0, 0.0, (power, 1.0), (usual, -1.0), *more)
        if into is None:
            model.row(-1.0, -1.0, *(term for terms in out.values() for term in terms))
        else:
            for state in self._states:
                model.row(0.0, 0.0, *into[state], *out[state])
        self.powers.append(power)
        self._usual.append(usual)
        return reached

    def _first(self) -> tuple[State, ...]:
        """Where it may begin."""
        stay = self._stay
        return tuple(
            state
            for state in self._states
            if not state.is_closed and stay.first_phases in (None, stay.positions[state.position].phases)
        )

    def _keep_room(self) -> None:
        model, stay = self._model, self._stay
        usual: Terms = [(number, stay.step_kwh) for number in self._usual]
        if self._filled is not None:
            model.row(0.0, inf, *usual, (self._filled, -stay.nearly_full_kwh))
            model.row(-inf, stay.taper_kwh, *usual)
        if stay.room_kwh < inf:
            model.row(-inf, stay.room_kwh, *((number, stay.step_kwh) for number in self.powers))


def _house(model: _Model, everything: Together, weights: Weights, cars: Sequence[_Car]) -> None:
    """What is bought, and what of the usable sun is taken."""
    stay = everything.stays[0]
    for step, (sun_w, usable_w) in enumerate(
        zip(stay.means(everything.sun_w), stay.means(everything.usable_w), strict=True)
    ):
        drawn: Terms = []
        for other, car in zip(everything.stays, cars, strict=True):
            own = step - everything.first_cell(other) // stay.cells_per_step
            if 0 <= own < other.steps:
                drawn.append((car.powers[own], 1.0))
        if drawn:
            hours = stay.step_kwh
            bought = model.variable(weights.bought_per_kwh * hours, inf)
            model.row(-inf, float(sun_w) / 1000, (bought, -1.0), *drawn)
            used = model.variable(-weights.not_taken_per_kwh * hours, float(usable_w) / 1000)
            model.row(-inf, 0.0, (used, 1.0), *((n, -one) for n, one in drawn))
