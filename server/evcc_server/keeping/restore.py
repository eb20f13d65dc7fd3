"""The site as it was left, and what has led there.

    timers, sessions, plans, savings    from the stored snapshot
    how reasons have changed            from a snapshot for each loadpoint
    settings                            from the file; what a client or a vehicle has changed since, from its table [P-3]

So an owner who edits evcc.yaml sees the edit, unless a client has set that very value. Without persistence the file alone counts.
"""

from __future__ import annotations

import logging

from evcc_server.keeping.kept_reasons import continued, row_name
from evcc_server.keeping.persistence import SNAPSHOT
from evcc_server.keeping.setting_rows import SettingRow
from evcc_server.keeping.store import Store
from evcc_server.settings import TABLE
from evcc_server.settings import request as setting_request
from evcc_server.state.reason_log import ReasonLog
from evcclib import Site
from evcclib.config import SiteConfig
from evcclib.errors import EvccError, IncompatibleState
from evcclib.laws.law import Law
from evcclib.model import Now
from evcclib.planning.joint.programme import Solver
from evcclib.reason_history import History
from evcclib.requests import ChangeLoadpointSetting, ChangeSiteSetting, Request
from evcclib.settings import Scope

_log = logging.getLogger(__name__)

GOALS = frozenset(row.name for row in TABLE if row.scope is Scope.LOADPOINT and row.file_key is None)
"""What no file says; these go on as they were."""


async def restored_site(
    config: SiteConfig,
    store: Store,
    now: Now,
    *,
    keeps_settings: bool,
    law: Law | None = None,
    solver: Solver | None = None,
) -> Site:
    """The site to go on with; ``keeps_settings`` False: nothing that a client has set; ``law`` None: the configured one.

    Raises `StoreError`, `InvalidConfig`.
    """
    fresh = Site(config, now=now, law=law, solver=solver)
    stored = await store.load_snapshot(SNAPSHOT)
    if stored is None:
        site = fresh
    else:
        try:
            site = Site.restore(config, stored[0], now=now, law=law, solver=solver)
        except IncompatibleState as error:
            _log.warning("the stored state is not continued: %s", error)
            site = fresh
            site.doubt_batteries()
        # Leaving in order has brought stations to their minimum; after a kill a watchdog may have done so.
        site.forget_offers()
    _submit(site, _as_in_file(site, fresh, has_goals=keeps_settings), now)
    if keeps_settings:
        rows = await store.load_settings(config)
        changed = [row for row in rows if _present(site, row) != row.value and not _is_vehicles(site, row)]
        _submit(site, [setting_request(row.setting, row.owner, row.value) for row in changed], now)
    return site


async def restored_reasons(config: SiteConfig, store: Store, now: Now) -> ReasonLog:
    """The histories of reasons to go on with. Raises `StoreError`."""
    site = await store.load_snapshot(SNAPSHOT)
    histories: dict[int, History] = {}
    for loadpoint, each in enumerate(config.loadpoints):
        stored = await store.load_snapshot(row_name(loadpoint))
        if site is None or stored is None:
            continue
        try:
            histories[loadpoint] = continued(*stored, each.title, left_at=site[1], now=now)
        except ValueError as error:
            _log.warning("the history of reasons of loadpoint %d is not continued: %s", loadpoint + 1, error)
    return ReasonLog(histories)


def _is_vehicles(site: Site, row: SettingRow) -> bool:
    """Whether the loadpoint's goal is that of the vehicle there, whose own row says whether its owner has ever set it."""
    return (
        isinstance(row.owner, int)
        and row.setting.name in ("soc_min_pct", "soc_target_pct")
        and site.lasting.vehicles[row.owner] is not None
    )


def _present(site: Site, row: SettingRow) -> object:
    """The value that ``row``'s setting has now."""
    lasting, name = site.lasting, row.setting.name
    match row.owner:
        case None:
            return getattr(lasting.settings, name)
        case int(loadpoint):
            return getattr(lasting.loadpoints[loadpoint], name)
        case str(vehicle):
            settings = lasting.vehicle_settings.get(vehicle)
            return None if settings is None else getattr(settings, name)


def _as_in_file(site: Site, fresh: Site, *, has_goals: bool) -> list[Request]:
    """What must be changed in ``site`` to have the settings of ``fresh``."""
    requests: list[Request] = []
    for change in site.lasting.changes_to(fresh.lasting):
        match change.scope, change.owner:
            case Scope.SITE, _:
                requests.append(ChangeSiteSetting(change.name, change.value))
            case Scope.LOADPOINT, int(loadpoint) if not (has_goals and change.name in GOALS):
                requests.append(ChangeLoadpointSetting(loadpoint, change.name, change.value))
    return requests


def _submit(site: Site, requests: list[Request], now: Now) -> None:
    """Fulfil what can be: a minimum may only fit once the maximum is set, so what is refused gets a second try."""
    for is_last in (False, True):
        refused = []
        for request in requests:
            try:
                site.submit(request, now=now)
            except EvccError as error:
                refused.append(request)
                if is_last:
                    _log.warning("a stored setting is dropped: %s", error)
        requests = refused
