"""A tiny world for tests of the step: a site whose readings are set by hand, and whose commands succeed unless told otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from evcclib.commands import (
    Batch,
    BatteryCommand,
    BatteryOutcome,
    Command,
    Disable,
    Enable,
    Outcome,
    Read,
    Result,
    SetCurrent,
    SwitchPhases,
)
from evcclib.config import ChargerConfig, LoadpointConfig, SiteConfig
from evcclib.decision import Decision
from evcclib.events import Event
from evcclib.model import Cause, ChargeMode, ChargerStatus, Now, PhaseTriple, TariffKind
from evcclib.pipeline.state import LoadpointState
from evcclib.readings import (
    ABSENT,
    BatteryReading,
    ChargerReading,
    Measured,
    MeterReading,
    Missing,
    OperatorLimit,
    Reading,
    Readings,
    VehicleReading,
)
from evcclib.requests import ChangeLoadpointSetting, Request
from evcclib.settings import SettingValue
from evcclib.site import Site
from evcclib.tariff import Rates

E = TypeVar("E", bound=Event)

NOON = datetime(2023, 6, 1, 12, tzinfo=UTC)
S: Any = timedelta(seconds=1)
"""So many of them are a duration, or an instant of the bench's clock."""


def loadpoint(**values: object) -> LoadpointConfig:
    """A loadpoint in mode pv unless told otherwise; keywords that belong to its charger go there."""
    of_charger = {
        key: values.pop(key)
        for key in list(values)
        if key in ChargerConfig.__dataclass_fields__ and key != "current_max_a"
    }
    values.setdefault("mode", ChargeMode.PV)
    if of_charger:
        values["charger"] = ChargerConfig(**of_charger)  # type: ignore[arg-type]
    return LoadpointConfig(**values)  # type: ignore[arg-type]


def site_config(*loadpoints: LoadpointConfig, **values: object) -> SiteConfig:
    return SiteConfig(time_zone=UTC, loadpoints=loadpoints or (loadpoint(),), **values)  # type: ignore[arg-type]


@dataclass(slots=True)
class Box:
    """One charger and its car, as far as they can be read. ``draws``: the car takes what it is offered while C."""

    status: ChargerStatus | None = ChargerStatus.A
    is_enabled: bool = False
    offered_a: float = 0.0
    phases: int = 3
    car_phases: int = 3
    draws: bool = True
    starts: bool = True  # the car goes to C when enabled and back to B when disabled
    power_w: float | None = None
    currents_a: PhaseTriple | None = None
    shows_currents: bool = False
    extra: dict[str, Reading[object]] = field(default_factory=dict)
    result: Result = Result.DONE
    applied: int | None = None


class Bench:
    """Steps a site through time. Instants in seconds."""

    def __init__(self, config: SiteConfig, *, grid_w: float | None = 0.0, seconds: float = 0.0) -> None:
        self.config = config
        self.utc = NOON
        self.t = seconds * S
        self.site = Site(config, now=self.now)
        self.grid_w: float | None = grid_w
        self.voltage_v = config.voltage_v  # what the grid delivers
        self.grid: MeterReading | None = None
        self.pv_w: list[float | None] = [0.0] * config.pv_count
        self.battery: list[tuple[float | None, float | None]] = [(0.0, 50.0)] * len(config.batteries)
        self.aux_w: list[float | None] = [0.0] * config.aux_count
        self.boxes = [Box(phases=each.phases or 3) for each in config.loadpoints]
        self.vehicles: dict[str, VehicleReading] = {}
        self.circuits: dict[str, MeterReading] = {}
        self.tariffs: dict[TariffKind, Rates] = {}
        self.operator: OperatorLimit | None = None
        self.outcomes: list[Outcome] = []
        self.battery_outcomes: list[BatteryOutcome] = []
        self.battery_result: Result | None = Result.DONE  # None: nobody ever says what became of a command
        self.told: list[BatteryCommand] = []
        self.sent: list[tuple[Command, ...]] = []
        self.events: list[Event] = []
        self.reads: frozenset[Read] = frozenset()
        self.decision: Decision | None = None
        self.answers_at_once = True
        self.has_started = False

    @property
    def now(self) -> Now:
        return Now(self.t, self.utc + self.t)

    @property
    def lp(self) -> LoadpointState:
        return self.site.state.loadpoints[0]

    @property
    def box(self) -> Box:
        return self.boxes[0]

    def measured(self, value: float | None) -> Reading[float]:
        return Missing(self.t) if value is None else Measured(value, self.t)

    def charger_reading(self, box: Box) -> ChargerReading:
        if box.status is None:
            return ChargerReading(status=Missing(self.t))
        return replace(
            ChargerReading(
                status=Measured(box.status, self.t),
                is_enabled=Measured(box.is_enabled, self.t),
                power_w=Measured(self.power(box), self.t),
                currents_a=Measured(self.currents(box), self.t) if box.shows_currents or box.currents_a else ABSENT,
            ),
            **box.extra,  # type: ignore[arg-type]
        )

    def power(self, box: Box) -> float:
        if box.power_w is not None:
            return box.power_w
        return sum(self.currents(box)) * self.voltage_v

    def currents(self, box: Box) -> PhaseTriple:
        if box.currents_a is not None:
            return box.currents_a
        if box.status is not ChargerStatus.C or not box.draws or not box.is_enabled:
            return (0.0, 0.0, 0.0)
        first, second, third = (box.offered_a if phase < min(box.phases, box.car_phases) else 0.0 for phase in range(3))
        return (first, second, third)

    def readings(self) -> Readings:
        grid = self.grid
        if grid is None and self.config.has_grid:
            grid = MeterReading(power_w=self.measured(self.grid_w))
        outcomes, self.outcomes = tuple(self.outcomes), []
        battery_outcomes, self.battery_outcomes = tuple(self.battery_outcomes), []
        return Readings(
            grid=grid,
            pv=tuple(MeterReading(power_w=self.measured(power)) for power in self.pv_w),
            batteries=tuple(
                BatteryReading(power_w=self.measured(power), soc_pct=self.measured(soc)) for power, soc in self.battery
            ),
            aux=tuple(MeterReading(power_w=self.measured(power)) for power in self.aux_w),
            chargers=tuple(self.charger_reading(box) for box in self.boxes),
            vehicles=self.vehicles,
            circuits=self.circuits,
            tariffs=self.tariffs,
            outcomes=outcomes,
            operator_limit=self.operator,
            battery_outcomes=battery_outcomes,
        )

    def step(self, cause: Cause | None = None, readings: Readings | None = None) -> tuple[Command, ...]:
        """One step; returns what the first loadpoint was sent."""
        if cause is None:
            cause = Cause.INTERVAL if self.has_started else Cause.START
        self.has_started = True
        decision = self.site.step(self.readings() if readings is None else readings, now=self.now, cause=cause)
        self.decision = decision
        self.events += decision.events
        self.reads = decision.reads
        for index, batch in decision.commands.items():
            self.sent.append(batch.commands)
            if self.answers_at_once:
                self.answer(index, batch)
        for index, command in decision.battery_commands.items():
            self.told.append(command)
            if self.battery_result is not None:
                self.battery_outcomes.append(BatteryOutcome(index, command.number, self.battery_result))
                self.step(Cause.OUTCOME)
        first = decision.commands.get(0)
        return () if first is None else first.commands

    def answer(self, index: int, batch: Batch) -> None:
        """Let the charger carry ``batch`` out; the outcome is delivered at once."""
        box = self.boxes[index]
        applied = len(batch.commands) if box.result is Result.DONE else (box.applied or 0)
        for command in batch.commands[:applied]:
            self.carry_out(box, command)
        self.outcomes.append(Outcome(index, batch.number, box.result, applied))
        self.step(Cause.OUTCOME)

    def carry_out(self, box: Box, command: Command) -> None:
        if isinstance(command, SetCurrent):
            box.offered_a = command.current_a
        elif isinstance(command, Enable):
            box.is_enabled = True
            if box.status is ChargerStatus.B and box.starts:
                box.status = ChargerStatus.C
        elif isinstance(command, Disable):
            box.is_enabled = False
            if box.status is ChargerStatus.C and box.starts:
                box.status = ChargerStatus.B
        elif isinstance(command, SwitchPhases):
            box.phases = command.phases

    def at(self, seconds: float, cause: Cause | None = None) -> tuple[Command, ...]:
        """Step at ``seconds``; decision's commands for the first loadpoint."""
        self.t = seconds * S
        return self.step(cause)

    def submit(self, request: Request) -> tuple[Event, ...]:
        events = self.site.submit(request, now=self.now)
        self.events += events
        return events

    def set(self, name: str, value: SettingValue, index: int = 0) -> tuple[Event, ...]:
        return self.submit(ChangeLoadpointSetting(index, name, value))

    def found(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]


def run(
    bench: Bench, seconds: Iterable[float], *, house_w: float = 0.0, sun_w: float = 0.0
) -> dict[float, tuple[Command, ...]]:
    """Close the loop: the grid carries house + cars - sun; what was sent at which time."""
    sent: dict[float, tuple[Command, ...]] = {}
    for second in seconds:
        bench.t = second * S
        bench.grid_w = house_w + sum(bench.power(box) for box in bench.boxes) - sun_w
        commands = bench.step()
        if commands:
            sent[second] = commands
    return sent
