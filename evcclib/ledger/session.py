"""The record of one charging session, from connect to disconnect [SES-1..SES-6].

Energy is split by the shares and prices that held while it was charged; several charging periods of one connection are one
record.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from evcclib.events import SessionRecord
from evcclib.machines.replaced import often_replaced


class Mix(NamedTuple):
    """What a kWh is made of at present: green share 0..1, price per kWh, emissions [g/kWh]; None: unknown."""

    green_share: float | None = None
    price_per_kwh: float | None = None
    co2_g_per_kwh: float | None = None


UNKNOWN_MIX = Mix()


@often_replaced
class SessionState(NamedTuple):
    """A session in the making; ``created`` None: nothing has been charged yet, nothing is to be stored [SES-1]."""

    key: str
    loadpoint: str
    identifier: str = ""
    vehicle: str = ""
    odometer_km: float | None = None
    created: datetime | None = None
    finished: datetime | None = None
    meter_start_kwh: float | None = None
    meter_stop_kwh: float | None = None
    energy_kwh: float = 0.0
    mix: Mix = UNKNOWN_MIX
    shared_kwh: float = 0.0  # energy whose green share was known
    solar_kwh: float = 0.0
    priced_kwh: float = 0.0
    price: float = 0.0
    weighed_kwh: float = 0.0  # energy whose emissions were known
    co2_g: float = 0.0


def connect(
    *, position: int, title: str, vehicle: str, identifier: str, meter_kwh: float | None, now: datetime
) -> SessionState:
    """A new session at loadpoint ``position`` (0-based); its key is the loadpoint and the time of the connect [SES-1]."""
    return SessionState(
        key=f"{position + 1}-{now:%Y%m%dT%H%M%S.%f}",
        loadpoint=title,
        identifier=identifier,
        vehicle=vehicle,
        meter_start_kwh=meter_kwh,
    )


def start(state: SessionState, *, now: datetime) -> SessionState:
    """Charging began: from the first time on there is something to store [SES-2]."""
    return state if state.created is not None else state._replace(created=now)


def charge(state: SessionState, *, energy_kwh: float, mix: Mix, meter_kwh: float | None = None) -> SessionState:
    """The session now has ``energy_kwh`` altogether; what came since the last look is split as was held, then ``mix`` holds.

    Energy never falls [SES-3, INV-9]. A start reading of the meter that was missing is made up for with the first good one
    while nothing has been charged. The same state comes back when nothing has changed.
    """
    meter_start_kwh = state.meter_start_kwh
    if meter_start_kwh is None and meter_kwh is not None:
        meter_start_kwh = max(0.0, meter_kwh - energy_kwh)
    charged_kwh = energy_kwh - state.energy_kwh
    if charged_kwh <= 0:
        if mix == state.mix and meter_start_kwh == state.meter_start_kwh:
            return state
        return state._replace(mix=mix, meter_start_kwh=meter_start_kwh)
    held = mix if state.mix == UNKNOWN_MIX else state.mix
    shared_kwh, solar_kwh = _added(state.shared_kwh, state.solar_kwh, charged_kwh, held.green_share)
    priced_kwh, price = _added(state.priced_kwh, state.price, charged_kwh, held.price_per_kwh)
    weighed_kwh, co2_g = _added(state.weighed_kwh, state.co2_g, charged_kwh, held.co2_g_per_kwh)
    return state._replace(
        meter_start_kwh=meter_start_kwh,
        energy_kwh=energy_kwh,
        mix=mix,
        shared_kwh=shared_kwh,
        solar_kwh=solar_kwh,
        priced_kwh=priced_kwh,
        price=price,
        weighed_kwh=weighed_kwh,
        co2_g=co2_g,
    )


def stop(state: SessionState, *, meter_kwh: float | None, now: datetime) -> SessionState:
    """Charging ended, for now; nothing happens if it never started [SES-3]."""
    if state.created is None:
        return state
    return state._replace(finished=now, meter_stop_kwh=state.meter_stop_kwh if meter_kwh is None else meter_kwh)


def describe(
    state: SessionState, *, vehicle: str | None = None, identifier: str | None = None, odometer_km: float | None = None
) -> SessionState:
    """Write what has become known of the vehicle into the session; None leaves it alone [SES-4]."""
    described = state._replace(
        vehicle=state.vehicle if vehicle is None else vehicle,
        identifier=state.identifier if identifier is None else identifier,
        odometer_km=state.odometer_km if odometer_km is None else odometer_km,
    )
    return state if described == state else described


def solar_pct(state: SessionState) -> float | None:
    """Green part of the session's energy [%]; None while unknown."""
    return 100.0 * state.solar_kwh / state.shared_kwh if state.shared_kwh > 0 else None


def record(state: SessionState) -> SessionRecord | None:
    """The session as it is stored; None if nothing has been charged yet [SES-2, SES-6]."""
    if state.created is None:
        return None
    is_priced = state.priced_kwh > 0
    return SessionRecord(
        key=state.key,
        created=state.created,
        finished=state.finished,
        loadpoint=state.loadpoint,
        identifier=state.identifier,
        vehicle=state.vehicle,
        odometer_km=state.odometer_km,
        meter_start_kwh=state.meter_start_kwh,
        meter_stop_kwh=state.meter_stop_kwh,
        energy_charged_kwh=state.energy_kwh,
        solar_pct=solar_pct(state),
        price=state.price if is_priced else None,
        price_per_kwh=state.price / state.priced_kwh if is_priced else None,
        co2_g_per_kwh=state.co2_g / state.weighed_kwh if state.weighed_kwh > 0 else None,
    )


def _added(known_kwh: float, amount: float, charged_kwh: float, per_kwh: float | None) -> tuple[float, float]:
    if per_kwh is None:
        return known_kwh, amount
    return known_kwh + charged_kwh, amount + charged_kwh * per_kwh
