"""SmartEVSE 3.5 as a control: ``--control smartevse``."""

from __future__ import annotations

from collections.abc import Sequence

from evcc_sim.rivals.door import Look, RivalControl, offer, refusal
from evcc_sim.rivals.models.smartevse import STEP_S, Inputs, Settings, SmartEvse, State
from evcclib.commands import Command, SwitchPhases
from evcclib.config import SiteConfig
from evcclib.model import ChargeMode, ChargerStatus, Now
from evcclib.readings import Measured

NAME = "smartevse"
PILOT_V = {ChargerStatus.B: 9, ChargerStatus.C: 6}  # else 12: no car, or a station that has failed


def control(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> RivalControl:
    """A factory as `evcc_sim.runs.controls.ControlFactory` describes it. Raises `InvalidScenario`."""
    _check(config)
    return RivalControl(SmartEvseRival(config), config, restored, now=now)


def _check(config: SiteConfig) -> None:
    if not config.has_grid:
        raise refusal(NAME, "a site without a grid meter", "one with it")
    if len(config.loadpoints) != 1:  # a node has a law of its own, which is not known
        raise refusal(NAME, f"{len(config.loadpoints)} chargers", "one")
    if not config.loadpoints[0].charger.can_switch_phases:
        raise refusal(
            NAME, "a station that keeps its phases", "one that switches (charger.0.box.can_switch_phases=true)"
        )
    if len(config.circuits) > 1 or any(
        not circuit.uses_grid_meter or circuit.current_max_a is None or circuit.power_max_w is not None
        for circuit in config.circuits
    ):
        raise refusal(NAME, "a circuit", "none, or one in amperes that the grid meter guards")


class SmartEvseRival:
    """SmartEVSE's law with the readings and settings of a site."""

    name = NAME
    period_s = float(STEP_S)
    modes = frozenset({ChargeMode.PV})
    knows_prices = False
    phases = frozenset({0})
    hears_requests = False

    def __init__(self, config: SiteConfig) -> None:
        self._config = config
        self._law: SmartEvse | None = None
        self._told_phases = 3

    def decide(self, look: Look) -> dict[int, Sequence[Command]]:
        settings = self._settings(look)
        if self._law is None:
            self._law = SmartEvse(settings)
        law = self._law
        law.settings, law.own.max_da = settings, settings.max_da
        law.step(self._inputs(look))
        if law.own.state not in (State.B, State.C):
            return {0: offer(0.0)}
        commands: list[Command] = []
        phases = law.wanted_phases or law.phases
        if law.own.state is State.B and phases != self._told_phases:  # its contactor would close with C [S17]
            self._told_phases = phases
            commands.append(SwitchPhases(phases))
        return {0: [*commands, *offer(law.own.set_da / 10)]}

    def _inputs(self, look: Look) -> Inputs:
        _, currents_a = look.meter(look.readings.grid)
        status = look.readings.chargers[0].status  # its own: it is never silent to itself
        battery_da = -10 * look.battery_w / self._config.voltage_v
        return Inputs(
            mains_da=None if currents_a is None else _tenths(currents_a),
            pilot_v=PILOT_V.get(status.value, 12) if isinstance(status, Measured) else 12,
            battery_da=round(battery_da) if look.readings.batteries else None,
        )

    def _settings(self, look: Look) -> Settings:
        default, (settings,) = Settings(), look.settings
        own_max_a = self._config.loadpoints[0].charger.current_max_a or settings.current_max_a
        guard = next(iter(self._config.circuits), None)
        limit_a = None if guard is None else guard.current_max_a
        return Settings(
            min_a=round(settings.current_min_a),
            max_a=int(min(settings.current_max_a, own_max_a)),
            mains_max_a=default.mains_max_a if limit_a is None else int(limit_a),
        )


def _tenths(currents_a: tuple[float, float, float]) -> tuple[int, int, int]:
    one, two, three = currents_a
    return round(10 * one), round(10 * two), round(10 * three)
