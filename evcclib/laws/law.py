"""The seam between the pipeline and a control law: what a law is shown, what it answers, and what it must be.

A law decides the whole site: it is shown everything at once, then asked for one loadpoint after the other, those of higher
priority first. What becomes of an answer (limits, steps, guard) is the pipeline's; before the next loadpoint is asked for, it is
in the sun which that one sees. So a law may decide each loadpoint when it is asked for it, or all of them before::

    class Halves(Law):
        name = "halves"

        def decide(self, seen: SiteSeen) -> tuple[None, Ask]:
            targets = [Target(each.demand.wanted_a / 2, 0, False, each.demand.reason) for each in seen.loadpoints]
            return None, lambda memory, turn: (targets[turn.loadpoint], memory)

    Site(config, now=now, law=Halves())

A law itself keeps nothing. What it has to remember are values, immutable, one for the site and one for each loadpoint, which the
state of the site holds and exports for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from evcclib.allowed import Table
from evcclib.laws.demand import Demand
from evcclib.machines.charger import ChargerState
from evcclib.machines.limits.circuits import Ceiling, Room
from evcclib.machines.replaced import often_replaced
from evcclib.machines.unmetered import Taken
from evcclib.model import Cause, PhaseAction, PhaseTriple, PvAction, Sharing
from evcclib.reasons import Reason
from evcclib.settings import LoadpointSettings
from evcclib.units import Instant

ON_TICKS_AND_REQUESTS = frozenset((Cause.START, Cause.INTERVAL, Cause.REQUEST, Cause.WAKE))


@often_replaced
class Sun(NamedTuple):
    """The site power [W]; None: the grid meter is silent, and counts as lost at ``lost_at``. ``residual_w``: an owner's part
    of it, above which nothing shall be bought."""

    power_w: float | None
    sampled_at: Instant
    lost_at: Instant
    is_buffered: bool
    is_buffer_start: bool
    has_battery_priority: bool
    residual_w: float = 0.0

    def shifted(self, power_w: float) -> Sun:
        """The sun with so much more site power."""
        if self.power_w is None or power_w == 0.0:
            return self
        return self._replace(power_w=self.power_w + power_w)


class Target(NamedTuple):
    """What a law wants of a loadpoint: a current [A], 0 = stop, before any limit; ``phases`` 0: as they are.

    ``may_start``: it would be started for it, or has been stopped for it, too; a current that is only kept until a delay is over
    is no reason for either.
    """

    current_a: float
    phases: int
    is_forced: bool
    reason: Reason
    may_start: bool = True


class Seen(NamedTuple):
    """One loadpoint as a law sees it.

    ``charger`` is what is known of the station, ``minimum_a``, ``maximum_a`` and ``step_a`` what it can be set to [A].
    ``is_told``: False while it must be left alone; then nobody asks for it. ``taken`` is what the vehicle draws, None: unknown;
    in ``currents_a`` NaN stands for a phase of which nothing is known. ``active`` are the phases that it uses, as far as known;
    ``vehicle_phases`` and ``measured_phases`` may be 0, unknown. ``is_shown``: the site power shows what its last command has
    changed; ``unseen_w`` is the most that this may still add to it [W]. ``reason`` is that of the last decision.
    """

    demand: Demand
    settings: LoadpointSettings
    priority: int
    charger: ChargerState
    minimum_a: float
    maximum_a: float
    step_a: float
    is_switchable: bool
    is_told: bool
    is_charging: bool
    taken: Taken | None
    currents_a: PhaseTriple | None
    active: int
    vehicle_phases: int
    measured_phases: int
    idle_switches: int
    plan_start: datetime | None
    is_shown: bool
    unseen_w: float
    guard_duration: timedelta
    reason: Reason
    memory: Any


class Limits(Protocol):
    """What limits leave to a loadpoint, as far as others have been granted theirs by now."""

    def ceiling(self, loadpoint: int, phases: int) -> Ceiling | None:
        """The most on so many phases; None when no limit concerns it."""

    def rooms(self) -> Iterable[Room]:
        """All that limits leave to all loadpoints together."""


class SiteSeen(NamedTuple):
    """A site as a law sees it. ``limits`` None: there are none beside each charger's own. ``sharing``: how equals shall share."""

    instant: Instant
    utc: datetime
    voltage_v: float
    sun: Sun
    limits: Limits | None
    loadpoints: Sequence[Seen]
    memory: Any
    sharing: Sharing


class Turn(NamedTuple):
    """A loadpoint that is asked for. ``sun``: after what the others' last commands will change, those of this step included;
    limits leave room for ``phases_max`` phases [PH-7]."""

    loadpoint: int
    sun: Sun
    phases_max: int


Ask = Callable[[Any, Turn], tuple[Target, Any]]
"""What a law wants for a loadpoint, and its memory of it afterwards, given the one before."""


class News(Enum):
    """What happens to a loadpoint between decisions, and concerns what a law may be waiting for."""

    HURRY = "hurry"  # the next decision on surplus is to be immediate [PVT-3]
    ENABLE_CHANGED = "enable"  # what a decision on surplus led to has happened [DEF-4]
    PHASES_SWITCHED = "switched"  # as a command of ours wanted it
    PHASES_BECAME = "phases"  # other ones are connected than was thought
    CHARGE_STOPPED = "stopped"
    PV_LEFT = "pv"  # the mode is not pv any more [SET-2]
    SUN_LEFT = "sun"  # nor minpv


class Outlook(NamedTuple):
    """What a law is waiting for at a loadpoint, and when that is over."""

    pv_action: PvAction = PvAction.INACTIVE
    pv_at: Instant | None = None
    phase_action: PhaseAction = PhaseAction.INACTIVE
    phase_at: Instant | None = None


class Law:
    """A control law without memory, that may decide otherwise at every tick; subclasses say more of themselves.

    ``fresh`` and ``fresh_site`` are what it remembers before its first decision, of a loadpoint and of the site: None, or a
    named tuple with defaults, or a frozen dataclass, of plain values, enums, others of its kind, and unions of dataclasses that
    name their ``kind``; ``allowed`` has the ranges of their numbers. On other causes than ``causes`` limits alone act.
    """

    name: str
    causes: frozenset[Cause] = ON_TICKS_AND_REQUESTS
    fresh: Any = None
    fresh_site: Any = None
    allowed: Table = MappingProxyType({})

    def decide(self, seen: SiteSeen) -> tuple[Any, Ask]:
        """What it remembers of the site from now on, and how it is asked for each loadpoint, at most once."""
        raise NotImplementedError

    def hear(self, memory: Any, news: News) -> Any:  # noqa: ARG002  this one waits for nothing
        """What it remembers of a loadpoint to which this has happened; the same object if that changes nothing."""
        return memory

    def outlook(
        self,
        memory: Any,  # noqa: ARG002  this one waits for nothing
        *,
        settings: LoadpointSettings,  # noqa: ARG002
        is_charging: bool,  # noqa: ARG002
        idle_switches: int,  # noqa: ARG002
    ) -> Outlook:
        """What it is waiting for at a loadpoint, for those who look on."""
        return Outlook()

    def next_change(self, seen: SiteSeen, memory: Any, memories: Sequence[Any]) -> Instant | None:  # noqa: ARG002
        """When it could decide otherwise while readings stay as ``seen``; None: never, ``seen.instant``: at the next tick.

        ``memory`` and ``memories`` are what it remembers after its decision, which has led to no command.
        """
        return seen.instant
