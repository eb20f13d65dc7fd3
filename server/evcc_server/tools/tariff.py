"""``evcc-server tariff``: fetch the lists once, show them, and say in a line what is wrong with one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import tzinfo

import anyio

from evcc_server.clock import Clock
from evcc_server.config.model import Config
from evcc_server.tariffs.service import FAILURES, TariffService
from evcc_server.tariffs.source import Fetched, explained
from evcc_server.tools.values_text import table
from evcc_server.wiring.factory import Devices
from evcclib.model import TariffKind
from evcclib.tariff import CO2_UNIT, POWER_UNIT, Rates

DEADLINE_S = 20.0


async def fetch_all(
    config: Config, devices: Devices, clock: Clock, only: Iterable[TariffKind] | None = None
) -> Mapping[TariffKind, Fetched | str]:
    """One try of each list that is configured, side by side; why it failed in place of one."""
    service = TariffService(config, devices, clock=clock)
    wanted = [kind for kind in service.kinds if only is None or kind in only]
    found: dict[TariffKind, Fetched | str] = {}

    async def fetch(kind: TariffKind) -> None:
        try:
            with anyio.fail_after(DEADLINE_S):
                found[kind] = await service.fetch(kind)
        except TimeoutError:
            found[kind] = f"no answer within {DEADLINE_S:g} s"
        except FAILURES as error:
            found[kind] = explained(error)

    async with anyio.create_task_group() as group:
        for kind in wanted:
            group.start_soon(fetch, kind)
    return {kind: found[kind] for kind in wanted}


def configured(config: Config) -> list[str]:
    """What can be asked for by name."""
    tariffs = config.tariffs
    rows = {
        TariffKind.GRID: tariffs.grid,
        TariffKind.FEED_IN: tariffs.feed_in,
        TariffKind.PLANNER: tariffs.planner,
        TariffKind.CO2: tariffs.co2,
        TariffKind.SOLAR: tariffs.solar,
    }
    return [kind.value for kind, tariff in rows.items() if tariff]


def lines(fetched: Fetched, zone: tzinfo) -> list[str]:
    """The lists beside each other, by the clock of the house."""
    kinds = list(fetched.lists)
    if len(kinds) > 1 and fetched.lists[kinds[0]] == fetched.lists[kinds[1]]:  # emissions that are the planner's, too
        kinds = kinds[:1]
    first = fetched.lists[kinds[0]]
    rows: list[tuple[str, ...]] = []
    for rate in first.rates:
        values = (fetched.lists[kind].at(rate.start) for kind in kinds)
        times = (each.astimezone(zone).isoformat(timespec="minutes") for each in (rate.start, rate.end))
        rows.append((*times, *("" if value is None else f"{value.price:.6g}" for value in values)))
    return table(("start", "end", *(f"{kind} [{unit_of(fetched.lists[kind])}]" for kind in kinds)), rows)


def unit_of(rates: Rates) -> str:
    """In what the values of a list are, for people."""
    if rates.unit == POWER_UNIT:
        return rates.unit
    return "g/kWh" if rates.unit == CO2_UNIT else f"{rates.unit}/kWh"
