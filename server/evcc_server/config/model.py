"""The configuration, typed and checked. `evcc_server.config.load` makes it from text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network

from evcc_server.config.problems import Problem
from evcc_server.config.sources import ModbusAddress, Source, Triple
from evcc_server.mqtt.broker_link import MqttOptions
from evcc_server.texts.measures import Measure
from evcclib.config import Actions, CurvePoint, PollConfig
from evcclib.model import Planner, Sharing, VehicleFeature
from evcclib.settings import LoadpointDefaults, SiteDefaults


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Where HTTP listens, which web pages of other origins may change things, and through whom clients come [http-origin].

    ``name``: what the owner calls the server, if not by an address.
    """

    host: str = "127.0.0.1"
    port: int = 7070
    name: str | None = None
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """``path`` of the SQLite file, ":memory:" for none that stays."""

    path: str = "~/.evcc/evcc.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """Who may write. ``is_open``: everybody, as the owner has said so. ``token``: those who send it as bearer token.

    Neither: writing is open on loopback only.
    """

    is_open: bool = False
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site(SiteDefaults):
    """The ``site`` section; meters by name."""

    title: str = ""
    law: str = "classic"
    sharing: Sharing = Sharing.FAIR
    planner: Planner = Planner.CLASSIC
    solver: str = "none"
    grid: str | None = None
    pv: tuple[str, ...] = ()
    battery: tuple[str, ...] = ()
    aux: tuple[str, ...] = ()
    voltage_v: float = 230.0
    has_zero_feed_in: bool = False
    grid_supply_max_while_battery_charges_w: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateDevice:
    """A meter or charger from the list of known devices. ``usage`` is "charge" for chargers."""

    profile: str
    template: str
    usage: str
    address: ModbusAddress
    unit: int
    connector: int | None = None
    meter_unit: int | None = None  # unit id of a meter behind the device, where it has its own
    timeout: timedelta | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomMeter:
    """A meter made of plugin sources."""

    power: Source
    powers: Triple | None = None
    currents: Triple | None = None
    voltages: Triple | None = None
    energy_import: Source | None = None
    energy_export: Source | None = None
    soc: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomCharger:
    """A charger made of plugin sources. ``set_...``, ``enable`` and ``wakeup`` are written."""

    status: Source
    enabled: Source
    enable: Source
    set_current: Source
    set_current_fine: Source | None = None
    set_phases: Source | None = None
    wakeup: Source | None = None
    identify: Source | None = None
    soc: Source | None = None
    power: Source | None = None
    energy: Source | None = None
    currents: Triple | None = None
    voltages: Triple | None = None
    is_integrated: bool = False
    icon: str | None = None
    current_step_a: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterEntry:
    """One of ``meters``. ``line`` and ``place`` are where it stands in the file."""

    name: str
    line: int
    place: str
    device: TemplateDevice | CustomMeter
    capacity_kwh: float | None = None
    circuit: str | None = None  # this and the rest: of home batteries
    phases: int = 0
    charge_power_w: float | None = None
    charges_before_cars: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerEntry:
    """One of ``chargers``."""

    name: str
    line: int
    place: str
    device: TemplateDevice | CustomCharger


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleEntry:
    """One of ``vehicles``; no sources at all: an offline vehicle."""

    name: str
    line: int
    place: str
    title: str
    icon: str = ""
    capacity_kwh: float = 0.0
    phases: int = 0
    charging_curve: tuple[CurvePoint, ...] = ()
    identifiers: tuple[str, ...] = ()
    features: frozenset[VehicleFeature] = frozenset()
    on_identify: Actions = field(default_factory=Actions)
    cache: timedelta = timedelta(minutes=15)
    soc: Source | None = None
    soc_limit: Source | None = None
    range_km: Source | None = None
    odometer: Source | None = None
    status: Source | None = None
    climater: Source | None = None
    wakeup: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loadpoint(LoadpointDefaults):
    """One of ``loadpoints``; devices by name."""

    line: int
    place: str
    title: str = ""
    charger: str
    meter: str | None = None
    vehicle: str | None = None
    circuit: str | None = None
    phases: int = 0
    phase_rotation: tuple[int, int, int] = (1, 2, 3)
    guard_duration: timedelta = timedelta(minutes=5)
    reset_on_disconnect: bool = False
    poll: PollConfig = field(default_factory=PollConfig)
    estimates_soc: bool = True
    unknown_soc_grace: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """One of ``circuits``: a limit that loadpoints and other circuits hang below."""

    name: str
    line: int
    place: str
    title: str = ""
    parent: str | None = None
    meter: str | None = None
    current_max_a: float | None = None
    power_max_w: float | None = None
    unbalance_max_a: float | None = None
    mean_power_max_w: float | None = None
    mean_window: timedelta = timedelta(minutes=15)
    safe_current_a: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A contact that sets a limit, ``limit_w`` None: that says there is none; ``when``: true while it is closed, or open."""

    state: Source
    when: bool
    limit_w: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLimitEntry:
    """One of ``operatorlimit``: where a limit of the grid operator is read. ``active`` None: it always is.

    With ``contacts`` these say it instead, of several the lowest.
    An answer stands for ``expiry``; then, while the source is silent, ``fallback_w``, if there is one.
    """

    name: str
    line: int
    place: str
    active: Source | None = None
    limit: Source
    contacts: tuple[Contact, ...] = ()
    interval: timedelta
    expiry: timedelta
    fallback_w: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A price that holds on certain days and hours of certain months, in the notation of [TAR-3] and [TAR-4]."""

    price: float
    days: str = ""
    hours: str = ""
    months: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """What becomes of each price of a tariff: ``(price + charges) * (1 + tax)``, or what ``formula`` says."""

    charges: float = 0.0
    zones: tuple[Zone, ...] = ()  # other charges at certain times
    tax: float = 0.0  # share on top, 0.19 for 19 %
    formula: str = ""  # of price, charges and tax, as `evcc_server.profiles.formula` reads it


NO_FEES = Fees()


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedTariff:
    """Prices that the owner knows [TAR-2]."""

    price: float
    zones: tuple[Zone, ...] = ()
    currency: str | None = None
    fees: Fees = NO_FEES


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTariff:
    """Prices, or emissions, fetched from a provider; ``kind`` as in `evcc_server.tariffs.providers`."""

    kind: str
    region: str = ""
    token: str | None = field(default=None, repr=False)
    home: str = ""
    product: str = ""
    uri: str = ""
    currency: str = "EUR"  # of the site; in which the provider shall say its prices, where it can
    by_direct_debit: bool = True  # how the owner pays, where the price depends on it
    interval: timedelta = timedelta(hours=1)
    fees: Fees = NO_FEES


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomTariff:
    """Values from a plugin source: a present price, or a list of ``{start, end, price}``; ``measure`` None: the site's currency
    per kWh, grams or watts, as the section has it."""

    price: Source | None = None
    forecast: Source | None = None
    measure: Measure | None = None
    interval: timedelta | None = None  # as the source is: a minute, an hour
    fees: Fees = NO_FEES


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvTariff:
    """A list in a file of the owner's; its header says in what its values are."""

    path: str
    fees: Fees = NO_FEES


@dataclass(frozen=True, slots=True, kw_only=True)
class Roof:
    """A plane of modules with its inverter. ``azimuth_deg``: 0 is south, -90 east, 90 west, as forecast services count."""

    latitude_deg: float
    longitude_deg: float
    tilt_deg: float
    azimuth_deg: float
    peak_kw: float
    ac_limit_kw: float | None = None
    efficiency: float = 1.0
    power_per_kelvin: float = -0.004  # share of the peak power that a module gains with each kelvin above 25 degrees
    kelvin_per_w_m2: float = 0.0342  # how much warmer than the air the sun makes a module: Ross's coefficient


@dataclass(frozen=True, slots=True, kw_only=True)
class SolarTariff:
    """A forecast of what the sun gives to one roof; ``kind`` as in `evcc_server.tariffs.solar_providers`, or ``clearsky``."""

    kind: str
    roof: Roof | None = None
    site: str = ""  # what the provider calls the roof
    token: str | None = field(default=None, repr=False)
    uri: str = ""
    model: str = ""
    horizon: str = ""
    interval: timedelta = timedelta(hours=1)


Tariff = FixedTariff | ProviderTariff | CustomTariff | CsvTariff
SolarSource = SolarTariff | CustomTariff | CsvTariff


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariffs:
    """The ``tariffs`` section."""

    currency: str = "EUR"
    grid: Tariff | None = None
    feed_in: Tariff | None = None
    planner: Tariff | None = None
    co2: Tariff | None = None
    solar: tuple[SolarSource, ...] = ()  # their sum counts


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusProxy:
    """One of ``modbusproxy``: let other programs talk to a device through us."""

    port: int
    address: ModbusAddress
    is_read_only: bool = True
    line: int = 1
    place: str = "modbusproxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole evcc.yaml. ``secrets`` are the secret values in it, for `evcc_server.secrets.redact`."""

    file: str = "evcc.yaml"
    network: Network = field(default_factory=Network)
    interval: timedelta = timedelta(seconds=10)
    database: Database = field(default_factory=Database)
    mqtt: MqttOptions = field(default_factory=MqttOptions, repr=False)
    site: Site
    meters: tuple[MeterEntry, ...] = ()
    chargers: tuple[ChargerEntry, ...] = ()
    vehicles: tuple[VehicleEntry, ...] = ()
    loadpoints: tuple[Loadpoint, ...] = ()
    circuits: tuple[Circuit, ...] = ()
    operator_limits: tuple[OperatorLimitEntry, ...] = ()
    tariffs: Tariffs = field(default_factory=Tariffs)
    proxies: tuple[ModbusProxy, ...] = ()
    log: str = "info"
    levels: Mapping[str, str] = field(default_factory=dict)
    telemetry: bool = False
    persists: bool = True
    auth: Auth = field(default_factory=Auth)
    api_compat: str = "0.114"
    time_zone: str | None = None
    language: str = "en"
    warnings: tuple[Problem, ...] = ()
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    def meter(self, name: str) -> MeterEntry:
        """The meter called ``name``. Raises `KeyError`."""
        return {entry.name: entry for entry in self.meters}[name]

    def charger(self, name: str) -> ChargerEntry:
        """The charger called ``name``. Raises `KeyError`."""
        return {entry.name: entry for entry in self.chargers}[name]
