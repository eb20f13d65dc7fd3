"""evcc of August 2026 as a control: ``--control evcc``."""

from __future__ import annotations

from collections.abc import Sequence

from evcc_sim.rivals.door import Look, RivalControl, soc_pct
from evcc_sim.rivals.models.evcc import PERIOD_S, Charger, Circuit, Evcc, Inputs, Loadpoint, Settings
from evcc_sim.rivals.models.evcc import Command as EvccCommand
from evcclib.commands import Command, Disable, Enable, SetCurrent, SwitchPhases
from evcclib.config import CircuitConfig, LoadpointConfig, SiteConfig
from evcclib.laws.demand import is_cheap
from evcclib.model import ChargeMode, ChargerStatus, Now, TariffKind
from evcclib.readings import ChargerReading
from evcclib.tariff import price_at
from evcclib.units import SECOND
from evcclib.view import LoadpointView

NAME = "evcc"
STATUSES = (ChargerStatus.A, ChargerStatus.B, ChargerStatus.C)


def control(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> RivalControl:
    """A factory as `evcc_sim.runs.controls.ControlFactory` describes it. Raises `InvalidScenario`."""
    return RivalControl(EvccRival(config), config, restored, now=now)


class EvccRival:
    """evcc's law with the readings and settings of a site."""

    name = NAME
    period_s = PERIOD_S
    modes = frozenset(ChargeMode)
    knows_prices = True
    phases = frozenset({0, 1, 3})
    hears_requests = True  # [E2]

    def __init__(self, config: SiteConfig) -> None:
        self._config = config
        self._circuits = tuple(_circuit(each, config.circuits) for each in config.circuits)
        self._law: Evcc | None = None
        self._tick = -1

    def decide(self, look: Look) -> dict[int, Sequence[Command]]:
        if look.changed is not None:  # besides the round [E2]
            return self._update(look, look.changed)
        self._tick += 1  # round robin [E1]
        return self._update(look, self._tick % len(self._config.loadpoints))

    def _update(self, look: Look, decided: int) -> dict[int, Sequence[Command]]:
        settings = self._settings(look)
        if self._law is None:
            self._law = Evcc(settings)
        self._law.settings = settings
        commands = self._law.tick(self._inputs(look), decided, now=look.second)
        return {decided: [_command(each) for each in commands]}

    # -- what it sees ------------------------------------------------------------------------------------------------

    def _inputs(self, look: Look) -> Inputs:
        readings = look.readings
        chargers = tuple(_charger(look, each) for each in readings.chargers)
        grid_w, _ = look.meter(readings.grid)
        if not self._config.has_grid:  # what cars take beyond the sun [E11]
            pv_w = sum(look.value(meter.power_w) or 0.0 for meter in readings.pv)
            grid_w = sum(charger.power_w or 0.0 for charger in chargers) - pv_w
        soc = soc_pct(self._config, look)
        return Inputs(
            grid_w=grid_w,
            chargers=chargers,
            battery_w=None if soc is None else look.battery_w,
            battery_soc_pct=soc or 0.0,
            aux_w=sum(look.value(meter.power_w) or 0.0 for meter in readings.aux),
            circuits=tuple(_load(look, each) for each in self._config.circuits),
        )

    def _settings(self, look: Look) -> Settings:
        site = look.view.settings
        return Settings(
            loadpoints=tuple(
                self._loadpoint(look, config, view)
                for config, view in zip(self._config.loadpoints, look.view.loadpoints, strict=True)
            ),
            circuits=self._circuits,
            residual_w=site.residual_power_w,
            priority_soc_pct=site.priority_soc_pct,
            buffer_soc_pct=site.buffer_soc_pct,
            buffer_start_soc_pct=site.buffer_start_soc_pct,
            voltage_v=self._config.voltage_v,
        )

    def _loadpoint(self, look: Look, config: LoadpointConfig, view: LoadpointView) -> Loadpoint:
        settings, charger, tariffs = view.settings, config.charger, look.readings.tariffs
        price = price_at(tariffs.get(TariffKind.PLANNER) or tariffs.get(TariffKind.GRID), look.utc)
        vehicle = None if view.vehicle is None else self._config.vehicle_by_name().get(view.vehicle)
        return Loadpoint(
            mode=settings.mode.value,
            priority=settings.priority,
            can_switch_phases=charger.can_switch_phases,
            phases_configured=settings.phases_configured,
            vehicle_phases=0 if vehicle is None else vehicle.phases,
            takes_fractions=charger.current_step_a < 1,
            min_a=settings.current_min_a,
            max_a=min(settings.current_max_a, charger.current_max_a or settings.current_max_a),
            enable_threshold_w=settings.enable_threshold_w,
            enable_delay_s=settings.enable_delay / SECOND,
            disable_threshold_w=settings.disable_threshold_w,
            disable_delay_s=settings.disable_delay / SECOND,
            circuit=None if config.circuit is None else _position(config.circuit, self._config.circuits),
            is_cheap=is_cheap(price, settings.smart_cost_limit),
        )


def _charger(look: Look, reading: ChargerReading) -> Charger:
    status, currents_a = look.value(reading.status), look.value(reading.currents_a)
    return Charger(
        status=status.value if status in STATUSES else None,  # a faulty station's is an error there
        is_enabled=look.value(reading.is_enabled),
        power_w=look.value(reading.power_w),
        currents_a=None if currents_a is None else (abs(currents_a[0]), abs(currents_a[1]), abs(currents_a[2])),
    )


def _load(look: Look, circuit: CircuitConfig) -> tuple[float, float] | None:
    meter = look.readings.grid if circuit.uses_grid_meter else look.readings.circuits.get(circuit.name)
    power_w, currents_a = look.meter(meter)
    return None if power_w is None or currents_a is None else (power_w, max(currents_a))


def _circuit(circuit: CircuitConfig, circuits: Sequence[CircuitConfig]) -> Circuit:
    return Circuit(
        power_max_w=circuit.power_max_w,
        current_max_a=circuit.current_max_a,
        parent=None if circuit.parent is None else _position(circuit.parent, circuits),
        has_meter=circuit.has_meter or circuit.uses_grid_meter,
    )


def _position(name: str, circuits: Sequence[CircuitConfig]) -> int:
    return next(index for index, each in enumerate(circuits) if each.name == name)


def _command(command: EvccCommand) -> Command:
    what, value = command
    if what == "enable":
        return Enable() if value else Disable()
    return SetCurrent(value) if what == "current" else SwitchPhases(int(value))
