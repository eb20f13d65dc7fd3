"""A limit of the grid operator that plugin sources read."""

from __future__ import annotations

from evcc_server.config.model import OperatorLimitEntry
from evcc_server.devices import plausible
from evcc_server.devices.plugin.meter import POWER_AGE_MAX, number_of, optional_reader
from evcc_server.devices.plugin.sources import Plugins
from evcc_server.errors import DeviceImplausible
from evcc_server.quoting import quoted
from evcc_server.settings import OPERATOR_LIMIT_MAX_W
from evcc_server.texts.values import as_truth


class PluginLimit:
    """What `OperatorLimitEntry` describes."""

    def __init__(self, entry: OperatorLimitEntry, plugins: Plugins) -> None:
        self._name = entry.name
        self.deadline = plugins.deadline(entry)
        self._active = optional_reader(entry.active, plugins, max_age=POWER_AGE_MAX)
        self._limit = plugins.reader(entry.limit, max_age=POWER_AGE_MAX)

    async def read(self) -> float | None:
        """The limit [W]; None: there is none now. Raises `DeviceError`, also for what is neither."""
        if self._active is not None:
            said = await self._active()
            is_active = as_truth(said)
            if is_active is None:
                raise DeviceImplausible(f"{self._name}: active is {quoted(said)}, neither true nor false")
            if not is_active:
                return None
        said = await self._limit()
        power_w = plausible.within(number_of(said, self._name), (0.0, OPERATOR_LIMIT_MAX_W))
        if power_w is None:
            raise DeviceImplausible(f"{self._name}: limit is {quoted(said)}, expected 0..{OPERATOR_LIMIT_MAX_W:.0f} W")
        return power_w
