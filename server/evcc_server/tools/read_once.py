"""Read configured devices once; tell a charger something, once."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import anyio

from evcc_server.devices.contract import Built, Charger, ChargerValues, Meter, MeterValues, Vehicle, VehicleValues
from evcc_server.devices.plugin.limit import PluginLimit
from evcc_server.errors import DeviceError, DeviceSilent
from evcc_server.tools.values_text import MISSING, shown, value_rows
from evcc_server.wiring.factory import Devices

_CHARGER_FIELDS = {
    "has_power": "power_w",
    "has_energy_total": "energy_total_kwh",
    "has_energy_session": "energy_session_kwh",
    "has_duration": "charge_duration",
    "has_identity": "identity",
    "has_soc": "soc_pct",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What reading one device brought: its values as text, or why there are none."""

    name: str
    rows: tuple[tuple[str, str], ...] = ()
    error: str = ""
    open_points: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()  # rows without which the device is of no use

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of what it should have and does not."""
        return tuple(name for name, value in self.rows if value == MISSING)

    @property
    def is_ok(self) -> bool:
        """Whether it answered with all that is needed."""
        return not self.error and not set(self.needed) & set(self.missing)


async def read_meter(built: Built, meter: Meter) -> Findings:
    """Read a meter once."""

    async def read() -> Sequence[tuple[str, str]]:
        values: MeterValues = await meter.read()
        return value_rows(values, meter.quantities)

    return await _findings(built.name, read, built.deadline, built.open_points, needed=("power",))


async def read_charger(built: Built, charger: Charger) -> Findings:
    """Read a charger once, without bringing it under control first: nothing is written."""
    offered = {field for flag, field in _CHARGER_FIELDS.items() if getattr(charger.config, flag)} | {"status"}

    async def read() -> Sequence[tuple[str, str]]:
        values: ChargerValues = await charger.read()
        return value_rows(values, frozenset(offered))

    return await _findings(built.name, read, built.deadline, built.open_points, needed=("status",))


async def read_vehicle(name: str, vehicle: Vehicle) -> Findings:
    """Ask a vehicle's interface once."""

    async def read() -> Sequence[tuple[str, str]]:
        values: VehicleValues = await vehicle.read()
        return value_rows(values)

    return await _findings(name, read, timedelta(seconds=30), ())


async def read_limit(name: str, limit: PluginLimit) -> Findings:
    """Ask a source of the grid operator's limit once."""

    async def read() -> Sequence[tuple[str, str]]:
        power_w = await limit.read()
        return [("limit", "none" if power_w is None else shown(power_w, "W"))]

    return await _findings(name, read, limit.deadline, ())


async def read_all(devices: Devices) -> dict[str, Findings]:
    """Read everything once, side by side; keys are ``meter grid``, ``charger box``, ``vehicle golf``, ``limit relay``."""
    reads: dict[str, Callable[[], Awaitable[Findings]]] = {}
    for name, built in devices.meters.items():
        reads[f"meter {name}"] = functools.partial(read_meter, built, devices.meter(name))
    for name, built in devices.chargers.items():
        reads[f"charger {name}"] = functools.partial(read_charger, built, devices.charger(name))
    for name, vehicle in devices.vehicles.items():
        reads[f"vehicle {name}"] = functools.partial(read_vehicle, name, vehicle)
    for name, limit in devices.limits.items():
        reads[f"limit {name}"] = functools.partial(read_limit, name, limit)
    found: dict[str, Findings] = {}

    async def note(key: str) -> None:
        found[key] = await reads[key]()

    async with anyio.create_task_group() as group:
        for key in reads:
            group.start_soon(note, key)
    return {key: found[key] for key in reads}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a charger shall do, in words and as a call."""

    text: str
    current_a: float | None = None
    give: Callable[[Charger], Awaitable[None]]


def orders(*, enable: bool | None, current_a: float | None, phases: int | None) -> list[Order]:
    """The orders of the command line, in the order in which they are safe: phases, current, enable; disabling first."""
    found: list[Order] = []
    if enable is False:
        found.append(Order(text="disable charging", give=lambda charger: charger.disable()))
    if phases is not None:
        count = phases
        found.append(Order(text=f"switch to {count} phase(s)", give=lambda charger: charger.switch_phases(count)))
    if current_a is not None:
        limit, text = current_a, f"limit the current to {current_a:g} A"
        found.append(Order(text=text, current_a=limit, give=lambda charger: charger.set_current(limit)))
    if enable is True:
        found.append(Order(text="enable charging", give=lambda charger: charger.enable()))
    return found


async def give_orders(charger: Charger, todo: Sequence[Order], *, deadline: timedelta) -> None:
    """Bring the charger under control and give it the orders; the first failure ends it. Raises `DeviceError`."""
    try:
        with anyio.fail_after(max(deadline.total_seconds(), 30.0)):
            await charger.start()
            for order in todo:
                await order.give(charger)
    except TimeoutError:
        raise DeviceSilent("the charger did not finish in time; its state is unknown") from None


async def _findings(
    name: str,
    read: Callable[[], Awaitable[Sequence[tuple[str, str]]]],
    deadline: timedelta,
    open_points: tuple[str, ...],
    *,
    needed: tuple[str, ...] = (),
) -> Findings:
    try:
        with anyio.fail_after(deadline.total_seconds()):
            rows = await read()
    except TimeoutError:
        return Findings(name=name, error=f"no answer within {deadline.total_seconds():g} s", open_points=open_points)
    except DeviceError as error:
        return Findings(name=name, error=str(error) or type(error).__name__, open_points=open_points)
    return Findings(name=name, rows=tuple(rows), open_points=open_points, needed=needed)
