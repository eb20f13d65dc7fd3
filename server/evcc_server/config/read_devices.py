"""The sections ``meters`` and ``chargers``: known devices by template, others by plugins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from evcc_server.config.model import ChargerEntry, CustomCharger, CustomMeter, MeterEntry, TemplateDevice
from evcc_server.config.problems import expected_one_of
from evcc_server.config.read_address import read_template_address
from evcc_server.config.read_sources import (
    optional_number,
    optional_source,
    optional_triple,
    required_number,
    required_source,
)
from evcc_server.config.section import Section
from evcc_server.config.sources import ConstSource
from evcc_server.profiles import profile as profiles
from evcc_server.profiles.near_names import advice
from evcc_server.profiles.profile import Profile
from evcc_server.profiles.template_index import profiles_for
from evcc_server.quoting import quoted

CHARGE = "charge"
_MODELS = {
    "abb": "abb-ab",
    "cgem24": "cg-em24",
    "cgex3x0": "cg-emt3xx",
    "dzg": "dzg",
    "iem3000": "schneider-iem3000",
    "inepro": "inepro",
    "janitza": "janitza",
    "mpm": "mpm3pm",
    "orno1p": "orno-we514_515",
    "orno3p": "orno",
    "sdm": "eastron",
    "sdm220": "eastron-sdm220_230",
    "sdm54": "eastron-sdm54",
    "sdm72": "eastron-sdm72",
}
"""Templates of the meters that files had as ``type: modbus`` with a ``model``."""
_NO_BATTERY = "without effect, this device does not take it"
_WITHOUT_EFFECT = {
    "integer": "without effect, whole numbers and floats are both read",
    "maxacpower": "without effect, the power that is measured counts",
    "endianness": "without effect, the device's list of registers says it",
    "delay": "without effect, the pauses that a device needs are known",
    "connectdelay": "without effect, the pauses that a device needs are known",
    "tos": "not needed here, ignored",
    **dict.fromkeys(("watchdog", "minsoc", "maxsoc", "maxchargepower", "maxdischargepower"), _NO_BATTERY),
}
"""Keys of evcc's templates, this year's or earlier ones, that a file need not lose."""
_BATTERY_TYPES = {"lv": 1.0, "hv": 10.0}
"""How many watts a step of the power is."""
METER_USAGES = ("grid", "pv", "battery", "charge", "aux")


def read_meter(section: Section) -> MeterEntry:
    """One of ``meters``."""
    name = section.required_text("name", allowed="the name by which site and loadpoints call this meter")
    kind = section.required_text("type", allowed="template or custom").casefold()
    entry = MeterEntry(
        name=name,
        line=section.line,
        place=section.path,
        device=CustomMeter(power=ConstSource(value="")),
        capacity_kwh=section.number("capacity", low=0, high=10_000, unit="kWh") or None,
        circuit=section.text("circuit"),
        phases=section.integer("phases", default=0, low=0, high=3),
        charge_power_w=section.number("chargePower", low=0, high=1_000_000, unit="W"),
        charges_before_cars=section.boolean("chargesBeforeCars", default=False),
    )
    if entry.phases not in (0, 3):
        section.problem("phases", "expected 3, or nothing where it may be on any one phase")
    device: TemplateDevice | CustomMeter | None = None
    if kind == "template":
        device = _template(section, is_charger=False)
    elif kind == "custom":
        device = _custom_meter(section)
    elif kind:
        _wrong_type(section, kind, is_charger=False)
        return _no_meter(section, name)
    section.close(ignored=_WITHOUT_EFFECT)
    if device is None:
        return _no_meter(section, name)
    return replace(entry, device=device)


def read_charger(section: Section) -> ChargerEntry:
    """One of ``chargers``."""
    name = section.required_text("name", allowed="the name by which loadpoints call this charger")
    kind = section.required_text("type", allowed="template or custom").casefold()
    device: TemplateDevice | CustomCharger | None = None
    if kind == "template":
        device = _template(section, is_charger=True)
    elif kind == "custom":
        device = _custom_charger(section)
    elif kind:
        _wrong_type(section, kind, is_charger=True)
        return _no_charger(section, name)
    section.close(ignored=_WITHOUT_EFFECT)
    if device is None:
        return _no_charger(section, name)
    return ChargerEntry(name=name, line=section.line, place=section.path, device=device)


def _wrong_type(section: Section, kind: str, *, is_charger: bool) -> None:
    model = section.text("model", default="").casefold()
    if profiles_for(kind):
        hint = f"write type: template, template: {kind}"
    elif model in _MODELS:
        hint = f"write type: template, template: {_MODELS[model]} (for model: {model})"
    elif model == "sunspec":
        hint = 'write type: custom, power: {source: sunspec, uri: ..., id: ..., value: "103:W"}'
    else:
        hint = "expected template or custom"
        instead = advice(kind, template_names(is_charger=is_charger))
        hint += f"; {instead}" if instead else ""
    section.problem("type", f"{quoted(kind)} is not known, {hint}")


def template_names(*, is_charger: bool) -> tuple[str, ...]:
    """The templates of chargers, or of everything else, as users may write them."""
    names: set[str] = set()
    for profile in profiles.all_profiles():
        if _can_be(profile, is_charger=is_charger):
            names |= {profile.id, *profile.templates}
    return tuple(sorted(names))


def _can_be(profile: Profile, *, is_charger: bool) -> bool:
    return profile.charger is not None if is_charger else bool(profile.usages)


def usages_of(candidates: Iterable[Profile]) -> tuple[str, ...]:
    """What the meters among ``candidates`` can be used as."""
    found = {str(usage) for profile in candidates for usage in profile.usages}
    return tuple(usage for usage in METER_USAGES if usage in found)


def _unknown_template(section: Section, template: str, *, is_charger: bool) -> None:
    names = template_names(is_charger=is_charger)
    elsewhere = " (it is a charger)" if not is_charger and profiles_for(template) else ""
    hint = advice(template, names) or expected_one_of(template, names)
    section.problem("template", f"{quoted(template)} is not a supported device{elsewhere}, {hint}")


def _template(section: Section, *, is_charger: bool) -> TemplateDevice | None:
    template = section.required_text("template", allowed="the name of a device, see: evcc-server devices")
    candidates = [p for p in profiles_for(template) if _can_be(p, is_charger=is_charger)]
    usage: str | None = CHARGE
    if not is_charger:
        usage = section.word("usage", usages_of(candidates) or METER_USAGES)
    if not candidates:
        if template:
            _unknown_template(section, template, is_charger=is_charger)
        section.close_quietly()
        return None
    if not is_charger:
        usages = usages_of(candidates)
        if usage is None and len(usages) == 1:
            usage = usages[0]
        if usage is None:
            if not section.has("usage"):
                section.problem("usage", f"missing, expected {' or '.join(usages)}")
            usage = usages[0] if usages else "grid"
        candidates = [p for p in candidates if usage in map(str, p.usages)] or candidates
    profile = candidates[0]
    connection = profile.connection
    serial = (connection.serial.baudrate, connection.serial.comset) if connection.serial else (9600, "8N1")
    unit, meter_unit = _read_units(section, profile, template=template, usage=usage)
    address = read_template_address(
        section, transports=connection.transports, default_port=connection.port, default_serial=serial
    )
    connector = None
    if profile.connectors is not None:
        last = profile.connectors.last or 255
        connector = section.integer(
            "connector", default=profile.connectors.first, low=profile.connectors.first, high=last
        )
    parameters = _parameters(section, profile)
    if profile.charger is not None:
        _check_phase_switching(section, profile)
    timeout = section.duration("timeout", low=timedelta(milliseconds=50))
    if address is None:
        return None
    return TemplateDevice(
        profile=profile.id,
        template=template,
        usage=usage or CHARGE,
        address=address,
        unit=unit,
        connector=connector,
        meter_unit=meter_unit,
        timeout=timeout,
        parameters=parameters,
    )


def _read_units(section: Section, profile: Profile, *, template: str, usage: str | None) -> tuple[int, int | None]:
    """The unit of the device, and that of a meter behind it where the owner names one."""
    usual = profile.template_units.get(template.casefold(), profile.connection.unit_id)
    unit = section.integer("id", default=usual, low=0, high=255)
    meter_unit = None
    if any(register.unit_id is not None for register in profile.registers):
        meter_unit = section.integer("meterid", low=0, high=255)
    if meter_unit is None and any(str(name) == usage and values.own_unit for name, values in profile.usages.items()):
        meter_unit = unit
        if not section.has("id"):
            section.problem("id", "missing, expected the unit of this meter, as the device's list shows it")
    return unit, meter_unit


def _parameters(section: Section, profile: Profile) -> dict[str, float]:
    """A profile's own numbers, such as the power of a forced battery charge."""
    found = {name: value for name in profile.params if (value := section.number(name)) is not None}
    if "powerunit" in profile.params:
        kind = section.word("batterytype", _BATTERY_TYPES)
        if kind is not None:
            found.setdefault("powerunit", _BATTERY_TYPES[kind])
    if "battery" in profile.usages:
        storage = section.integer("storageunit", "battery", default=1)
        if storage != 1:
            key = "storageunit" if section.has("storageunit") else "battery"
            section.problem(key, f"{storage} is not allowed, only the first storage (1) can be read here")
    return found


def _check_phase_switching(section: Section, profile: Profile) -> None:
    """What a station can is known of it; ``phases1p3p`` need not be said, and cannot be taken away."""
    wanted = section.boolean("phases1p3p", default=True)
    facts = profile.charger
    assert facts is not None
    can = any(kind.phase_switch is not None for kind in (facts, *map(facts.as_variant, facts.variants)))
    if section.has("phases1p3p") and wanted != can:
        known = "without effect, it is not known how this station switches phases"
        section.warn("phases1p3p", known if wanted else "without effect, give the loadpoint phases: 1 or phases: 3")


def _custom_meter(section: Section) -> CustomMeter:
    return CustomMeter(
        power=required_number(section, "power"),
        powers=optional_triple(section, "powers"),
        currents=optional_triple(section, "currents"),
        voltages=optional_triple(section, "voltages"),
        energy_import=optional_number(section, "energy"),
        energy_export=optional_number(section, "energyexport", "returnenergy"),
        soc=optional_number(section, "soc"),
    )


def _custom_charger(section: Section) -> CustomCharger:
    features = {feature.casefold() for feature in section.texts("features")}
    for feature in sorted(features - {"integrateddevice"}):
        section.problem("features", f"{quoted(feature)} is not supported, expected IntegratedDevice")
    return CustomCharger(
        status=required_source(section, "status"),
        enabled=required_source(section, "enabled"),
        enable=required_source(section, "enable", sets="enable"),
        set_current=required_source(section, "maxcurrent", sets="maxcurrent"),
        set_current_fine=optional_source(section, "maxcurrentmillis", sets="maxcurrentmillis"),
        set_phases=optional_source(section, "phases1p3p", sets="phases"),
        wakeup=optional_source(section, "wakeup", sets="wakeup"),
        identify=optional_source(section, "identify"),
        soc=optional_number(section, "soc"),
        power=optional_number(section, "power"),
        energy=optional_number(section, "energy"),
        currents=optional_triple(section, "currents"),
        voltages=optional_triple(section, "voltages"),
        is_integrated="integrateddevice" in features,
        icon=section.text("icon"),
        current_step_a=section.number("currentstep", default=0.1, low=0.001, high=1, unit="A"),
    )


def _no_meter(section: Section, name: str) -> MeterEntry:
    """Stands in for a meter that could not be read, so that references to it are not reported as well."""
    section.close_quietly()
    nothing = CustomMeter(power=ConstSource(value=""))
    return MeterEntry(name=name, line=section.line, place=section.path, device=nothing)


def _no_charger(section: Section, name: str) -> ChargerEntry:
    section.close_quietly()
    empty = ConstSource(value="")
    nothing = CustomCharger(status=empty, enabled=empty, enable=empty, set_current=empty)
    return ChargerEntry(name=name, line=section.line, place=section.path, device=nothing)
