"""``evcc-server devices``: which devices are supported, and what each of them can do."""

from __future__ import annotations

from collections.abc import Iterable

from evcc_server.profiles import profile as profiles
from evcc_server.profiles.near_names import advice
from evcc_server.profiles.profile import Profile
from evcc_server.profiles.template_index import profiles_for
from evcc_server.tools.values_text import table

USAGE_WORDS = ("grid", "pv", "battery", "charge", "aux")
_WORDS = {"powers": "phase powers", "soc": "SoC"}


def search(words: Iterable[str]) -> tuple[Profile, ...]:
    """Profiles that contain every word in their id, vendor, products, templates or kind."""
    wanted = [word.casefold() for word in words]
    return tuple(profile for profile in profiles.all_profiles() if all(word in _text(profile) for word in wanted))


def list_devices(words: Iterable[str]) -> tuple[list[str], bool]:
    """A table of the devices found, and details when there is only one; whether anything was found."""
    words = list(words)
    found = search(words)
    exact = [
        profile for profile in found if len(words) == 1 and words[0].casefold() in (profile.id, *profile.templates)
    ]
    if not found:
        names = [name for profile in profiles.all_profiles() for name in (profile.id, *profile.templates)]
        instead = advice("-".join(words), names)
        return [f"no device matches {' '.join(words)}{f', {instead}' if instead else ''}"], False
    if len(found) == 1 or len(exact) == 1:
        return describe(exact[0] if exact else found[0]), True
    rows = [
        (
            profile.id,
            profile.kind,
            profile.vendor,
            ", ".join(profile.templates) or "-",
            ", ".join(profile.connection.transports),
            ", ".join(features(profile)),
        )
        for profile in found
    ]
    lines = table(("device", "kind", "vendor", "templates", "transports", "can"), rows)
    return [*lines, "", f"{len(found)} devices"], True


def features(profile: Profile) -> tuple[str, ...]:
    """What ``profile`` can do, in words."""
    if profile.charger is not None:
        return _charger_features(profile)
    found = [str(usage) for usage in USAGE_WORDS if any(str(name) == usage for name in profile.usages)]
    values = list(profile.usages.values())
    for name in ("powers", "currents", "voltages", "energy_import", "energy_export", "soc"):
        found += [_WORDS.get(name, name.replace("_", " "))] if any(getattr(v, name) for v in values) else []
    if profile.battery is not None:
        found.append(f"battery modes {'/'.join(profile.battery.modes)}")
    return tuple(found)


def _charger_features(profile: Profile) -> tuple[str, ...]:
    facts = profile.charger
    assert facts is not None
    kinds = [facts, *map(facts.as_variant, facts.variants)]  # some stations have what others of the name do not
    finest, most = min(kind.step_a for kind in kinds), max(kind.max_a for kind in kinds)
    found = [f"{facts.min_a:g} to {most:g} A in {finest:g} A"]
    if any(kind.phase_switch is not None for kind in kinds):
        found.append("1p3p")
    if facts.watchdog is not None:
        found.append("watchdog")
    if any(kind.identity is not None for kind in kinds):
        found.append("RFID")
    if facts.wake:
        found.append("wake-up")
    names = ("power", "currents", "voltages", "energy_total", "energy_session", "soc")
    measured = [name for name in names if any(getattr(kind.values, name) is not None for kind in kinds)]
    return (*found, *(_WORDS.get(name, name.replace("_", " ")) for name in measured))


def describe(profile: Profile) -> list[str]:
    """Everything an owner may want to know about one device, with a piece of configuration to start from."""
    connection = profile.connection
    lines = [
        f"{profile.id}: {profile.vendor}, {profile.kind}",
        *(f"  {product}" for product in profile.products),
        f"templates: {', '.join(profile.templates) or '-'}",
        f"can: {', '.join(features(profile))}",
        f"transports: {', '.join(connection.transports)}; unit id {connection.unit_id}"
        + "".join(f" (as {template}: {unit})" for template, unit in profile.template_units.items())
        + (f", port {connection.port}" if connection.port else "")
        + (f", {connection.serial.baudrate} baud {connection.serial.comset}" if connection.serial else ""),
    ]
    if profile.params:
        named = (f"{name} [{each.unit}]" if each.unit else name for name, each in profile.params.items())
        lines.append(f"parameters: {', '.join(named)}")
    lines += [f"note: {note}" for note in profile.notes]
    lines += [f"not confirmed: {point}" for point in profile.open_points]
    return [*lines, "", *example(profile)]


def example(profile: Profile) -> list[str]:
    """A configuration entry for ``profile``."""
    is_charger = profile.charger is not None
    own = [usage for usage in USAGE_WORDS if any(str(name) == usage for name in profile.usages)]
    name = _template_name(profile, own)
    lines = [
        "chargers:" if is_charger else "meters:",
        f"  - name: my_{'charger' if is_charger else 'meter'}",
        "    type: template",
        f"    template: {name}",
    ]
    if not is_charger and len({str(usage) for known in profiles_for(name) for usage in known.usages}) > 1:
        others = f"  # or {', '.join(own[1:])}" if len(own) > 1 else ""
        lines.append(f"    usage: {own[0]}{others}")
    transports = profile.connection.transports
    if "tcp" in transports:
        lines += ["    modbus: tcpip", "    host: 192.0.2.2"]
        if profile.connection.port not in (None, 502):
            lines.append(f"    port: {profile.connection.port}")
    elif "udp" in transports and len(transports) == 1:
        lines += ["    modbus: udp", "    host: 192.0.2.2"]
    else:
        lines += ["    modbus: rs485serial", "    device: /dev/ttyUSB0"]
    lines.append(f"    id: {profile.template_units.get(name, profile.connection.unit_id)}")
    return lines


def _template_name(profile: Profile, usages: list[str]) -> str:
    """A template name that leads back to this profile, else its own id."""
    for template in profile.templates:
        candidates = [p for p in profiles_for(template) if (p.charger is None) == (profile.charger is None)]
        if usages:
            candidates = [p for p in candidates if usages[0] in map(str, p.usages)]
        if candidates and candidates[0].id == profile.id:
            return template
    return profile.id


def _text(profile: Profile) -> str:
    return " ".join((profile.id, profile.kind, profile.vendor, *profile.products, *profile.templates)).casefold()
