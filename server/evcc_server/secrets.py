"""What must never be printed. Every printout that may hold configuration goes through `redact`."""

from __future__ import annotations

import re
from collections.abc import Iterable

SECRET_KEYS = frozenset(
    {"password", "token", "accesstoken", "refreshtoken", "user", "username", "secret", "apikey", "authorization"}
    | {"clientsecret", "sponsortoken", "securitytoken", "pin", "cookie", "x-api-key", "auth"}
)
"""Keys, lower case, whose values are secret wherever they stand."""

HIDDEN = "***"
_IN_URL = re.compile(r"(?<=://)[^/@\s:]*(?::[^/@\s]*)?@")
_KEYS = "|".join(
    (
        r"[\w-]{0,40}(?:token|passw(?:or)?d|passwort|pwd|secret|api[_-]key)",
        *sorted(map(re.escape, SECRET_KEYS), key=len, reverse=True),
    )
)
_QUERY = re.compile(rf"(?i)([?&](?:{_KEYS}|key|pass|pw)=)[^&#\s\"']+")
_VALUE = r"""\"[^\"]*\"|'[^']*'|[^\s,;}\]]+(?:[ \t]+[^\s,;}\]]+)*"""
_SETTING = re.compile(rf"(?i)((?<![a-z0-9])(?:{_KEYS})[\"']?\s*[:=]\s*)(?:{_VALUE})")

SECRET_LENGTH_MIN = 6
COMMON_WORDS = frozenset(
    {"access", "account", "battery", "changeme", "charger", "charging", "connected", "connection"}
    | {"control", "customer", "default", "device", "energy", "gateway", "homeassistant", "installer"}
    | {"inverter", "kennwort", "loadpoint", "localhost", "modbus", "monitor", "mosquitto", "operator"}
    | {"password", "passwort", "private", "public", "refused", "secret", "server", "service", "system"}
    | {"tariff", "timeout", "unknown", "username", "vehicle", "wallbox", "warning"}
)
"""Lower case. Whoever has chosen one of these has no secret, and a log without the word would say nothing any more."""


def is_secret(key: str) -> bool:
    """Whether the value of ``key`` must not be shown."""
    folded = key.casefold().replace("_", "").replace("-", "")
    return key.casefold() in SECRET_KEYS or folded in SECRET_KEYS or folded.endswith(("token", "password", "secret"))


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` without the values of secret keys, credentials in URLs, and any of ``secrets``.

    Of ``secrets`` a short one or a common word is left where it stands without its key: it may be a part of any other word.
    """
    for secret in sorted(filter(_is_telling, set(secrets)), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _IN_URL.sub(f"{HIDDEN}@", text)
    text = _QUERY.sub(rf"\g<1>{HIDDEN}", text)
    return _SETTING.sub(rf"\g<1>{HIDDEN}", text)


def _is_telling(secret: str) -> bool:
    return len(secret) >= SECRET_LENGTH_MIN and secret.casefold() not in COMMON_WORDS
