"""The present settings as a document shows them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import tzinfo
from operator import attrgetter

from evcc_server.settings import TABLE, Setting
from evcc_server.state.shapes import local
from evcc_server.state.values import Structure, Value
from evcclib.settings import Kind, LoadpointSettings, Scope, SiteSettings
from evcclib.timetable.plans import PlanStrategy


class ShownSettings:
    """The settings of a scope, each under its key. Those of a step are nearly always the very ones of the step before."""

    def __init__(self, scope: Scope, key_of: Callable[[Setting], str] = attrgetter("key")) -> None:
        rows = [(key_of(row), row.spec) for row in TABLE if row.scope is scope and row.spec is not None]
        self._keys = [key for key, _ in rows]
        self._values = attrgetter(*(spec.name for _, spec in rows))
        self._modes = [key for key, spec in rows if spec.kind is Kind.MODE]
        self._times = [key for key, spec in rows if spec.kind is Kind.TIME]
        self._strategies = [key for key, spec in rows if spec.kind is Kind.STRATEGY]
        self._last: dict[int, tuple[SiteSettings | LoadpointSettings, tzinfo, Mapping[str, Value]]] = {}

    def shown(self, settings: SiteSettings | LoadpointSettings, zone: tzinfo, place: int = 0) -> Mapping[str, Value]:
        """``place``: of several such settings, which; those shown there last are not worked out again."""
        last = self._last.get(place)
        if last is None or last[0] is not settings or last[1] is not zone:
            last = self._last[place] = settings, zone, self._made(settings, zone)
        return last[2]

    def _made(self, settings: SiteSettings | LoadpointSettings, zone: tzinfo) -> Mapping[str, Value]:
        keys = dict(zip(self._keys, self._values(settings), strict=True))
        for key in self._modes:
            keys[key] = keys[key].value
        for key in self._strategies:
            keys[key] = shown_strategy(keys[key])
        for key in self._times:
            keys[key] = local(keys[key], zone)
        return keys


@functools.lru_cache(maxsize=64)
def shown_strategy(strategy: PlanStrategy) -> Structure:
    """How plans lie in time."""
    precondition_s = round(strategy.precondition.total_seconds())
    return Structure({"continuous": strategy.is_continuous, "precondition": precondition_s})
