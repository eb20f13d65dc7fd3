"""How stations tell their IEC 61851 state where one register is not enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from evcc_sim.plants.wallbox import Wallbox
from evcclib.model import ChargerStatus

Statuses = Callable[[Wallbox], Mapping[str, float]]


def _keba(box: Wallbox) -> Mapping[str, float]:
    letter, is_enabled = box.status, box.enabled
    if letter in (ChargerStatus.E, ChargerStatus.F):
        return {"cable_state": 7, "charging_state": 4}
    if letter is ChargerStatus.A:
        return {"cable_state": 1, "charging_state": 1 if not is_enabled else 2}
    if letter is ChargerStatus.C and is_enabled:
        return {"cable_state": 7, "charging_state": 3}
    return {"cable_state": 7, "charging_state": 2 if is_enabled else 5}


def _openwb(box: Wallbox) -> Mapping[str, float]:
    return {"plugged": int(box.status is not ChargerStatus.A), "charging": int(box.status is ChargerStatus.C)}


def _pulsares(box: Wallbox) -> Mapping[str, float]:
    return {
        "connection": int(box.status is not ChargerStatus.A),
        "charge_state": 3 if box.status is ChargerStatus.C else 1,
    }


def _vestel(box: Wallbox) -> Mapping[str, float]:
    charging = box.status is ChargerStatus.C
    plugged = box.status is not ChargerStatus.A
    return {
        "cable_state": 3 if plugged else 0,
        "charging_state": int(charging),
        "charge_point_state": 2 if charging else int(plugged),
    }


SPREAD_STATUS: Mapping[str, Statuses] = {
    "keba-p30": _keba,
    "keba-p40": _keba,
    "openwb-series2": _openwb,
    "pulsares": _pulsares,
    "vestel-evc04": _vestel,
}
"""Stations whose IEC 61851 state is spread over several registers."""

FALLBACKS: Mapping[ChargerStatus, tuple[ChargerStatus, ...]] = {
    ChargerStatus.E: (ChargerStatus.F,),
    ChargerStatus.F: (ChargerStatus.E,),
}
"""What a station shows that has no word for a state."""
