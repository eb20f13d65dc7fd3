"""The laws that a configuration can name; the one place that imports them."""

from __future__ import annotations

from collections.abc import Mapping

from evcclib.errors import InvalidConfig
from evcclib.laws.adaptive import Adaptive
from evcclib.laws.classic import Classic
from evcclib.laws.law import Law

LAWS: Mapping[str, Law] = {law.name: law for law in (Classic(), Adaptive())}


def by_name(name: str) -> Law:
    """Raises `evcclib.errors.InvalidConfig` if there is none."""
    law = LAWS.get(name)
    if law is None:
        raise InvalidConfig("law", name, f"one of {', '.join(LAWS)}")
    return law
