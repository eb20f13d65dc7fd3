"""What the handlers of all routes share: the home as seen through its gateway, hub and store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evcc_server.gateway import Gateway
from evcc_server.http.route import Refused
from evcc_server.http.who_may_call import Networks
from evcc_server.keeping.store import Store
from evcc_server.quoting import short
from evcc_server.settings import Context
from evcc_server.state.encode import Compat
from evcc_server.state.hub import Hub
from evcc_server.state.vocabulary import VOCABULARIES, Vocabulary
from evcclib.config import SiteConfig
from evcclib.model import Now

LOADPOINT_MISSING = "loadpoint not found: {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """What the owner may decide about the API.

    ``token``: needed as ``Authorization: Bearer`` for everything that writes. ``is_local_only``: only clients on this machine
    may write. ``allowed_origins``: web pages of these
    origins may write and open the WebSocket; ``*`` allows all. ``name``: what the owner calls this server, whatever ``Host`` a
    proxy makes of it. ``trusted_proxies``: their ``X-Forwarded-For`` names the client, and none of theirs is on this machine.
    ``ui``: a directory served in place of our page.
    """

    compat: Compat = Compat.V0_114
    language: str = "en"
    token: str | None = None
    is_local_only: bool = False
    allowed_origins: frozenset[str] = frozenset()
    name: str | None = None
    trusted_proxies: Networks = ()
    ui: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Everything a handler may use."""

    gateway: Gateway
    hub: Hub
    store: Store
    site: SiteConfig
    chargers: tuple[str, ...]  # the device of each loadpoint, by which its history is known
    now: Callable[[], Now]
    options: ApiOptions

    @property
    def words(self) -> Vocabulary:
        """How clients are spoken to."""
        return VOCABULARIES[self.options.compat]

    @property
    def context(self) -> Context:
        """How texts are read on this channel."""
        return Context(site=self.site)

    def loadpoint(self, path: Mapping[str, str]) -> int:
        """The 0-based loadpoint of a path; raises `Refused` with 404."""
        text = path["id"]
        if text.isascii() and text.isdigit() and len(text) < 6 and text == str(int(text)):
            index = int(text) - 1
            if 0 <= index < len(self.site.loadpoints):
                return index
        raise Refused(404, LOADPOINT_MISSING.format(short(text)))

    def vehicle(self, path: Mapping[str, str]) -> str:
        """The configured name of the vehicle of a path, which may also hold its title; raises `Refused`."""
        text = path["name"]
        for vehicle in self.site.vehicles:
            if text in (vehicle.name, vehicle.title):
                return vehicle.name
        raise Refused(self.words.vehicle_missing, f"vehicle not found: {short(text)}")

    def titles(self) -> Mapping[str, str]:
        """Vehicle titles by configured name."""
        return {vehicle.name: vehicle.title or vehicle.name for vehicle in self.site.vehicles}
