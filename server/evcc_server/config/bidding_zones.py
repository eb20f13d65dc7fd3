"""Bidding zones by name, as ENTSO-E lists them with their codes (EIC)."""

from __future__ import annotations

import re
from collections.abc import Mapping

CODES: Mapping[str, str] = {
    "AT": "10YAT-APG------L",
    "BE": "10YBE----------2",
    "BG": "10YCA-BULGARIA-R",
    "CH": "10YCH-SWISSGRIDZ",
    "CZ": "10YCZ-CEPS-----N",
    "DE-LU": "10Y1001A1001A82H",
    "DK1": "10YDK-1--------W",
    "DK2": "10YDK-2--------M",
    "EE": "10Y1001A1001A39I",
    "ES": "10YES-REE------0",
    "FI": "10YFI-1--------U",
    "FR": "10YFR-RTE------C",
    "GR": "10YGR-HTSO-----Y",
    "HR": "10YHR-HEP------M",
    "HU": "10YHU-MAVIR----U",
    "IE(SEM)": "10Y1001A1001A59C",
    "IT-North": "10Y1001A1001A73I",
    "LT": "10YLT-1001A0008Q",
    "LV": "10YLV-1001A00074",
    "NL": "10YNL----------L",
    "NO1": "10YNO-1--------2",
    "NO2": "10YNO-2--------T",
    "NO3": "10YNO-3--------J",
    "NO4": "10YNO-4--------9",
    "NO5": "10Y1001A1001A48H",
    "PL": "10YPL-AREA-----S",
    "PT": "10YPT-REN------W",
    "RO": "10YRO-TEL------P",
    "SE1": "10Y1001A1001A44P",
    "SE2": "10Y1001A1001A45N",
    "SE3": "10Y1001A1001A46L",
    "SE4": "10Y1001A1001A47J",
    "SI": "10YSI-ELES-----O",
    "SK": "10YSK-SEPS-----K",
}
_CODE = re.compile(r"[0-9A-Z-]{15}[0-9A-Z]")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-"


def zone_code(text: str) -> str | None:
    """The code of the zone ``DE-LU`` or ``BZN|DE-LU``, or the code itself; None for what is neither."""
    name = text.strip().casefold().removeprefix("bzn|")
    by_folded = {known.casefold(): code for known, code in CODES.items()}
    code = by_folded.get(name, name.upper())
    return code if is_code(code) else None


def is_code(text: str) -> bool:
    """Whether ``text`` is an EIC, by its last character, which checks the others."""
    if _CODE.fullmatch(text) is None:
        return False
    weighted = sum(weight * _DIGITS.index(digit) for weight, digit in zip(range(16, 1, -1), text[:15], strict=True))
    return _DIGITS.index(text[15]) == 36 - (weighted - 1) % 37
