"""The section ``tariffs``."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from evcc_server.config.bidding_zones import CODES, zone_code
from evcc_server.config.model import (
    NO_FEES,
    CsvTariff,
    CustomTariff,
    Fees,
    FixedTariff,
    ProviderTariff,
    Roof,
    SolarSource,
    SolarTariff,
    Tariff,
    Tariffs,
    Zone,
)
from evcc_server.config.problems import expected_one_of
from evcc_server.config.read_sources import optional_number, optional_source
from evcc_server.config.section import Section
from evcc_server.profiles.formula import compiled, names_in
from evcc_server.quoting import quoted
from evcc_server.texts.measures import (
    EMISSION_MEASURES,
    SUN_MEASURES,
    Measure,
    measure_of,
    price_measures,
)
from evcclib.errors import InvalidConfig
from evcclib.fixed_tariff import fixed_tariff, parse_days, parse_hours, parse_months

_ADDRESS = re.compile(r"(?!.*(\$\{|\{\{))https?://[^\s/]+\S*")
_PRICE_MAX = 100_000.0  # gCO2/kWh use the same numbers
_CHARGES_MAX = 10.0
_INTERVAL_MIN = timedelta(minutes=5)
_OWN_INTERVAL_MIN = timedelta(seconds=10)
_PROVIDERS: dict[str, dict[tuple[str, ...], str]] = {
    # kind -> the keys it needs, each by any of its names, and what is expected there
    "awattar": {},
    "tibber": {("token",): "the access token"},
    "octopusenergy": {
        ("productcode", "tariff"): "the product, such as AGILE-24-10-01; no account is asked for it",
        ("region",): "the letter of the region, such as C",
    },
    "energycharts": {},
    "nordpool": {("region",): "the delivery area, such as SE3"},
    "gruenstromindex": {("zip", "region"): "the postcode"},
    "electricitymaps": {("token", "apikey"): "the access token"},
    "energychartsco2": {},
    "entsoe": {
        ("securitytoken", "token"): "the security token of the Web API",
        ("domain", "region"): "the bidding zone, such as DE-LU, or its code",
    },
}
_EMISSIONS = ("gruenstromindex", "electricitymaps", "energychartsco2")
_ROOF: dict[tuple[str, ...], str] = {
    ("lat",): "the latitude",
    ("lon",): "the longitude",
    ("dec",): "the tilt of the modules, 0 is flat",
    ("az",): "where they look: 0 is south, -90 east, 90 west",
    ("kwp",): "their peak power",
}
_SOLAR: dict[str, dict[tuple[str, ...], str]] = {
    "forecastsolar": _ROOF,
    "openmeteo": _ROOF,
    "clearsky": _ROOF,
    "solcast": {("site",): "the id of the rooftop site", ("token", "apikey"): "the API key"},
}
_OTHER_NAMES = {
    "octopus": "octopusenergy",
    "octopus-api": "octopusenergy",
    "octopus-productcode": "octopusenergy",
    "energy-charts": "energycharts",
    "energy-charts-api": "energycharts",
    "nord-pool": "nordpool",
    "grünstromindex": "gruenstromindex",
    "grünstromindex-free": "gruenstromindex",
    "electricitymaps-free": "electricitymaps",
    "electricity-maps": "electricitymaps",
    "fixed-zones": "fixed",
    "forecast-solar": "forecastsolar",
    "forecast.solar": "forecastsolar",
    "open-meteo": "openmeteo",
    "clear-sky": "clearsky",
}
KINDS = ("fixed", "custom", "csv", "template", *_PROVIDERS)
CO2_KINDS = ("fixed", "custom", "csv", "template", *_EMISSIONS)
SOLAR_KINDS = ("custom", "csv", "template", *_SOLAR)
_SOLCAST_INTERVAL = timedelta(hours=3)
"""Ten requests a day are free."""


def read_tariffs(section: Section) -> Tariffs:
    """The whole section."""
    currency = section.text("currency", default="EUR").upper()
    if not (len(currency) == 3 and currency.isalpha()):
        section.problem("currency", f"{quoted(currency)} is no currency, expected a code such as EUR")
    prices = price_measures(currency)
    tariffs = Tariffs(
        currency=currency,
        grid=_tariff(section.section("grid"), KINDS, prices, currency),
        feed_in=_tariff(section.section("feedin"), KINDS, prices, currency),
        planner=_tariff(section.section("planner"), KINDS, prices | EMISSION_MEASURES, currency),
        co2=_tariff(section.section("co2"), CO2_KINDS, EMISSION_MEASURES, currency),
        solar=tuple(source for each in section.sections("solar") if (source := _solar(each)) is not None),
    )
    if len({getattr(each, "kind", "") == "clearsky" for each in tariffs.solar}) > 1:
        section.problem("solar", "clearsky is measured by what all roofs give, and goes with no other type")
    section.close(ignored={"temperature": "without effect here, forecasts of it are not used"})
    return tariffs


def _kind(section: Section, kinds: tuple[str, ...]) -> str:
    """What ``type``, or ``template``, names; "" after a problem has been noted."""
    kind = section.required_text("type", allowed=f"one of {', '.join(kinds)}").casefold()
    if kind == "template":
        named = [each for each in kinds if each not in ("custom", "csv", "template")]
        kind = section.required_text("template", allowed=f"one of {', '.join(named)}").casefold()
    kind = _OTHER_NAMES.get(kind, kind)
    if kind and (kind not in kinds or kind == "template"):
        section.problem("type", f"{quoted(kind)} is not supported, {expected_one_of(kind, kinds)}")
        section.close_quietly()
        return ""
    return kind


def _tariff(
    section: Section | None, kinds: tuple[str, ...], measures: dict[str, Measure], currency: str
) -> Tariff | None:
    if section is None:
        return None
    kind = _kind(section, kinds)
    tariff: Tariff | None = None
    if kind == "fixed":
        tariff = _fixed(section)
    elif kind == "custom":
        tariff = _custom(section, measures)
    elif kind == "csv":
        tariff = CsvTariff(path=section.required_text("file", allowed="a file"), fees=_fees(section))
    elif kind:
        tariff = _provider(section, kind, currency)
    section.close()
    return tariff


def _fixed(section: Section) -> FixedTariff:
    price = section.number("price", default=0.0, low=-_PRICE_MAX, high=_PRICE_MAX)
    if not section.has("price"):
        section.problem("price", "missing, expected a price per kWh")
    zones = _zones(section, "zones", "price", _PRICE_MAX)
    return FixedTariff(price=price, zones=zones, currency=section.text("currency"), fees=_fees(section))


def _zones(section: Section, key: str, value: str, value_max: float) -> tuple[Zone, ...]:
    """Zones with another ``value``, a price or charges; none after a problem has been noted."""
    zones = tuple(_zone(each, value, value_max) for each in section.sections(key))
    try:
        fixed_tariff(0.0, [(zone.price, zone.days, zone.hours, zone.months) for zone in zones])
    except InvalidConfig:
        return ()  # reported where it stands
    return zones


def _zone(section: Section, value: str, value_max: float) -> Zone:
    zone = Zone(
        price=section.number(value, default=0.0, low=-value_max, high=value_max),
        days=section.text("days", default=""),
        hours=section.text("hours", default=""),
        months=section.text("months", default=""),
    )
    if not section.has(value):
        section.problem(value, "missing, expected a price per kWh")
    for key, text, parse in (
        ("days", zone.days, parse_days),
        ("hours", zone.hours, parse_hours),
        ("months", zone.months, parse_months),
    ):
        try:
            parse(text)
        except InvalidConfig as error:
            section.problem(key, str(error))
    section.close()
    return zone


def _fees(section: Section) -> Fees:
    fees = Fees(
        charges=section.number("charges", default=0.0, low=-_CHARGES_MAX, high=_CHARGES_MAX),
        zones=_zones(section, "chargesZones", "charges", _CHARGES_MAX),
        tax=section.number("tax", default=0.0, low=0, high=10),
        formula=_formula(section),
    )
    return NO_FEES if fees == NO_FEES else fees


_GO_FUNCTION = re.compile(r"\bmath\.(Max|Min|Abs)\(")
_OF_A_PRICE = ("price", "charges", "tax")


def _formula(section: Section) -> str:
    """``formula`` in our own spelling: ``math.Max(price, 0.0)`` is ``max(price, 0.0)``."""
    written = section.text("formula", default="")
    text = _GO_FUNCTION.sub(lambda match: f"{match[1].lower()}(", written)
    if not text:
        return ""
    try:
        unknown = [name for name in names_in(text) if name not in _OF_A_PRICE]
        if unknown:
            raise ValueError(f"{quoted(unknown[0])} is not known, expected {', '.join(_OF_A_PRICE)}")
        compiled(text)(lambda _name: 1.0)
    except ValueError as error:
        section.problem(
            "formula", f"{error}; a sum or product of numbers, price, charges and tax, with min, max and abs"
        )
        return ""
    return text


def _measure(section: Section, measures: dict[str, Measure]) -> Measure | None:
    text = section.text("unit")
    if text is None:
        return None
    measure = measure_of(text, measures)
    if measure is None:
        section.problem("unit", f"{quoted(text)} is not known, expected one of {', '.join(measures)}")
    return measure


def _custom(section: Section, measures: dict[str, Measure]) -> CustomTariff:
    price = optional_number(section, "price")
    forecast = optional_source(section, "forecast")
    if (price is None) == (forecast is None):
        section.problem("price", "expected one of price (now) and forecast (a list of start, end, price)")
    return CustomTariff(
        price=price,
        forecast=forecast,
        measure=_measure(section, measures),
        interval=section.duration("interval", low=_OWN_INTERVAL_MIN),
        fees=_fees(section),
    )


def _check_needed(section: Section, needed: dict[tuple[str, ...], str]) -> None:
    for keys, expected in needed.items():
        if not any(section.has(key) for key in keys):
            section.problem(keys[0], f"missing, expected {expected}")


def _uri(section: Section) -> str:
    uri = section.text("uri", default="")
    if uri and not _ADDRESS.fullmatch(uri):  # which may hold a secret
        section.problem("uri", "no address, expected http://host/path or https://host/path, without ${...} and {{...}}")
    return uri


def _provider(section: Section, kind: str, currency: str) -> ProviderTariff:
    _check_needed(section, _PROVIDERS[kind])
    region = section.text("region", "zone", "zip", "bzn", "domain", default="")
    if kind == "entsoe" and region:
        code = zone_code(region)
        if code is None:
            known = expected_one_of(region, CODES, at_most=len(CODES))
            section.problem("domain", f"{quoted(region)} is no bidding zone, {known}, or its code (EIC)")
        region = code or region
    return ProviderTariff(
        kind=kind,
        region=region,
        token=section.text("token", "apikey", "securitytoken"),
        home=section.text("homeid", default=""),
        product=section.text("productcode", "tariff", default=""),
        uri=_uri(section),
        currency=section.text("currency", default=currency).upper() if kind == "nordpool" else currency,
        by_direct_debit=section.boolean("directDebit", default=True),
        interval=section.duration("interval", default=timedelta(hours=1), low=_INTERVAL_MIN),
        fees=_fees(section),
    )


def _solar(section: Section) -> SolarSource | None:
    kind = _kind(section, SOLAR_KINDS)
    source: SolarSource | None = None
    if kind == "custom":
        forecast = optional_source(section, "forecast")
        if forecast is None:
            section.problem("forecast", "missing, expected a plugin with a list of start, end, value")
        source = CustomTariff(
            forecast=forecast,
            measure=_measure(section, SUN_MEASURES),
            interval=section.duration("interval", low=_OWN_INTERVAL_MIN),
        )
    elif kind == "csv":
        source = CsvTariff(path=section.required_text("file", allowed="a file"))
    elif kind:
        _check_needed(section, _SOLAR[kind])
        source = SolarTariff(
            kind=kind,
            roof=None if kind == "solcast" else _roof(section, kind),
            site=section.text("site", default="") if kind == "solcast" else "",
            token=None if kind in ("openmeteo", "clearsky") else section.text("token", "apikey"),
            uri="" if kind == "clearsky" else _uri(section),
            model=section.text("model", default="") if kind == "openmeteo" else "",
            horizon=section.text("horizon", default="") if kind == "forecastsolar" else "",
            interval=section.duration(
                "interval", default=_SOLCAST_INTERVAL if kind == "solcast" else timedelta(hours=1), low=_INTERVAL_MIN
            ),
        )
    section.close()
    return source


def _roof(section: Section, kind: str) -> Roof:
    roof = Roof(
        latitude_deg=section.number("lat", default=0.0, low=-90, high=90),
        longitude_deg=section.number("lon", default=0.0, low=-180, high=180),
        tilt_deg=section.number("dec", default=0.0, low=0, high=90),
        azimuth_deg=section.number("az", default=0.0, low=-180, high=180),
        peak_kw=section.number("kwp", default=0.0, low=0, high=100_000),
    )
    if kind == "forecastsolar":
        return roof
    efficiency_pct = section.number("efficiency", default=100.0, low=1, high=100, unit="%")
    roof = replace(roof, ac_limit_kw=section.number("ac", low=0, unit="kW"), efficiency=efficiency_pct / 100)
    if kind == "clearsky":
        return roof
    return replace(
        roof,
        power_per_kelvin=section.number("alphatemp", default=-0.004, low=-0.02, high=0),
        kelvin_per_w_m2=section.number("rossmodel", default=0.0342, low=0, high=0.2),
    )
