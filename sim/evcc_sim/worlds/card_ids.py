"""Which ids of cards and vehicles a station can show: its registers hold digits of some kind, or so many characters."""

from __future__ import annotations

import re

from evcc_server.profiles.profile import Charger, Identity, Profile, Register


def misfit(profile: Profile, card: str) -> str | None:
    """What the ids that a station of ``profile`` shows are made of, in words, if ``card`` is none; else None."""
    if profile.charger is None or not card:
        return None
    for identity in _identities(profile.charger):
        for key in (identity.register, *identity.registers):
            pattern, words = _shown_by(profile.register_by_key[key], identity)
            if re.fullmatch(pattern, card) is None:
                return words
    return None


def _identities(charger: Charger) -> tuple[Identity, ...]:
    """Those of the station and of its variants."""
    found = (charger.identity, *(variant.identity for variant in charger.variants))
    return tuple(identity for identity in found if identity is not None)


def _shown_by(register: Register, identity: Identity) -> tuple[str, str]:
    size = 2 * register.count
    if register.type != "string":
        if identity.format == "hex":
            return f"[0-9A-Fa-f]{{1,{2 * size}}}", f"1 to {2 * size} hexadecimal digits"
        digits = len(str((1 << 8 * size) - 1)) - 1
        return f"[0-9]{{1,{digits}}}", f"1 to {digits} decimal digits"
    match register.encoding:
        case "hex":
            return f"([0-9A-Fa-f]{{2}}){{1,{size}}}", f"an even number of hexadecimal digits, at most {2 * size}"
        case "utf16be":
            return rf"[^\0\U00010000-\U0010ffff]{{1,{register.count}}}", f"at most {register.count} characters"
        case _:
            return f"[ -~]{{1,{size}}}", f"at most {size} characters of ASCII"
