"""What several invariants ask of a trace: bounds in force, faults around a moment, how patient to be."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from evcc_sim.judge.trace import InForce, Instant, LoadpointInstant, Trace
from evcc_sim.plants.car import CarSpec
from evcc_sim.plants.faults import Fault, FaultKind
from evcc_sim.worlds.actions import OperatorSpan, operator_limit_w, operator_spans
from evcc_sim.worlds.scenario import Scenario
from evcclib.commands import SwitchPhases
from evcclib.events import SettingChanged, VehicleAssigned, VehicleConnected
from evcclib.machines.charger import DRAWING_W
from evcclib.model import ChargeMode, PhaseTriple
from evcclib.settings import LoadpointSettings

REACTION_S = 15.0
"""Beyond the interval, what station and car need to follow a command (IEC 61851-1: 5 s) and the measurement to show it."""


UNDER_WAY_S = 5.0
"""A command may have been decided so long before it reaches the station, by the settings of then."""
GOAL_MARGIN_PCT = 10.0
"""So far the SoC that a control works with may be from the true one: rounded, refreshed now and then, estimated in between."""
GOAL_REASONS = frozenset({"target_soc_reached", "target_energy_reached", "climate"})
FORCING_REASONS = frozenset({"min_soc", "plan_active", "smart_cost"})
SETTLED_AFTER_S = 600.0
"""A fault excuses what happens up to so long after it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Minimum and maximum current of a loadpoint [A]."""

    low_a: float
    high_a: float


def bounds(trace: Trace, loadpoint: int, second: float) -> Bounds:
    """What a command that reaches the station at ``second`` may have been decided by: the widest of what was in force."""
    wishes = trace.in_force_between(second - UNDER_WAY_S, second)
    settings = [wish.loadpoints[loadpoint] for wish in wishes]
    return Bounds(min(each.current_min_a for each in settings), max(each.current_max_a for each in settings))


def current_max_a(trace: Trace, loadpoint: int, settings: LoadpointSettings, car: CarSpec | None = None) -> float:
    """The most that loadpoint, station and, if it is given, the car allow now [A]."""
    high_a = min(settings.current_max_a, trace.scenario.charger[loadpoint].box.current_max_a)
    return high_a if car is None else min(high_a, car.current_max_a)


def delays_s(settings: LoadpointSettings) -> float:
    """Enable and disable delay together [s]."""
    return (settings.enable_delay + settings.disable_delay).total_seconds()


def is_hungry(trace: Trace, instant: Instant, loadpoint: int, wish: InForce, *, margin_pct: float = 1.0) -> bool:
    """Whether the car would take all that it is offered: neither near its end nor at a goal that people have set."""
    now, settings = instant.loadpoints[loadpoint], wish.loadpoints[loadpoint]
    car = car_of(trace.scenario, now.car)
    if car is None:
        return False
    end_pct = min(car.soc_limit_pct, car.taper_from_pct)
    if now.soc_pct >= end_pct - margin_pct:
        return False
    if now.reason not in GOAL_REASONS or not fits(now.reason, settings):
        return True
    if wish.vehicles[loadpoint] != now.car or now.reason == "climate" or settings.energy_target_kwh > 0:
        return False  # of another vehicle, or counted in energy
    return now.soc_pct < (settings.soc_target_pct or 100) - GOAL_MARGIN_PCT


def swings_by_wish(trace: Trace, loadpoint: int, settings: LoadpointSettings) -> bool:
    """Whether its owner lets it start with less sun than it needs to go on: then it starts and stops under a constant sun."""
    if settings.mode is not ChargeMode.PV or settings.enable_threshold_w == 0:
        return False
    box = trace.scenario.charger[loadpoint].box
    phases = box.phases if settings.phases_configured == 0 else settings.phases_configured
    least_w = settings.current_min_a * phases * (trace.scenario.site.true_voltage_v or trace.scenario.site.voltage_v)
    return -settings.enable_threshold_w < least_w - settings.disable_threshold_w


def counted_phases(scenario: Scenario, index: int, loadpoint: LoadpointInstant) -> int:
    """The phases that a control must count on under a limit: those that it sees the car use, else all that are connected."""
    car = car_of(scenario, loadpoint.car)
    if car is None or not scenario.charger[index].box.has_meter or loadpoint.power_w < DRAWING_W:
        return loadpoint.phases
    return min(car.phases, loadpoint.phases)


def seen_powers_w(scenario: Scenario, index: int, loadpoint: LoadpointInstant) -> PhaseTriple:
    """What a station surely draws on each grid phase, as far as one can see it [W].

    Without a meter the site's power shows the sum, and nobody on which of the connected phases it flows.
    """
    box = scenario.charger[index].box
    if box.has_meter:
        return loadpoint.powers_w
    phases = box.phase_rotation[: counted_phases(scenario, index, loadpoint)]
    even_w = loadpoint.power_w / len(phases)
    first, second, third = (min(own_w, even_w) for own_w in loadpoint.powers_w)
    return (first, second, third)


class Doubt:
    """How much less a house takes than when one could see what the cars at some stations take, asked at each instant: it might
    have been those cars."""

    def __init__(self, stations: list[int]) -> None:
        self._stations = stations
        self._offers_a: dict[int, float] = {}
        self._settles_s: dict[int, float] = {}
        self._seen_w: dict[int, float] = {}

    def fallen_w(self, instant: Instant) -> float:
        """[W]; 0 if it takes more."""
        load_w = instant.grid_w + instant.pv_w + instant.battery_w - instant.charge_w
        for station in self._stations:
            offer_a = instant.loadpoints[station].pilot_a
            if offer_a != self._offers_a.get(station):
                self._offers_a[station] = offer_a
                self._settles_s[station] = instant.second + SETTLES_S
            if instant.second <= self._settles_s[station]:
                self._seen_w[station] = load_w
        offered = [self._seen_w[station] for station in self._stations if self._offers_a[station] > 0]
        return max([0.0, *(seen_w - load_w for seen_w in offered)])


SETTLES_S = 60.0
"""So long a car takes at most from an offer to its current."""


def takes_offence(car: CarSpec) -> bool:
    """Whether a car may refuse what it is offered, for reasons of its own."""
    return car.sleep_after_s > 0 or car.phase_pause_min_s > 0


def car_of(scenario: Scenario, name: str) -> CarSpec | None:
    return next((car for car in scenario.car if car.name == name), None)


class Operator:
    """What the grid operator allows, at the moments that an invariant asks for."""

    def __init__(self, trace: Trace) -> None:
        self._spans: list[OperatorSpan] = operator_spans(trace.scenario, trace.days)
        edges = {edge for span in self._spans for edge in (span.start_s, span.end_s, span.expires_s)}
        self._edges = sorted(edges)

    def limit_w(self, second: float) -> float | None:
        """[W]; None: everything."""
        return operator_limit_w(self._spans, second) if self._spans else None

    def unchanged_since(self, second: float) -> float:
        """The last second up to ``second`` at which a limit began or ended."""
        position = bisect_right(self._edges, second)
        return self._edges[position - 1] if position else float("-inf")

    def is_limiting(self, second: float, *, after_s: float = 0.0) -> bool:
        """Whether it limits now, or did so up to ``after_s`` ago."""
        if not self._spans:
            return False
        return self.limit_w(second) is not None or second - self.unchanged_since(second) <= after_s

    @property
    def ends(self) -> list[float]:
        """The seconds at which the site is free again."""
        free = [edge for edge in self._edges if self.limit_w(edge) is None and self.limit_w(edge - 1e-3) is not None]
        return [edge for edge in free if edge != float("inf")]


def circuit_members(scenario: Scenario, name: str) -> list[int]:
    below = {name}
    grown = True
    while grown:
        more = {circuit.name for circuit in scenario.circuit if circuit.parent in below} - below
        below |= more
        grown = bool(more)
    return [index for index, charger in enumerate(scenario.charger) if charger.loadpoint.circuit in below]


def by_itself(reason: str) -> str:
    """A reason that begins and ends with the car's SoC or the clock, though nobody does anything; "" for all others."""
    return reason if reason in GOAL_REASONS or reason in FORCING_REASONS else ""


def fits(reason: str, settings: LoadpointSettings) -> bool:
    """Whether a reason is one that these wishes can give; what nobody wishes explains nothing."""
    match reason:
        case "mode_now":
            return settings.mode is ChargeMode.NOW
        case "mode_off":
            return settings.mode is ChargeMode.OFF
        case "minimum_power":
            return settings.mode is ChargeMode.MINPV
        case "min_soc":
            return settings.soc_min_pct > 0
        case "plan_active" | "plan_waiting":
            return settings.target_time is not None
        case "smart_cost":
            return settings.smart_cost_limit is not None
        case "target_energy_reached":
            return settings.energy_target_kwh > 0
        case _:
            return True


def is_calm(reason: str) -> bool:
    return reason.startswith("surplus") or reason in {"guard", "battery_buffer", "battery_priority", "command_pending"}


def is_disturbed(trace: Trace, loadpoint: int, start_s: float, end_s: float) -> bool:
    """Whether something other than the sun explains a change."""
    for second, event in trace.events:
        if start_s <= second <= end_s and isinstance(event, (VehicleConnected, VehicleAssigned, SettingChanged)):
            return True
    if any(start_s <= note.second <= end_s for note in trace.notes):
        return True
    if any(
        start_s <= sent.second <= end_s
        and sent.loadpoint == loadpoint
        and (isinstance(sent.command, SwitchPhases) or not sent.accepted)
        for sent in trace.sent
    ):
        return True
    return any(fault.start_s <= end_s and fault.end_s + 120 >= start_s for fault in trace.faults)


def faults_of(trace: Trace, device: str, kinds: frozenset[FaultKind]) -> list[Fault]:
    return [fault for fault in trace.faults if fault.device == device and fault.kind in kinds]


def is_tapering(trace: Trace, soc_pct: float, name: str) -> bool:
    car = car_of(trace.scenario, name)
    return car is not None and soc_pct > min(car.taper_from_pct, car.soc_limit_pct) - 1.0


def patience_s(scenario: Scenario) -> float:
    """How long control needs to see and follow a change [s]."""
    meter = scenario.grid.meter
    slowest_s = max((car.dead_time_s + car.start_delay_s + 16 / car.ramp_a_per_s for car in scenario.car), default=10.0)
    return 3 * scenario.site.interval_s + meter.refresh_s + meter.lag_s + slowest_s + REACTION_S


def noise_w(scenario: Scenario) -> float:
    """How far the grid meter's word may be from the truth by its noise (three deviations) and its steps [W]."""
    meter = scenario.grid.meter
    return 3 * meter.noise_w + meter.resolution_w


def is_excused(faults: tuple[Fault, ...] | list[Fault], second: float, *, before_s: float = 60.0) -> bool:
    """Whether one of ``faults`` rages at ``second``, or has until a while ago."""
    return any(fault.start_s - before_s <= second < fault.end_s + SETTLED_AFTER_S for fault in faults)


def faults_between(trace: Trace, start_s: float, end_s: float) -> bool:
    """Whether any fault rages between the two seconds."""
    return any(fault.start_s <= end_s and fault.end_s >= start_s for fault in trace.faults)
