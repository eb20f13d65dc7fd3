"""What a site remembers from step to step.

States are values to their owners: `evcclib.site.step` copies the one it is given and changes only its copy. They are not
frozen, because a step touches most of their fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from evcclib.events import WarningCode
from evcclib.laws.law import Law
from evcclib.ledger import meter_ledger
from evcclib.ledger.savings import SavingsState
from evcclib.ledger.session import SessionState
from evcclib.machines import asking, soc
from evcclib.machines import detection as vehicles
from evcclib.machines.balance import NO_BATTERY, BatterySum
from evcclib.machines.battery import BatteryControl, Override
from evcclib.machines.charger import ChargerState
from evcclib.machines.hidden_sun import NOTHING_HIDDEN, HiddenSun
from evcclib.machines.hold import Timer
from evcclib.machines.limits.circuits import Load
from evcclib.machines.limits.mean_power import Bought
from evcclib.machines.phases import Narrowed
from evcclib.machines.unmetered import NOTHING_SEEN, UNWATCHED, Doubts, Watch
from evcclib.model import ChargerStatus, RemoteDemand
from evcclib.pipeline.lookup import SiteLayout
from evcclib.planning import plan_follow
from evcclib.planning.dues import Due
from evcclib.planning.house_load import HourMean
from evcclib.planning.power_follow import PlanInForce
from evcclib.readings import Measured, MeterReading, Readings
from evcclib.reasons import Reason, ReasonCode
from evcclib.settings import LoadpointSettings, SiteSettings, VehicleSettings
from evcclib.tariff import Rate
from evcclib.units import Instant


class Offer(NamedTuple):
    """What a vehicle is offered, and the most it may have drawn since its newest sample [A]; ``raised_at``: since when more."""

    current_a: float
    drawable_a: float
    raised_at: Timer


NO_OFFER = Offer(0.0, 0.0, None)


class Effect(NamedTuple):
    """How commands change the site power, at least and at most [W]; negative where they lower it."""

    least_w: float
    most_w: float


NO_EFFECT = Effect(0.0, 0.0)


@dataclass(slots=True)
class LoadpointState:
    """One loadpoint. Instants are monotonic.

    ``effect`` is what its batch of ``effect_at`` will change of the site power; ``priority_of_vehicle`` replaces the setting
    while its vehicle is active [DEF-20]. SoC goals set without a vehicle live in ``settings`` until disconnect.
    ``drawn`` are the newest samples of its load on the grid phases, ``offer`` is what it was offered meanwhile; both are kept
    only where a circuit limits it, and not exported.
    ``limited_at`` is when a limit has stopped it last: it starts again no sooner than its guard allows. ``narrowed``: a limit
    leaves it one phase only.
    ``measured_phases`` are those that the law has counted [MEA-4], ``proven_phases`` those that limits count on; 0: unknown.
    ``idle_switches`` counts the switches of phases since the vehicle has charged.
    ``doubts`` are what was learned of a vehicle without a meter, ``watch`` what is being learned; the latter is not exported.
    ``memory`` is the law's; it is exported under that law's name.
    ``wants_odometer``: it is still to be asked for.
    ``due`` is the goal that was planned for last, ``plan_slots`` when that charges, which is not exported.
    ``power_plan`` is the plan in force where power is planned, ``power_drawn_w`` the most that the vehicle has taken when it was
    offered all, 0: not known.
    """

    settings: LoadpointSettings
    charger: ChargerState
    status: ChargerStatus | None = None
    is_silent: bool = False
    is_faulty: bool = False
    connected_at: Timer = None
    memory: Any = None
    measured_phases: int = 0
    proven_phases: int = 0
    idle_switches: int = 0
    power: Measured[float] | None = None
    doubts: Doubts = NOTHING_SEEN
    watch: Watch = UNWATCHED
    drawn: tuple[Measured[Load], ...] = ()
    offer: Offer = NO_OFFER
    limited_at: Timer = None
    narrowed: Narrowed | None = None
    remote_demand: RemoteDemand = RemoteDemand.ENABLE
    remote_source: str = ""
    vehicle: str | None = None
    vehicle_since: Timer = None
    priority_of_vehicle: int | None = None
    identity: str = ""
    detection: vehicles.DetectionState = vehicles.IDLE
    poll: asking.PollState = asking.NEVER_ASKED
    climate_poll: asking.PollState = asking.NEVER_ASKED
    wants_odometer: bool = False
    odometer_asked_at: Timer = None
    odometer_km: float | None = None
    soc: soc.SocState = soc.UNKNOWN
    progress_pct: float = 0.0
    ledger: meter_ledger.LedgerState = meter_ledger.EMPTY
    timer: meter_ledger.TimerState = meter_ledger.STANDING
    session: SessionState | None = None
    plan: plan_follow.PlanState = plan_follow.IDLE
    due: Due | None = None
    plan_slots: tuple[Rate, ...] = ()
    power_plan: PlanInForce | None = None
    power_drawn_w: float = 0.0
    effect: Effect = NO_EFFECT
    effect_at: Timer = None
    warnings: frozenset[WarningCode] = frozenset()
    reason: Reason = field(default_factory=lambda: Reason(ReasonCode.STARTING))

    def copy(self) -> LoadpointState:
        """An independent state with the same values."""
        return LoadpointState(*_LOADPOINT_VALUES(self))


_LOADPOINT_VALUES = attrgetter(*(each.name for each in fields(LoadpointState)))


class Balance(NamedTuple):
    """Where the power goes [W]; None: unknown [SITE-6..SITE-16]."""

    grid_w: float | None = None
    pv_w: float | None = None
    battery: BatterySum = NO_BATTERY
    aux_w: float | None = 0.0
    home_w: float | None = None
    site_w: float | None = None


class Figures(NamedTuple):
    """What the last step made of the readings, for those who look on; None: unknown [TAR-9]."""

    balance: Balance = Balance()
    green_share: float | None = None
    green_share_cars: float | None = None
    price_grid: float | None = None
    price_feed_in: float | None = None
    co2_g_per_kwh: float | None = None


NO_FIGURES = Figures()


@dataclass(slots=True)
class SiteState:
    """A whole site. ``grid`` is the newest grid power, measured or worked out [SITE-9]; ``readings`` and ``figures`` are those of
    the last step, ``meters`` the newest values of meters on which a limit depends (by circuit, the grid's under ""), ``load``
    what no meter explained when every vehicle without one had last settled, ``voltage`` the highest that limits count with if it
    is above the assumed one; none of them is exported, nor ``battery_override``, what somebody else wants of the batteries, nor
    ``plan_basis``, what plans in force were made of. Where power is planned ``house`` is what the house takes [W], ``house_load``
    what it usually takes at each hour of the week. ``bought`` is in the present windows of limits of the mean power, by their
    circuit. ``memory`` is that of the law called ``law``, exported under its name."""

    settings: SiteSettings
    vehicle_settings: Mapping[str, VehicleSettings]
    loadpoints: tuple[LoadpointState, ...]
    savings: SavingsState
    started_at: Instant
    law: str = ""
    memory: Any = None
    tick_at: Timer = None
    grid: Measured[float] | None = None
    pv: tuple[Measured[float] | None, ...] = ()
    batteries: tuple[Measured[float] | None, ...] = ()
    battery_socs: tuple[Measured[float] | None, ...] = ()
    battery_controls: tuple[BatteryControl, ...] = ()
    battery_override: Override | None = None
    aux: tuple[Measured[float] | None, ...] = ()
    hidden_sun: HiddenSun = NOTHING_HIDDEN
    stale: frozenset[str] = frozenset()
    meters: Mapping[str, MeterReading] = field(default_factory=dict)
    bought: Mapping[str, Bought] = field(default_factory=dict)
    load: Measured[float] | None = None
    voltage: Measured[float] | None = None
    last_success: datetime | None = None
    last_success_at: Timer = None
    readings: Readings = field(default_factory=Readings)
    figures: Figures = NO_FIGURES
    layout: SiteLayout | None = None
    house: Measured[float] | None = None
    house_load: tuple[HourMean, ...] = ()
    plan_basis: object = None

    def copy(self) -> SiteState:
        """An independent state with the same values."""
        state = SiteState(*_SITE_VALUES(self))
        state.loadpoints = tuple([loadpoint.copy() for loadpoint in self.loadpoints])
        return state


_SITE_VALUES = attrgetter(*(each.name for each in fields(SiteState)))


def begin_afresh(state: SiteState, law: Law) -> None:
    """Let ``law`` decide from now on, which remembers nothing."""
    state.law, state.memory = law.name, law.fresh_site
    for loadpoint in state.loadpoints:
        loadpoint.memory = law.fresh
