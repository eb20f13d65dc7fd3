"""Every profile is consistent in itself: what formulas, conditions and steps name is there, and can be read or written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evcc_server.devices.template.plan import READ_FUNCTION
from evcc_server.devices.template.polled import find_register, keys_of
from evcc_server.devices.template.profile_values import formulas_of
from evcc_server.profiles.formula import names_in
from evcc_server.profiles.profile import (
    FOLDER,
    Charger,
    Condition,
    Profile,
    Step,
    all_profiles,
    load,
    names,
    parse,
)
from evcc_server.profiles.template_index import profiles_for

EVERY = pytest.mark.parametrize("name", names())


def known(*keys: str | None) -> set[str]:
    return {key for key in keys if key is not None}


@EVERY
def test_the_quick_way_reads_what_the_strict_one_reads(name: str) -> None:
    strict = parse((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), source=name)
    assert load(name) == strict


def chargers_of(profile: Profile) -> Iterator[Charger]:
    """The charging station, and each variant of it."""
    if profile.charger is not None:
        yield profile.charger
        yield from map(profile.charger.as_variant, profile.charger.variants)


def steps_of(profile: Profile) -> Iterator[Step]:
    if profile.battery is not None:
        for steps in profile.battery.modes.values():
            yield from steps
    for charger in chargers_of(profile):
        yield from (*charger.configure, *charger.start, *charger.wake, *charger.release)
        enable = charger.enable
        yield from (*enable.on_steps, *enable.off_steps, *enable.on_steps_after, *enable.off_steps_after)
        for repair in charger.repairs:
            yield from repair.steps
        if charger.phase_switch is not None:
            yield from (*charger.phase_switch.one, *charger.phase_switch.three)
        if charger.watchdog is not None:
            yield from charger.watchdog.steps


def conditions_of(profile: Profile) -> Iterator[Condition]:
    for step in steps_of(profile):
        yield from step.when
    for values in profile.usages.values():
        yield from values.measured_when
    if profile.battery is not None:
        yield from profile.battery.requires
    if profile.charger is not None:
        for variant in profile.charger.variants:
            yield from variant.when
    for charger in chargers_of(profile):
        yield from (*charger.values.measured_when, *charger.identity_when, *charger.requires)
        if charger.identity is not None:
            yield from charger.identity.when
        yield from (*charger.enable.state, *charger.enable.known_when)
        for rule in charger.status.rules:
            yield from rule.when
        for repair in charger.repairs:
            yield from repair.when
        if charger.phase_switch is not None:
            yield from (*charger.phase_switch.ready, *charger.phase_switch.ready_on_one)


def formulas_read(profile: Profile) -> list[str]:
    found = [formula for values in profile.usages.values() for formula in formulas_of(values)]
    for charger in chargers_of(profile):
        found += [*formulas_of(charger.values), charger.max_current, charger.current.value]
    found += [step.value for step in steps_of(profile) if isinstance(step.value, str)]
    return [formula for formula in found if formula is not None]


@EVERY
def test_everything_that_is_read_can_be_read(name: str) -> None:
    profile = load(name)
    keys = keys_of(profile, formulas_read(profile), conditions_of(profile))
    for charger in chargers_of(profile):
        keys |= known(charger.status.register, *charger.status.by_connector.values())
        if charger.identity is not None:
            keys |= {charger.identity.register, *charger.identity.registers}
        if charger.phase_switch is not None and charger.phase_switch.state is not None:
            keys |= {charger.phase_switch.state}
        if charger.watchdog is not None:
            keys |= known(charger.watchdog.timeout, charger.watchdog.failsafe)
    for key in keys:
        register, _ = find_register(profile, key)
        assert "r" in register.access, f"{key} cannot be read"
        functions = {READ_FUNCTION[register.function]}
        if register.also is not None:
            functions.add(READ_FUNCTION[register.also])
        assert functions & set(profile.connection.read_functions), f"{key} needs a function the device does not have"


@EVERY
def test_everything_that_is_written_can_be_written(name: str) -> None:
    profile = load(name)
    keys = [step.write for step in steps_of(profile) if step.write is not None]
    for charger in chargers_of(profile):
        keys += [charger.current.register, *charger.current.registers]
        keys += [charger.enable.register] if charger.enable.register is not None else []
        if charger.watchdog is not None:
            written = (charger.watchdog.timeout_write, charger.watchdog.failsafe_write)
            keys += [key for key in written if key is not None]
    for key in keys:
        register, _ = find_register(profile, key)
        assert "w" in register.access, f"{key} cannot be written"
        coil = register.function == "coil"
        allowed = set(profile.connection.write_functions) & ({5, 15} if coil else {6, 16})
        assert allowed or register.write_function, f"{key}: no function to write it"


@EVERY
def test_parameters_exist(name: str) -> None:
    profile = load(name)
    for formula in formulas_read(profile):
        for key in names_in(formula):
            assert not key.startswith("$") or key[1:] in {*profile.params, "current", "phases"}, key
    for parameter in profile.params.values():
        assert parameter.default is not None or parameter.register is not None


@EVERY
def test_the_parts_of_a_profile_fit_together(name: str) -> None:
    profile = load(name)
    assert profile.id == name
    assert profile.vendor
    assert profile.products
    assert (profile.connection.addressing == "sunspec") == (profile.sunspec is not None)
    serial = set(profile.connection.transports) & {"rtu", "ascii"}
    assert not serial or profile.connection.serial is not None
    widths = {"uint16": 1, "int16": 1, "sunssf": 1, "uint32": 2, "int32": 2, "float32": 2, "float64": 4, "int64": 4}
    for register in profile.registers:
        assert register.count == widths.get(register.type, register.count), register.name
        assert 0 <= register.address <= 0xFFFF
        assert register.count <= profile.connection.max_read or register.type == "string", register.name
    if profile.kind != "charger":
        assert profile.usages
    if profile.battery is not None:
        assert "normal" in profile.battery.modes
        assert "battery" in profile.usages
    for charger in chargers_of(profile):
        assert 0 < charger.min_a <= charger.max_a <= 80
        assert 0 < charger.step_a <= 1


def test_names_users_know_lead_to_profiles() -> None:
    assert profiles_for("eastron")[0].id == "eastron-sdm630"
    assert profiles_for("sdm-nonsense") == ()
    assert [p.id for p in profiles_for("sunspec-inverter") if "battery" in p.usages] == ["sunspec-storage"]
    assert profiles_for("keba-p30")[0].id == "keba-p30"
    assert len({profile.id for profile in all_profiles()}) == len(names()) >= 84


def test_a_misspelt_key_in_a_profile_is_an_error() -> None:
    with pytest.raises(ValueError, match="adress"):
        parse("id: x\nkind: meter\nvendor: v\nconnection: {transports: [tcp]}\nregisters: [{name: a, adress: 1}]\n")
    with pytest.raises(KeyError):
        load("../profiles/keba-p30")


@EVERY
def test_what_not_available_stands_for_can_be_told_from_a_value(name: str) -> None:
    for register in load(name).registers:
        assert register.nan_is is None or register.nan or register.model is not None, register.key
