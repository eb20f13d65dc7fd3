"""Named behaviour that a register map cannot say. A profile names it in ``quirk``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from evcc_server.devices.template.block import Snapshot
from evcc_server.devices.template.device_registers import Access
from evcclib.model import ChargerStatus

StatusQuirk = Callable[[Snapshot], ChargerStatus | None]
"""The status from what was read; the profile names the registers that it needs in ``keys``."""

CurrentQuirk = Callable[[Access, float], Awaitable[None]]
"""Write a current [A] that is already within limits and steps."""

EnableQuirk = Callable[[Access, bool, float], Awaitable[None]]
"""Enable (with the remembered current [A]) or disable."""

STATUS: Mapping[str, StatusQuirk] = {}
CURRENT: Mapping[str, CurrentQuirk] = {}
ENABLE: Mapping[str, EnableQuirk] = {}
