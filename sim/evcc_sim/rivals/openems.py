"""OpenEMS's EVSE cluster as a control: ``--control openems``."""

from __future__ import annotations

from collections.abc import Sequence

from evcc_sim.rivals.door import Look, RivalControl, offer, refusal
from evcc_sim.rivals.models.openems import CAR_W, PERIOD_S, ChargePoint, OpenEms, Station
from evcclib.commands import Command
from evcclib.config import SiteConfig
from evcclib.model import ChargeMode, ChargerStatus, Now
from evcclib.readings import ChargerReading, Measured
from evcclib.view import LoadpointView, SiteView

NAME = "openems"
MILLIAMP = 0.001


def control(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> RivalControl:
    """A factory as `evcc_sim.runs.controls.ControlFactory` describes it. Raises `InvalidScenario`."""
    if not config.has_grid:
        raise refusal(NAME, "a site without a grid meter", "one with it")
    if config.circuits:
        raise refusal(NAME, "a circuit", "none")
    return RivalControl(OpenEmsRival(config), config, restored, now=now)


class OpenEmsRival:
    """OpenEMS's law with the readings and settings of a site."""

    name = NAME
    period_s = PERIOD_S
    modes = frozenset({ChargeMode.PV})
    knows_prices = False
    phases = frozenset({0, 3})
    hears_requests = False

    def __init__(self, config: SiteConfig) -> None:
        self._config = config
        self._law: OpenEms | None = None
        self._view: SiteView | None = None  # of which it was made
        self._order: list[int] = []  # of loadpoints in the cluster

    def decide(self, look: Look) -> dict[int, Sequence[Command]]:
        if self._law is None or look.view is not self._view:  # settings are a component's configuration there
            self._law, self._view = self._made(look.view), look.view
        law = self._law
        grid_w, _ = look.meter(look.readings.grid)
        outputs = law.cycle(
            grid_w=grid_w or 0.0,  # unknown counts as none [P11]
            battery_w=look.battery_w,
            stations=[_station(look.readings.chargers[index]) for index in self._order],
            now=look.second,
        )
        return {
            index: offer(output.sent * charge_point.unit_a)
            for index, output, charge_point in zip(self._order, outputs, law.charge_points, strict=True)
            if output.sent is not None
        }

    def _made(self, view: SiteView) -> OpenEms:
        """By priority in the order of the cluster, if there are priorities [P1]."""
        views = view.loadpoints
        self._order = sorted(range(len(views)), key=lambda index: -views[index].settings.priority)
        charge_points = [self._charge_point(views[index]) for index in self._order]
        has_priorities = len({view.settings.priority for view in views}) > 1
        return OpenEms(charge_points, by_priority=has_priorities)

    def _charge_point(self, view: LoadpointView) -> ChargePoint:
        config, settings = self._config.loadpoints[view.loadpoint], view.settings
        vehicle = None if view.vehicle is None else self._config.vehicle_by_name().get(view.vehicle)
        phases = settings.phases_configured or 3
        if phases == 3 and vehicle is not None and vehicle.phases == 1:
            raise refusal(NAME, f"a car on one phase at loadpoint {view.loadpoint + 1}", "one on three")  # [P2]
        unit_a = MILLIAMP if config.charger.current_step_a < 1 else 1.0
        max_a = min(settings.current_max_a, config.charger.current_max_a or settings.current_max_a)
        return ChargePoint(
            phases=phases,
            unit_a=unit_a,
            low=round(settings.current_min_a / unit_a),
            high=int(max_a / unit_a),
            car_w=CAR_W[phases],
        )


def _station(reading: ChargerReading) -> Station:
    """What a station says, or has said last."""
    is_plugged = isinstance(reading.status, Measured) and reading.status.value in (ChargerStatus.B, ChargerStatus.C)
    power_w = reading.power_w.value if isinstance(reading.power_w, Measured) else 0.0
    return Station(is_connected=is_plugged, is_ready=is_plugged, power_w=power_w)
