"""Generated worlds that follow the sun with stations that tell the wrong of themselves (rows 1-8, 20, 22, 23, 30, 35, 36)."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta

from evcc_sim.plants.faults import FaultKind, ReadBack
from evcc_sim.plants.wallbox import Rounds
from evcc_sim.worlds.packs import Choice, Pack, Span
from evcc_sim.worlds.scenario import FaultSpec, Scenario
from evcc_sim.worlds.sun import PACKS as SUNNY

BENEATH = {pack.name: pack for pack in SUNNY}
BY_STATUS = ("sessions_equal_the_meter", "starts_have_sessions")
"""Sessions begin and end by the status; nobody can tell them from one that is wrong."""
UNKNOWN_STEP = ("raises_fit",)
"""What is offered above what was told is seen only once it is offered."""
LESS_SUN = ("sun_is_used",)
"""A wrong read-back may cost sun, and a start that comes later."""
SHOWS = {
    ReadBack.STATUS: (1.0, 2.0),
    ReadBack.ENABLED: (0.0, 1.0),
    ReadBack.CURRENT: (0.0, 16.0),
    ReadBack.PHASES: (1.0, 3.0),
    ReadBack.POWER: (0.0, 3000.0),
}
"""What reads as if nothing happened, and as if all the time."""


def lying_read_back(
    *,
    world: str = "clouds_at_phase_gap",
    drawn: int = 1,
    of: str = "enabled",
    how: str = "never",
    lag_s: float = 70.0,
    meter: str = "yes",
    ignored_at_h: float = 0.0,
    true_step_a: float = 0.0,
    rounds: str = "down",
) -> Scenario:
    """A world of the sun, drawn from seed ``drawn``, all of whose stations read back one value (or all settings) wrong or late.

    ``how``: ``never`` (as if nothing ever happened), ``always`` (as if it always did), ``wrong`` (never what is true), ``late``
    by ``lag_s``. Only stations that can switch phases tell which they have. ``ignored_at_h``: for two minutes from then on
    stations also ignore what they are told; 0: never. With a ``true_step_a`` they round what they are told, which the control
    does not know.
    """
    scenario = BENEATH[world].draw(drawn)
    boxes = [charger.box.name for charger in scenario.charger]
    tell = [charger.box.name for charger in scenario.charger if charger.box.can_switch_phases or of != "phases"]
    faults = [_fault(name, None if of == "all" else ReadBack(of), how, lag_s) for name in tell]
    if ignored_at_h:
        at = time(int(ignored_at_h), int(ignored_at_h * 60) % 60)
        faults += [
            FaultSpec(kind=FaultKind.IGNORED_WRITES, device=name, at=at, lasts=timedelta(minutes=2)) for name in boxes
        ]
    return replace(
        scenario,
        title="Stations that tell the wrong of themselves",
        charger=tuple(
            replace(
                charger,
                box=replace(charger.box, has_meter=meter == "yes", true_step_a=true_step_a, rounds=Rounds(rounds)),
            )
            for charger in scenario.charger
        ),
        fault=tuple(faults),
        allowed=(
            *scenario.allowed,
            *LESS_SUN,
            *(BY_STATUS if of in ("status", "all") else ()),
            *(UNKNOWN_STEP if true_step_a and rounds != Rounds.DOWN else ()),
        ),
    )


def _fault(device: str, of: ReadBack | None, how: str, lag_s: float) -> FaultSpec:
    """``how`` for a whole day. All settings at once can only be late."""
    spec = FaultSpec(
        kind=FaultKind.READ_BACK_WRONG, device=device, at=time(0), lasts=timedelta(days=1), every_day=True, of=of
    )
    if how == "late" or of is None:
        return replace(spec, kind=FaultKind.READ_BACK_LAG, params={"lag_s": lag_s})
    if how == "wrong":
        return spec
    return replace(spec, kind=FaultKind.READ_BACK_STUCK, params={"shows": SHOWS[of][how == "always"]})


PACKS = (
    Pack(
        "lying_read_back",
        (1, 2, 3, 4, 5, 6, 7, 8, 20, 22, 23, 30, 35, 36),
        lying_read_back,
        {
            "world": Choice(tuple(BENEATH)),
            "drawn": Span(1, 1000, whole=True),
            "of": Choice(("status", "enabled", "current", "phases", "power", "all")),
            "how": Choice(("never", "always", "wrong", "late")),
            "lag_s": Choice((20, 70, 150, 600)),
            "meter": Choice(("yes", "yes", "no")),
            "ignored_at_h": Choice((0, 0, 10, 13)),
            "true_step_a": Choice((0, 0, 1, 2)),
            "rounds": Choice(tuple(Rounds)),
        },
    ),
)
