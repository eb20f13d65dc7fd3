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
_KEYS = "|".join(sorted(map(re.escape, SECRET_KEYS), key=len, reverse=True))
_QUERY = re.compile(rf"(?i)([?&](?:{_KEYS}|key|access_token|api_key)=)[^&#\s\"']+")
_VALUE = r"""\"[^\"]*\"|'[^']*'|[^\s,;}\]]+(?:[ \t]+[^\s,;}\]]+)*"""
_SETTING = re.compile(rf"(?i)((?<![a-z0-9])(?:{_KEYS})[\"']?\s*[:=]\s*)(?:{_VALUE})")


def is_secret(key: str) -> bool:
    """Whether the value of ``key`` must not be shown."""
    folded = key.casefold().replace("_", "").replace("-", "")
    return key.casefold() in SECRET_KEYS or folded in SECRET_KEYS or folded.endswith(("token", "password", "secret"))


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` without the values of secret keys, credentials in URLs, and any of ``secrets``."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if secret:
            text = text.replace(secret, HIDDEN)
    text = _IN_URL.sub(f"{HIDDEN}@", text)
    text = _QUERY.sub(rf"\g<1>{HIDDEN}", text)
    return _SETTING.sub(rf"\g<1>{HIDDEN}", text)
