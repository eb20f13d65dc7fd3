"""The desk of one step: the state being changed, what was read, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from evcclib.commands import Batch, Read
from evcclib.events import Event, SettingChanged, Warned, WarningCode
from evcclib.machines.hold import ELAPSED
from evcclib.model import Now, PvAction
from evcclib.pipeline.lookup import SiteLayout
from evcclib.pipeline.state import Balance, LoadpointState, SiteState
from evcclib.readings import Readings
from evcclib.settings import Scope, SettingValue

NO_BALANCE = Balance()


@dataclass(slots=True)
class Work:
    """One step or one request. ``state`` is ours to change; ``oldest`` is when a sample must have been taken to count."""

    layout: SiteLayout
    state: SiteState
    readings: Readings
    now: Now
    instant: timedelta
    utc: datetime
    oldest: timedelta
    balance: Balance = NO_BALANCE
    events: list[Event] = field(default_factory=list)
    reads: set[Read] = field(default_factory=set)
    batches: dict[int, Batch] = field(default_factory=dict)

    def change(self, index: int, **values: SettingValue) -> None:
        """Give settings of a loadpoint new values and say so; those that do not change are left alone."""
        loadpoint = self.state.loadpoints[index]
        changed = {name: value for name, value in values.items() if getattr(loadpoint.settings, name) != value}
        if changed:
            loadpoint.settings = replace(loadpoint.settings, **changed)  # type: ignore[arg-type]  # checked by the table
            self.events.extend(SettingChanged(Scope.LOADPOINT, index, name, value) for name, value in changed.items())

    def warn(self, index: int, code: WarningCode, is_so: bool, **params: float | str) -> None:
        """Announce that a warning begins or ends at a loadpoint; nothing while it goes on."""
        loadpoint = self.state.loadpoints[index]
        if is_so is (code in loadpoint.warnings):
            return
        if is_so:
            loadpoint.warnings = loadpoint.warnings | {code}
            self.events.append(Warned(code, index, params))
        else:
            loadpoint.warnings = loadpoint.warnings - {code}
            self.events.append(Warned(WarningCode.RECOVERED, index, {"code": code.value}))


def begin(layout: SiteLayout, state: SiteState, readings: Readings, now: Now) -> Work:
    """A desk with a copy of ``state`` on it."""
    instant = now.instant
    return Work(layout, state.copy(), readings, now, instant, now.utc, instant - layout.age_max)


def elapse(loadpoint: LoadpointState) -> None:
    """Make the next decision on surplus immediate [PVT-3]."""
    if loadpoint.pv_timer != ELAPSED:
        loadpoint.pv_timer = ELAPSED
        loadpoint.pv_action = PvAction.INACTIVE
        loadpoint.charger = replace(loadpoint.charger, guard=None)
