"""What somebody may have meant who names a device that there is not: names that are near, and how the one named is spoken to."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

from evcc_server.quoting import short

_HTTP = "it speaks HTTP, not Modbus"
_MQTT = "it speaks MQTT, not Modbus"
_CLOUD = "it is reached through its maker's cloud, which is not supported"
_SPEEDWIRE = "it speaks Speedwire, which is not supported"
_WEBSOCKET = "it speaks WebSocket, which is not supported"
_OCPP = "OCPP is not supported"
_EEBUS = "EEBus is not supported"
_CUSTOM = {_HTTP: "type: custom with source: http", _MQTT: "type: custom with source: mqtt"}
_NAMES = {
    _HTTP: """apsystems-ez1 avm* discovergy echarge* enphase* evsewifi evse-wifi fritzdect* fronius-solarapi-v1 go-e go-e-v3 goe
        hardybarth* homeassistant* homematic* homewizard* hoymiles* inexogy iometer kostal-piko kostal-piko-hybrid kostal-piko-pv
        lektrico* lgess lg-ess-home-8-10 lg-ess-home-15 mystrom* nrgkick* openems* openevse* openwb-pro powerfox-poweropti
        powerwall* salia senec* shelly* smaevcharger smart-evse smartwb solarapi sonnenbatterie sonoff* tapo* tasmota* tesla*
        tq-em tq-em420 twc3 v2c* volkszaehler vzlogger youless""",
    _MQTT: "openwb tinkerforge* warp* warp2 warp3",
    _CLOUD: "easee* go-e-cloud myenergi* powerfox tibber* zaptec* zappi",
    _SPEEDWIRE: "sma sma-energy-meter sma-home-manager sma-speedwire",
    _WEBSOCKET: "fronius-wattpilot wattpilot warp-ws",
    "it speaks Bluetooth, which is not supported": "nrgkick-bluetooth",
    "it speaks UDP, not Modbus": "keba keba-udp",
    "it speaks RSCP, not Modbus": "e3dc-rscp",
    "it speaks a protocol of its maker's, which is not supported": "rct* tplink*",
    _OCPP: "ocpp*",
    _EEBUS: "eebus* elli* elliconnect porsche-pmcc",
}
_ELSEWHERE: Mapping[str, str] = {name: how for how, names in _NAMES.items() for name in names.split()}
"""Templates, types and makers (``*``: whatever has this first word) that are no Modbus device in evcc."""
_NEAR, _NEAR_MAKER, _VERY_NEAR, _NAMES_MAX = 0.8, 0.85, 0.9, 3
_START_MIN = 3
"""Letters that say more than chance which names begin with them."""


def advice(word: str, names: Iterable[str]) -> str:
    """What to write in place of ``word``, of the ``names`` that there are or another way; "" if nothing comes to mind."""
    near = near_names(word, names)
    how = _ELSEWHERE.get(word.casefold()) or _ELSEWHERE.get(f"{_first(word)}*", "")
    asked = f"did you mean {_or(near)}{' (Modbus)' if how else ''}?" if near else ""
    custom = f"{'Or ' if near else ''}write {_CUSTOM[how]}" if how in _CUSTOM else ""
    return ": ".join(filter(None, (how, " ".join(filter(None, (asked, custom))))))


def near_names(word: str, names: Iterable[str]) -> tuple[str, ...]:
    """Those of ``names`` that ``word`` was probably meant to be, the nearest first; one alone if it is very near.

    Near are names of the same maker and slips of the pen; two makers that merely share some letters are not.
    """
    by_letters: dict[str, str] = {}
    for name in names:
        by_letters.setdefault(_letters(name), name)
    wanted, first = _letters(word), _first(word)
    if len(wanted) < 2:
        return ()
    alike = {each: _alike(each, wanted) for each in by_letters}
    near = [
        each
        for each, name in by_letters.items()
        if alike[each] >= _NEAR
        or _alike(_first(name), first) >= _NEAR_MAKER
        or (len(wanted) >= _START_MIN and each.startswith(wanted))
    ]
    near.sort(key=lambda each: (alike[each], each), reverse=True)
    if near and alike[near[0]] >= _VERY_NEAR:
        return (by_letters[near[0]],)
    return tuple(by_letters[each] for each in near)[:_NAMES_MAX]


def _alike(one: str, other: str) -> float:
    """From 0 to 1; who errs in a name errs seldom in its first letter."""
    return difflib.SequenceMatcher(None, one, other).ratio() if one[:1] == other[:1] else 0.0


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


def _first(name: str) -> str:
    """The first word, usually the maker's; ``go-e`` is one."""
    return re.split(r"[\W_]", name.casefold().replace("go-e", "goe"))[0]


def _or(names: tuple[str, ...]) -> str:
    *most, last = map(short, names)
    return f"{', '.join(most)} or {last}" if most else last
