"""Everything that is configured in the section ``tariffs``, as something to be awaited."""

from __future__ import annotations

from evcc_server.config.model import Tariff, Tariffs
from evcc_server.tariffs.price_sources import price_source
from evcc_server.tariffs.source import Source, Surroundings
from evcc_server.tariffs.sun_sources import sun_source
from evcc_server.texts.measures import GRAMS, Measure
from evcclib.model import TariffKind


def sources_of(tariffs: Tariffs, around: Surroundings) -> dict[TariffKind, Source]:
    """What is configured. Emissions are what plans are made by, too, where there is no planner's list."""
    price = Measure(around.currency)
    co2_kinds = (TariffKind.CO2,) if tariffs.planner is not None else (TariffKind.CO2, TariffKind.PLANNER)
    rows: tuple[tuple[tuple[TariffKind, ...], Tariff | None, Measure], ...] = (
        ((TariffKind.GRID,), tariffs.grid, price),
        ((TariffKind.FEED_IN,), tariffs.feed_in, price),
        ((TariffKind.PLANNER,), tariffs.planner, price),
        (co2_kinds, tariffs.co2, GRAMS),
    )
    found = {
        kinds[0]: price_source(tariff, kinds, measure, around) for kinds, tariff, measure in rows if tariff is not None
    }
    return found | ({TariffKind.SOLAR: sun_source(tariffs.solar, around)} if tariffs.solar else {})
