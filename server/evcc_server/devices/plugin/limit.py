"""A limit of the grid operator that plugin sources read."""

from __future__ import annotations

from evcc_server.config.model import OperatorLimitEntry
from evcc_server.devices import plausible
from evcc_server.devices.plugin.meter import POWER_AGE_MAX, number_of, optional_reader
from evcc_server.devices.plugin.sources import Plugins
from evcc_server.errors import DeviceImplausible
from evcc_server.json_path import JsonValue
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
        self._contacts = [(plugins.reader(each.state, max_age=POWER_AGE_MAX), each) for each in entry.contacts]

    async def read(self) -> float | None:
        """The limit [W]; None: there is none now. Raises `DeviceError`, also for what is neither."""
        if self._contacts:
            return await self._by_contacts()
        if self._active is not None:
            said = await self._active()
            if not self._truth("active", said):
                return None
        said = await self._limit()
        power_w = plausible.within(number_of(said, self._name), (0.0, OPERATOR_LIMIT_MAX_W))
        if power_w is None:
            raise DeviceImplausible(f"{self._name}: limit is {quoted(said)}, expected 0..{OPERATOR_LIMIT_MAX_W:.0f} W")
        return power_w

    async def _by_contacts(self) -> float | None:
        """The lowest limit that a contact sets. Where one of them says that there is none, nothing at all is no answer."""
        limits_w = []
        for read, contact in self._contacts:
            if self._truth("a contact", await read()) is contact.when:
                limits_w.append(contact.limit_w)
        if not limits_w and any(contact.limit_w is None for _read, contact in self._contacts):
            raise DeviceImplausible(f"{self._name}: no contact says anything")
        return min((power_w for power_w in limits_w if power_w is not None), default=None)

    def _truth(self, what: str, said: JsonValue) -> bool:
        found = as_truth(said)
        if found is None:
            raise DeviceImplausible(f"{self._name}: {what} is {quoted(said)}, neither true nor false")
        return found
