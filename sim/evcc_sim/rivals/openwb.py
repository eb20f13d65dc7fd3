"""openWB 2 as a control: ``--control openwb``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from evcc_sim.rivals.door import Look, RivalControl, offer, refusal
from evcc_sim.rivals.models.openwb import PERIOD_S, ChargePoint, Inputs, OpenWb, Settings, Station
from evcclib.commands import Command, Disable, SwitchPhases
from evcclib.config import SiteConfig
from evcclib.model import ChargeMode, ChargerStatus, Now
from evcclib.readings import ChargerReading, Measured, Reading
from evcclib.view import LoadpointView

T = TypeVar("T")

NAME = "openwb"
CHARGES_ABOVE_W = 50.0
IN_USE_ABOVE_A = 3.0  # a phase [O2]
PRIORITIES_MAX = 2
UNTURNED = (1, 2, 3)


def control(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> RivalControl:
    """A factory as `evcc_sim.runs.controls.ControlFactory` describes it. Raises `InvalidScenario`."""
    _check(config)
    return RivalControl(OpenWbRival(config), config, restored, now=now)


def _check(config: SiteConfig) -> None:
    if not config.has_grid:
        raise refusal(NAME, "a site without a grid meter", "one with it")
    if len(config.circuits) > 1 or any(not circuit.uses_grid_meter for circuit in config.circuits):
        raise refusal(NAME, "a circuit", "none, or one that the grid meter guards")
    for index, loadpoint in enumerate(config.loadpoints):
        if loadpoint.phase_rotation != UNTURNED:
            raise refusal(NAME, f"charger {index + 1} with turned phases", "L1, L2, L3")


class OpenWbRival:
    """openWB's law with the readings and settings of a site."""

    name = NAME
    period_s = PERIOD_S
    modes = frozenset({ChargeMode.PV})
    knows_prices = False
    phases = frozenset({0, 3})
    hears_requests = False  # [O1]

    def __init__(self, config: SiteConfig) -> None:
        self._config = config
        self._law: OpenWb | None = None
        self._phases = [_phases_at_start(each.charger.can_switch_phases, each.phases) for each in config.loadpoints]

    def decide(self, look: Look) -> dict[int, Sequence[Command]]:
        settings = self._settings(look)
        is_first = self._law is None
        if self._law is None:
            self._law = OpenWb(settings)
        self._law.settings = settings
        grid_w, grid_currents_a = look.meter(look.readings.grid)
        inputs = Inputs(
            grid_w=grid_w,
            grid_currents_a=grid_currents_a,
            battery_w=look.battery_w,
            stations=tuple(self._station(index, each) for index, each in enumerate(look.readings.chargers)),
        )
        decided: dict[int, Sequence[Command]] = {}
        for index, commands in enumerate(self._law.cycle(inputs, now=look.second)):
            said: list[Command] = []
            is_resting = not inputs.stations[index].is_charging
            if is_first and is_resting and settings.charge_points[index].can_switch_phases and self._phases[index] == 1:
                said += [Disable(), SwitchPhases(1)]  # its own relay is where it believes it to be [O2]
            for what, value in commands:
                said += [Disable(), SwitchPhases(int(value))] if what == "phases" else offer(value)
            decided[index] = said
        return decided

    def _station(self, index: int, reading: ChargerReading) -> Station:
        """What a station says, or has said last."""
        status, power_w = _last(reading.status, ChargerStatus.A), _last(reading.power_w, 0.0)
        currents_a = _last(reading.currents_a, (0.0, 0.0, 0.0))
        in_use = sum(abs(current_a) > IN_USE_ABOVE_A for current_a in currents_a)
        self._phases[index] = in_use or self._phases[index]
        return Station(
            is_plugged=status in (ChargerStatus.B, ChargerStatus.C),
            is_charging=status is ChargerStatus.C and power_w > CHARGES_ABOVE_W,
            power_w=power_w,
            currents_a=currents_a,
            phases_in_use=self._phases[index],
            offered_a=_last(reading.current_offered_a, 0.0) if _last(reading.is_enabled, False) else 0.0,
            imported_wh=1000.0 * _last(reading.energy_total_kwh, 0.0),
        )

    def _settings(self, look: Look) -> Settings:
        default = Settings(charge_points=())
        guard = next(iter(self._config.circuits), None)
        priorities = sorted({settings.priority for settings in look.settings})
        if len(priorities) > PRIORITIES_MAX:
            raise refusal(NAME, f"{len(priorities)} different priorities", f"at most {PRIORITIES_MAX}")
        current_max_a = None if guard is None else guard.current_max_a
        power_max_w = None if guard is None else guard.power_max_w
        return Settings(
            charge_points=tuple(
                self._charge_point(view, is_preferred=view.settings.priority > priorities[0])
                for view in look.view.loadpoints
            ),
            power_max_w=default.power_max_w if power_max_w is None else power_max_w,
            currents_max_a=default.currents_max_a if current_max_a is None else (current_max_a,) * 3,
        )

    def _charge_point(self, view: LoadpointView, *, is_preferred: bool) -> ChargePoint:
        config, settings = self._config.loadpoints[view.loadpoint], view.settings
        vehicle = None if view.vehicle is None else self._config.vehicle_by_name().get(view.vehicle)
        max_a = min(settings.current_max_a, config.charger.current_max_a or settings.current_max_a)
        return ChargePoint(
            can_switch_phases=config.charger.can_switch_phases and settings.phases_configured == 0,
            car_phases=3 if vehicle is None else vehicle.phases or 3,
            connected_phases=settings.phases_configured or 3,
            is_preferred=is_preferred,
            min_a=settings.current_min_a,
            max_a_1p=max_a,
            max_a_3p=max_a,
        )


def _phases_at_start(can_switch: bool, configured: int) -> int:
    return 1 if can_switch else configured or 3


def _last(reading: Reading[T], before: T) -> T:
    return reading.value if isinstance(reading, Measured) else before
