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
_CUSTOM = {_HTTP: "type: custom with source: http", _MQTT: "type: custom with source: mqtt"}
_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(
        [
            "apsystems-ez1",
            "discovergy",
            "enphase",
            "evsewifi",
            "fronius-solarapi-v1",
            "go-e",
            "go-e-v3",
            "goe",
            "homeassistant",
            "homeassistant-switch",
            "homewizard",
            "homewizard-kwh",
            "hoymiles-ahoydtu",
            "hoymiles-opendtu",
            "iometer",
            "kostal-piko",
            "kostal-piko-hybrid",
            "kostal-piko-pv",
            "lektrico",
            "mystrom",
            "nrgkick-connect",
            "openevse",
            "openwb-pro",
            "powerfox-poweropti",
            "shelly",
            "shelly-1pm",
            "shelly-3em",
            "shelly-pro-3em",
            "smart-evse",
            "smartwb",
            "sonnenbatterie",
            "tasmota",
            "tasmota-3p",
            "tasmota-sml",
            "tesla-powerwall",
            "v2c",
            "vzlogger",
            "youless",
        ],
        _HTTP,
    ),
    **dict.fromkeys(["openwb", "tinkerforge-warp", "tinkerforge-warp3", "tinkerforge-warp3-smart", "warp"], _MQTT),
    **dict.fromkeys(["easee", "zaptec", "tibber-pulse"], _CLOUD),
    **dict.fromkeys(["sma", "sma-energy-meter", "sma-home-manager"], _SPEEDWIRE),
    "keba": "it speaks UDP, not Modbus",
    "ocpp": "OCPP is not supported",
    "eebus": "EEBus is not supported",
}
"""Templates and types of evcc that are no Modbus device there."""
_NEAR, _VERY_NEAR, _NAMES_MAX = 0.6, 0.85, 3


def advice(word: str, names: Iterable[str]) -> str:
    """What to write in place of ``word``, of the ``names`` that there are or another way; "" if nothing comes to mind."""
    how = _ELSEWHERE.get(word.casefold(), "")
    near = near_names(word, names)
    asked = f"did you mean {_or(near)}{' (Modbus)' if how else ''}?" if near else ""
    custom = f"{'Or ' if near else ''}write {_CUSTOM[how]}" if how in _CUSTOM else ""
    return ": ".join(filter(None, (how, " ".join(filter(None, (asked, custom))))))


def near_names(word: str, names: Iterable[str]) -> tuple[str, ...]:
    """Those of ``names`` that ``word`` was probably meant to be, the nearest first; one alone if it is very near."""
    by_letters: dict[str, str] = {}
    for name in names:
        by_letters.setdefault(_letters(name), name)
    wanted, first = _letters(word), _first(word)
    if len(wanted) < 2:
        return ()
    close = difflib.get_close_matches(wanted, by_letters, n=_NAMES_MAX, cutoff=_NEAR)
    if close and difflib.SequenceMatcher(None, close[0], wanted).ratio() >= _VERY_NEAR:
        return (by_letters[close[0]],)
    same = [each for each, name in by_letters.items() if _first(name) == first or each.startswith(wanted)]
    return tuple(by_letters[each] for each in dict.fromkeys([*close, *same]))[:_NAMES_MAX]


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


def _first(name: str) -> str:
    """The first word, usually the vendor's; ``go-e`` is one."""
    return re.split(r"[\W_]", name.casefold().replace("go-e", "goe"))[0]


def _or(names: tuple[str, ...]) -> str:
    *most, last = map(short, names)
    return f"{', '.join(most)} or {last}" if most else last
