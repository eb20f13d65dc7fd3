"""What a file says of settings: where, is in the table; how it is read, in `Section.setting`; what it may be, says evcclib."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

from evcc_server.config.section import Section
from evcc_server.settings import BY_NAME, TABLE
from evcclib.config import Actions
from evcclib.errors import InvalidSetting
from evcclib.settings import Scope, SettingSpec

Place = tuple[SettingSpec, Section, str]
"""A setting, the table in which it may stand, and its key there."""


def read_settings(section: Section, scope: Scope) -> dict[str, Any]:
    """The settings that ``section`` may give, by name: each value, or its default."""
    inner: dict[str, Section | None] = {"": section}
    places: list[Place] = []
    values: dict[str, Any] = {}
    for row in TABLE:
        if row.scope is scope and row.spec is not None and row.file_key is not None:
            outer, _, key = row.file_key.rpartition(".")
            table = inner[outer] if outer in inner else inner.setdefault(outer, section.section(outer))
            values[row.name] = row.spec.default
            if table is not None:
                places.append((row.spec, table, key))
    values = _read(places, values)
    for outer, table in inner.items():
        if outer and table is not None:
            table.close()
    return values


def read_actions(section: Section) -> Actions:
    """What ``onIdentify`` changes: settings of the loadpoint under their own keys."""
    rows = [BY_NAME[Scope.LOADPOINT, each.name] for each in fields(Actions)]
    places = [(row.spec, section, row.key) for row in rows if row.spec is not None]
    return Actions(**_read(places, dict.fromkeys(row.name for row in rows)))


def _read(places: Iterable[Place], defaults: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(defaults)
    for spec, section, key in places:
        value = section.setting(key, spec)
        if value is not None:
            values[spec.name] = value
    for spec, section, key in places:
        if section.has(key) and values[spec.name] is not None:
            try:
                spec.check_beside(values[spec.name], SimpleNamespace(**values))
            except InvalidSetting as error:
                section.problem(key, str(error))
                break  # the other one would say the same
    return values
