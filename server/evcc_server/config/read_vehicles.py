"""The section ``vehicles``: offline ones, and those whose state of charge a plugin reads."""

from __future__ import annotations

from datetime import timedelta

from evcc_server.config.model import VehicleEntry
from evcc_server.config.read_settings import read_actions
from evcc_server.config.read_sources import optional_number, optional_source, required_number
from evcc_server.config.section import Section
from evcc_server.quoting import quoted
from evcclib.config import Actions, CurvePoint
from evcclib.model import VehicleFeature

KINDS = ("offline", "custom", "template")


def read_vehicle(section: Section) -> VehicleEntry:
    """One of ``vehicles``."""
    name = section.required_text("name", allowed="the name by which loadpoints call this vehicle")
    kind = (section.text("type") or "offline").casefold()
    if kind == "template":
        template = section.required_text("template", allowed="offline").casefold()
        if template and template != "offline":
            section.problem(
                "template",
                f"{quoted(template)} is not supported, expected offline;"
                " a car's SoC can be read with type: custom (http or mqtt)",
            )
            section.close_quietly()
        kind = "offline"
    elif kind not in KINDS:
        section.problem("type", f"{quoted(kind)} is not supported, expected {', '.join(KINDS)}")
        section.close_quietly()
        kind = "offline"
    is_custom = kind == "custom"
    features = frozenset(_features(section)) | (frozenset() if is_custom else {VehicleFeature.OFFLINE})
    vehicle = VehicleEntry(
        name=name,
        line=section.line,
        place=section.path,
        title=section.text("title") or capitalised(name),
        icon=section.text("icon", default=""),
        capacity_kwh=section.number("capacity", default=0.0, low=0, high=2000, unit="kWh"),
        phases=section.integer("phases", default=0, low=0, high=3),
        charging_curve=section.each("chargingCurve", _curve_point),
        identifiers=section.texts("identifiers", "identifier"),
        features=features,
        on_identify=_on_identify(section),
        cache=section.duration("cache", default=timedelta(minutes=15), low=timedelta(seconds=1))
        if is_custom
        else timedelta(minutes=15),
        soc=required_number(section, "soc") if is_custom else None,
        soc_limit=optional_number(section, "limitsoc", "targetsoc") if is_custom else None,
        range_km=optional_number(section, "range") if is_custom else None,
        odometer=optional_number(section, "odometer") if is_custom else None,
        status=optional_source(section, "status") if is_custom else None,
        climater=optional_source(section, "climater") if is_custom else None,
        wakeup=optional_source(section, "wakeup", sets="wakeup") if is_custom else None,
    )
    section.close()
    return vehicle


def _curve_point(section: Section) -> CurvePoint:
    point = CurvePoint(
        from_soc_pct=section.number("soc", default=0.0, low=0, high=100, unit="%"),
        most_w=section.number("power", default=100.0, low=100, high=1_000_000, unit="W"),
    )
    section.close()
    return point


def capitalised(name: str) -> str:
    """``name`` with the first letter of each word in upper case, the rest as it is."""
    return " ".join(word[:1].upper() + word[1:] for word in name.split(" "))


def _features(section: Section) -> list[VehicleFeature]:
    by_folded = {feature.value.casefold(): feature for feature in VehicleFeature}
    found: list[VehicleFeature] = []
    for word in section.texts("features"):
        feature = by_folded.get(word.casefold())
        if feature is None:
            section.problem("features", f"{quoted(word)} is not known, expected {', '.join(VehicleFeature)}")
        else:
            found.append(feature)
    return found


def _on_identify(section: Section) -> Actions:
    actions = section.section("onIdentify")
    if actions is None:
        return Actions()
    read = read_actions(actions)
    actions.close()
    return read
