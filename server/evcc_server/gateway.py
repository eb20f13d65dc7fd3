"""The one way in for requests and the one way out for answers: what REST, WebSocket and MQTT see of the control loop."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from evcclib.decision import PlanPreview
from evcclib.model import TariffKind
from evcclib.requests import Request
from evcclib.tariff import Rates
from evcclib.view import SiteView


class Gateway(Protocol):
    """Implemented by `evcc_server.loop.control.ControlLoop`; outlets know nothing else of the loop."""

    async def submit(self, *requests: Request) -> None:
        """Fulfil ``requests``, all or none: validated, committed to the store and visible in `view` when this returns [R-1, P-2].

        Those of several callers are taken one after the other; nothing of one is seen anywhere before it is committed. Never
        waits for a device [R-3]. Raises `evcclib.errors.InvalidSetting`, `UnknownTarget` or, if the store cannot take it,
        `evcc_server.errors.StoreError`; then nothing has changed.
        """

    async def limit(self, giver: str, power_w: float, lasts: timedelta) -> None:
        """Take in a limit of the grid operator, in place of the giver's last one; on the disk and visible when this returns.

        Raises `evcc_server.errors.StoreError`; then nothing has changed.
        """

    async def unlimit(self, giver: str) -> None:
        """Withdraw what ``giver`` has given, if it has; as `limit`."""

    def view(self) -> SiteView:
        """The site as it is now."""

    def ailment(self) -> str:
        """Why `view` is not healthy, in words for the owner; of no meaning while it is."""

    def plan(
        self,
        loadpoint: int,
        *,
        target_time: datetime | None = None,
        soc_pct: int | None = None,
        energy_kwh: float | None = None,
    ) -> PlanPreview:
        """The plan for ``target_time``, or for what is due [PLAN-17]. Raises `UnknownTarget`, `InvalidSetting`."""

    def rates(self, kind: TariffKind) -> Rates | None:
        """The price list, the planner's falling back to the grid's; None when not configured [TAR-10]."""
