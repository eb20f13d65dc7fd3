"""The section ``tariffs``."""

from __future__ import annotations

import re

from evcc_server.config.bidding_zones import CODES, zone_code
from evcc_server.config.model import CustomTariff, FixedTariff, ProviderTariff, Tariff, Tariffs, Zone
from evcc_server.config.problems import expected_one_of
from evcc_server.config.read_sources import optional_number, optional_source
from evcc_server.config.section import Section
from evcc_server.quoting import quoted
from evcclib.errors import InvalidConfig
from evcclib.fixed_tariff import fixed_tariff, parse_days, parse_hours

_ADDRESS = re.compile(r"(?!.*(\$\{|\{\{))https?://[^\s/]+\S*")
_PRICE_MAX = 100_000.0  # gCO2/kWh use the same numbers
_PROVIDERS: dict[str, dict[tuple[str, ...], str]] = {
    # kind -> the keys it needs, each by any of its names, and what is expected there
    "awattar": {},
    "tibber": {("token",): "the access token"},
    "octopusenergy": {
        ("productcode", "tariff"): "the product, such as AGILE-24-10-01; no account is asked for it",
        ("region",): "the letter of the region, such as C",
    },
    "energycharts": {},
    "gruenstromindex": {("zip", "region"): "the postcode"},
    "electricitymaps": {("token", "apikey"): "the access token"},
    "entsoe": {
        ("securitytoken", "token"): "the security token of the Web API",
        ("domain", "region"): "the bidding zone, such as DE-LU, or its code",
    },
}
_OTHER_NAMES = {
    "octopus": "octopusenergy",
    "octopus-api": "octopusenergy",
    "octopus-productcode": "octopusenergy",
    "energy-charts": "energycharts",
    "energy-charts-api": "energycharts",
    "grünstromindex": "gruenstromindex",
    "grünstromindex-free": "gruenstromindex",
    "electricitymaps-free": "electricitymaps",
    "electricity-maps": "electricitymaps",
}
KINDS = ("fixed", "custom", "template", *_PROVIDERS)


def read_tariffs(section: Section) -> Tariffs:
    """The whole section."""
    currency = section.text("currency", default="EUR").upper()
    if not (len(currency) == 3 and currency.isalpha()):
        section.problem("currency", f"{quoted(currency)} is no currency, expected a code such as EUR")
    tariffs = Tariffs(
        currency=currency,
        grid=_tariff(section.section("grid")),
        feed_in=_tariff(section.section("feedin")),
        planner=_tariff(section.section("planner", "co2")),
    )
    section.close(ignored=dict.fromkeys(("solar", "temperature"), "without effect here, forecasts of it are not used"))
    return tariffs


def _tariff(section: Section | None) -> Tariff | None:
    if section is None:
        return None
    kind = section.required_text("type", allowed=f"one of {', '.join(KINDS)}").casefold()
    if kind == "template":
        kind = section.required_text("template", allowed=f"one of {', '.join(_PROVIDERS)}").casefold()
    kind = _OTHER_NAMES.get(kind, kind)
    tariff: Tariff | None = None
    if kind == "fixed":
        tariff = _fixed(section)
    elif kind == "custom":
        tariff = _custom(section)
    elif kind in _PROVIDERS:
        tariff = _provider(section, kind)
    elif kind:
        section.problem("type", f"{quoted(kind)} is not supported, {expected_one_of(kind, KINDS)}")
        section.close_quietly()
    section.close()
    return tariff


def _fixed(section: Section) -> FixedTariff:
    price = section.number("price", default=0.0, low=-_PRICE_MAX, high=_PRICE_MAX)
    if not section.has("price"):
        section.problem("price", "missing, expected a price per kWh")
    zones = section.each("zones", _zone)
    try:
        fixed_tariff(price, [(zone.price, zone.days, zone.hours) for zone in zones])
    except InvalidConfig:
        zones = ()  # reported where it stands
    return FixedTariff(price=price, zones=zones, currency=section.text("currency"))


def _zone(section: Section) -> Zone:
    zone = Zone(
        price=section.number("price", default=0.0, low=-_PRICE_MAX, high=_PRICE_MAX),
        days=section.text("days", default=""),
        hours=section.text("hours", default=""),
    )
    if not section.has("price"):
        section.problem("price", "missing, expected a price per kWh")
    for key, text, parse in (("days", zone.days, parse_days), ("hours", zone.hours, parse_hours)):
        try:
            parse(text)
        except InvalidConfig as error:
            section.problem(key, str(error))
    section.close()
    return zone


def _custom(section: Section) -> CustomTariff:
    price = optional_number(section, "price")
    forecast = optional_source(section, "forecast")
    if (price is None) == (forecast is None):
        section.problem("price", "expected one of price (now) and forecast (a list of start, end, price)")
    return CustomTariff(price=price, forecast=forecast)


def _provider(section: Section, kind: str) -> ProviderTariff:
    for keys, expected in _PROVIDERS[kind].items():
        if not any(section.has(key) for key in keys):
            section.problem(keys[0], f"missing, expected {expected}")
    region = section.text("region", "zone", "zip", "bzn", "domain", default="")
    if kind == "entsoe" and region:
        code = zone_code(region)
        if code is None:
            known = expected_one_of(region, CODES, at_most=len(CODES))
            section.problem("domain", f"{quoted(region)} is no bidding zone, {known}, or its code (EIC)")
        region = code or region
    uri = section.text("uri", default="")
    if uri and not _ADDRESS.fullmatch(uri):  # which may hold a secret
        section.problem("uri", "no address, expected http://host/path or https://host/path, without ${...} and {{...}}")
    return ProviderTariff(
        kind=kind,
        region=region,
        token=section.text("token", "apikey", "securitytoken"),
        home=section.text("homeid", default=""),
        product=section.text("productcode", "tariff", default=""),
        uri=uri,
        charges=section.number("charges", default=0.0, low=-10, high=10),
        tax=section.number("tax", default=0.0, low=0, high=10),
        by_direct_debit=section.boolean("directDebit", default=True),
    )
