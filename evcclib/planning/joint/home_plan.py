"""A whole home with a solver from outside: a plan within a small part of the best, long before a solver would have proven it.

1. The programme with no whole numbers: a bound, and where a car might charge.
2. The programme with the whole numbers that 1 leaves open: a car may charge where it does there, and a slot before and after;
   who buys and who sells is open where both do.
3. Everybody once more for himself (`together`), from there: never dearer, and of equal plans the latest, whatever the solver
   has picked. Where a goal is missed, everybody from the beginning, too.

`is_thorough` asks for the whole programme in the end: its bound is the better one, and it takes as long as it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evcclib.planning.joint.home import Home
from evcclib.planning.joint.home_programme import HomeModel, home_model
from evcclib.planning.joint.programme import NotSolved, Programme, Solution, Solver, flaw
from evcclib.planning.joint.together import HomePlan, home_cost, improved, plan_home
from evcclib.planning.power_plan import Piece, PowerPlan, Shortfall, joined
from evcclib.units import HOUR

NEGLIGIBLE_KW = 1e-4
"""Less is what a solver leaves of nothing."""
NEGLIGIBLE_KWH = 1e-3
"""A goal that is missed by less holds: a solver's kilowatts are no whole watt-seconds."""


def plan_home_with(solver: Solver, home: Home, *, is_thorough: bool = False) -> HomePlan:
    """A plan for the home, with what no plan costs less than. Raises what ``solver`` raises, `programme.NotSolved`."""
    model = home_model(home)
    if is_thorough:
        solution = _solved(solver, model.programme)
        bound = solution.bound
    else:
        relaxed = _solved(solver, _relaxed(model.programme))
        bound = relaxed.bound
        solution = _solved(solver, _narrowed(model, relaxed.values))
    plan = improved(home, _plan(home, model, solution), rounds=1)
    if not plan.is_met:
        plan = min((plan, plan_home(home)), key=lambda each: (each.short_kwh, each.cost))
    return replace(plan, bound=min(bound, plan.cost))


def _solved(solver: Solver, programme: Programme) -> Solution:
    """What a solver answers, if it is a solution. Raises `NotSolved`."""
    solution = solver(programme)
    wrong = flaw(programme, solution.values)
    if wrong is not None:
        raise NotSolved(wrong)
    return solution


def _relaxed(programme: Programme) -> Programme:
    return Programme([each._replace(is_whole=False) for each in programme.variables], programme.rows)


def _narrowed(model: HomeModel, values: Sequence[float]) -> Programme:
    """With nothing open that a solution without whole numbers has no use for."""
    variables = list(model.programme.variables)
    for powers, charging in zip(model.powers, model.charging, strict=True):
        used = [power is not None and values[power] > NEGLIGIBLE_KW for power in powers]
        near = [any(used[max(0, slot - 1) : slot + 2]) for slot in range(len(used))]
        for slot, (power, state) in enumerate(zip(powers, charging, strict=True)):
            if power is None or state is None or near[slot]:
                continue
            variables[power] = variables[power]._replace(high=0.0)
            if not any(near[slot + 1 : slot + 2]):
                variables[state] = variables[state]._replace(high=0.0)
    for whole, first, second in model.choices:
        has_first, has_second = values[first] > NEGLIGIBLE_KW, values[second] > NEGLIGIBLE_KW
        if has_first != has_second:
            variables[whole] = variables[whole]._replace(low=float(has_first), high=float(has_first))
    return Programme(variables, model.programme.rows)


def _plan(home: Home, model: HomeModel, solution: Solution) -> HomePlan:
    values = solution.values
    cars = tuple(_car(home, model, number, values) for number in range(len(home.cars)))
    battery_w = tuple(
        (values[charge] - values[discharge]) * 1000
        for charge, discharge in zip(model.charge, model.discharge, strict=True)
    ) or (0.0,) * len(home.slots)
    return HomePlan(cars=cars, battery_w=battery_w, cost=home_cost(home, cars, battery_w), bound=solution.bound)


def _car(home: Home, model: HomeModel, number: int, values: Sequence[float]) -> PowerPlan:
    car = home.cars[number]
    least_w = min(low for low, _high in car.ranges_w)
    pieces: list[Piece] = []
    charged_kwh = 0.0
    for slot, power, state in zip(home.slots, model.powers[number], model.charging[number], strict=True):
        if power is None or state is None or values[power] <= NEGLIGIBLE_KW:
            continue
        mean_w = values[power] * 1000
        charged_kwh += mean_w / 1000 * ((slot.end - slot.start) / HOUR)
        if mean_w >= least_w * (1 - 1e-6):
            pieces.append(Piece(slot.start, slot.end, mean_w))
            continue
        lasts = (slot.end - slot.start) * (mean_w / least_w)
        if round(values[state]):
            pieces.append(Piece(slot.end - lasts, slot.end, least_w))
        else:
            pieces.append(Piece(slot.start, slot.start + lasts, least_w))
    short = [
        (goal, values[missing])
        for goal, missing in zip(car.goals, model.short[number], strict=True)
        if values[missing] > NEGLIGIBLE_KWH
    ]
    if not short:
        return PowerPlan(pieces=joined(pieces))
    goal, missing_kwh = short[0]
    most_w = max(high for _low, high in car.ranges_w)
    shortfall = Shortfall(
        need_kwh=goal.need_kwh,
        available_kwh=goal.need_kwh - missing_kwh,
        later=missing_kwh * 1000 / most_w * HOUR,
        lifted_kwh=0.0,
    )
    return PowerPlan(pieces=joined(pieces), shortfall=shortfall)
