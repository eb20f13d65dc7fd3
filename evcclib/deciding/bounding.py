"""A loadpoint within the limits of a step: what may be offered, and what those who cannot be told are granted."""

from __future__ import annotations

from evcclib.laws.demand import because
from evcclib.machines.limits.circuits import Allotment
from evcclib.machines.limits.safety import Clamped, clamp, lowered
from evcclib.pipeline.circuit_loads import drawable_a
from evcclib.pipeline.desk import LoadpointDesk, SiteDesk
from evcclib.reasons import ReasonCode


def can_be_told(lp: LoadpointDesk) -> bool:
    """False while a charger is silent, or a batch has not been answered yet."""
    return lp.facts.is_usable and lp.state.charger.pending is None


def grant_held(site: SiteDesk, limits: Allotment) -> None:
    """Before anything is divided: who cannot be told, or does not obey, keeps all it may be drawing; who has been told and has
    not answered yet is taken at its word."""
    for lp in site.desks:
        charger = lp.state.charger
        if not lp.facts.is_usable or charger.has_failed or charger.runs_unasked or charger.resists_current:
            limits.grant(lp.index, drawable_a(lp))
        elif charger.pending is not None:
            limits.grant(lp.index, charger.wanted_a or 0.0)


def leave_alone(lp: LoadpointDesk) -> None:
    """Say why a loadpoint cannot be told anything now."""
    loadpoint = lp.state
    if loadpoint.is_faulty:
        loadpoint.reason = because(ReasonCode.CHARGER_FAULT)
    elif not lp.facts.is_usable:
        loadpoint.reason = because(ReasonCode.CHARGER_SILENT)
    else:
        loadpoint.reason = because(ReasonCode.COMMAND_PENDING)


def clamped(
    lp: LoadpointDesk, current_a: float, limits: Allotment | None, *, phases: int = 0, offered_a: float
) -> Clamped:
    """``current_a`` within all limits; ``phases`` are those it may be drawn on, 0 the present ones.

    ``offered_a`` is what surely stands on these phases, 0 nothing.
    """
    bounds = lp.facts.bounds
    return clamp(
        current_a,
        minimum_a=bounds.minimum_a,
        maximum_a=bounds.maximum_a,
        step_a=bounds.step_a,
        ceiling=None if limits is None or current_a <= 0 else limits.ceiling(lp.index, phases or lp.facts.limited),
        offered_a=offered_a,
    )


def lowered_to(
    lp: LoadpointDesk, most_a: float, wanted_a: float, limits: Allotment | None, *, is_known: bool = True
) -> Clamped | None:
    """What to offer in place of up to ``most_a``, at most ``wanted_a``; None while that is within all limits.

    That a charger of which nothing is known (``is_known``) could offer more than the loadpoint's maximum does not mean it does.
    """
    bounds = lp.facts.bounds
    return lowered(
        most_a,
        min(wanted_a, bounds.maximum_a),
        minimum_a=bounds.minimum_a,
        maximum_a=bounds.maximum_a if is_known else max(most_a, bounds.maximum_a),
        step_a=bounds.step_a,
        ceiling=None if limits is None else limits.ceiling(lp.index, lp.facts.limited),
    )
