"""HiGHS as a solver of `evcclib.planning.joint.programme`. Needs the extra ``optimize``.

What it says is believed only where it is so: its status, whether there is a solution, and each value and row of it.
"""

from __future__ import annotations

import math

import highspy
import numpy as np

from evcclib.planning.joint.programme import NotSolved, Programme, Solution, flaw

TIME_LIMIT_S = 20.0
GAP = 5e-4
PRIMAL_SIMPLEX = 4
SEARCH: dict[str, bool | int | str] = {
    "mip_heuristic_run_feasibility_jump": False,
    "mip_heuristic_run_rens": False,
    "mip_heuristic_run_rins": False,
    "mip_heuristic_run_root_reduced_cost": False,
    "mip_heuristic_run_shifting": True,
    "mip_allow_restart": False,
    "parallel": "off",
    "simplex_strategy": PRIMAL_SIMPLEX,
}
"""Searches that take half of the time, or nearly all, and find nothing: these programmes are nearly whole without them. Shifting
finds the best of most at once, and to begin anew with less has never paid. One thread: the same answer each time."""


def solve(programme: Programme, *, time_limit_s: float = TIME_LIMIT_S, gap: float = GAP) -> Solution:
    """The least within ``gap`` of the cost, or the best that the time suffices for. Raises `NotSolved`."""
    for number, each in enumerate(programme.variables):
        if not math.isfinite(each.cost):  # it would be called optimal
            raise NotSolved(f"variable {number} costs {each.cost}")
    solver = highspy.Highs()  # a new one for each: its time limit counts from its birth
    for name, value in (("output_flag", False), ("time_limit", time_limit_s), ("mip_rel_gap", gap)):
        _checked(solver.setOptionValue(name, value), f"option {name}")
    for name, wanted in SEARCH.items():
        solver.setOptionValue(name, wanted)  # a version that does not know one does without
    _checked(solver.passModel(model_of(programme)), "model")
    _checked(solver.run(), "run")
    status = solver.getModelStatus()
    if status not in (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kTimeLimit):
        raise NotSolved(solver.modelStatusToString(status))
    info = solver.getInfo()
    if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        raise NotSolved(f"{solver.modelStatusToString(status)}, without a solution")
    values = tuple(float(value) for value in solver.getSolution().col_value)
    wrong = flaw(programme, values)
    if wrong is not None:
        raise NotSolved(wrong)
    is_mixed = any(variable.is_whole for variable in programme.variables)
    bound = float(info.mip_dual_bound if is_mixed else info.objective_function_value)
    return Solution(values, bound if math.isfinite(bound) else -math.inf)


def _checked(status: highspy.HighsStatus, what: str) -> None:
    if status == highspy.HighsStatus.kError:
        raise NotSolved(f"HiGHS refuses: {what}")


def model_of(programme: Programme) -> highspy.HighsLp:
    """As HiGHS takes it."""
    variables, rows = programme.variables, programme.rows
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(variables), len(rows)
    lp.col_cost_ = np.array([each.cost for each in variables])
    lp.col_lower_ = np.array([each.low for each in variables])
    lp.col_upper_ = np.array([each.high for each in variables])
    lp.row_lower_, lp.row_upper_ = np.array([row.low for row in rows]), np.array([row.high for row in rows])
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.concatenate(([0], np.cumsum([len(row.terms) for row in rows]))).astype(np.int32)
    lp.a_matrix_.index_ = np.array([number for row in rows for number, _factor in row.terms], dtype=np.int32)
    lp.a_matrix_.value_ = np.array([factor for row in rows for _number, factor in row.terms], dtype=np.double)
    kinds = highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger
    lp.integrality_ = [kinds[each.is_whole] for each in variables]
    return lp
