"""Where a device's registers lie: absolute addresses straight from the profile, SunSpec models in a chain.

A SunSpec profile with a ``layout`` lies where it was found on a real device; any other gets the chain that a small device would
have: the marker at 40000, then the models one after the other. Words of a model that no point is known for hold the
sentinel 0xFFFF.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from evcc_server.profiles.profile import Profile, Register, SunspecModel, SunspecPlace
from evcc_sim.devices.register_map import Filler, Placed, Unit

SUNS = (0x5375, 0x6E53)
END_OF_CHAIN = (0xFFFF, 0)
NO_VALUE = 0xFFFF

FLOAT_TWINS = frozenset({111, 112, 113, 211, 212, 213, 704, 713})
"""Models that repeat in other types, or in newer form, what an older one says; a small device has one of each pair."""

EXPONENTS: Mapping[str, int] = {
    "A_SF": -2, "V_SF": -1, "Hz_SF": -2, "PF_SF": -2, "DCA_SF": -2, "DCV_SF": -1, "Tmp_SF": -1, "ChaState_SF": -2,
    "SoC_SF": -1, "MinRsvPct_SF": -2, "InOutWRte_SF": -2, "WMaxLimPct_SF": -2, "WMaxLim_SF": -2, "InBatV_SF": -1,
}  # fmt: skip
"""Scale factors as inverters of this size use them; all others are 0."""

REPEATS = 4
"""Modules in a repeating block: two strings, battery charging, battery discharging."""


def units(profile: Profile, *, unit_id: int | None = None, connector: int = 1) -> tuple[Unit, ...]:
    """Every unit of the device, memory at its defaults and nothing bound yet; the first is the one that a client addresses."""
    main = profile.connection.unit_id if unit_id is None else unit_id
    placed: dict[int, list[Placed]] = {main: []}
    fillers: dict[int, list[Filler]] = {main: []}
    for unit, place in _absolute(profile, main, connector):
        placed.setdefault(unit, []).append(place)
    for block in profile.connection.blocks:
        unit = main if block.unit_id is None else block.unit_id
        fillers.setdefault(unit, []).append(Filler(block.function, block.address, (0,) * block.count))
    if profile.sunspec is not None:
        for unit, chain in _chains(profile, main).items():
            for model in chain:
                fillers.setdefault(unit, []).extend(_headers(model, chain))
                placed.setdefault(unit, []).extend(_points(profile, model))
    connection = profile.connection
    return tuple(
        Unit(
            unit_id=unit,
            order=connection.word_order,
            placed=tuple(places),
            fillers=tuple(fillers.get(unit, ())),
            reads_single=connection.reads == "single",
            read_max=max(connection.max_read, 2) if profile.sunspec is None else 125,
        )
        for unit, places in placed.items()
    )


def _absolute(profile: Profile, main: int, connector: int) -> Iterator[tuple[int, Placed]]:
    for register in profile.registers:
        if register.model is not None and not register.absolute:
            continue
        unit = main if register.unit_id is None else register.unit_id
        address = register.address
        if register.per_connector and profile.connectors is not None:
            address += profile.connectors.stride * (connector - profile.connectors.first)
        yield unit, Placed(register.key, register, address, register.function)
        if register.also is not None:
            yield unit, Placed(register.key, register, address, register.also)


def _chains(profile: Profile, main: int) -> Mapping[int, list[SunspecPlace]]:
    sunspec = profile.sunspec
    assert sunspec is not None
    if sunspec.layout:
        chains: dict[int, list[SunspecPlace]] = {}
        for place in sunspec.layout:
            chains.setdefault(_unit_of(profile, place, main), []).append(place)
        return chains
    chain = []
    address = sunspec.base_addresses[0] + len(SUNS)
    for model in sunspec.models:
        if model.id in FLOAT_TWINS and len(sunspec.models) > 2:
            continue
        length = model.length + REPEATS * (model.repeat_length or 0)
        chain.append(SunspecPlace(model=model.id, data_address=address + 2, length=length))
        address += 2 + length
    return {main: chain}


def _unit_of(profile: Profile, place: SunspecPlace, main: int) -> int:
    if place.unit_id is None or place.unit_id == profile.connection.unit_id:
        return main
    return place.unit_id


def _headers(place: SunspecPlace, chain: list[SunspecPlace]) -> Iterator[Filler]:
    yield Filler("holding", place.data_address - 2, (place.model, place.length, *(NO_VALUE,) * place.length))
    if place is chain[0]:
        yield Filler("holding", place.data_address - 2 - len(SUNS), SUNS)
    if place is chain[-1]:
        yield Filler("holding", place.data_address + place.length, END_OF_CHAIN)


def _model(profile: Profile, place: SunspecPlace) -> SunspecModel | None:
    assert profile.sunspec is not None
    for model in profile.sunspec.models:
        if place.model == model.id or place.model in model.same_layout:
            return model
    return None


def _points(profile: Profile, place: SunspecPlace) -> Iterable[Placed]:
    model = _model(profile, place)
    if model is None:
        return
    points = [r for r in profile.registers if r.model == model.id and not r.absolute and _fits(r, place)]
    for register in points:
        exponent = EXPONENTS.get(register.sf or "", 0)
        if register.block is None:
            if register.address + register.count <= place.length:
                key = f"{place.model}.{register.name}"
                yield Placed(key, register, place.data_address + register.address, "holding", exponent)
            continue
        assert model.repeat_length is not None
        for number in range((place.length - model.length) // model.repeat_length):
            address = place.data_address + model.length + number * model.repeat_length + register.address
            yield Placed(f"{place.model}.{number + 1}.{register.name}", register, address, "holding", exponent)


def _fits(register: Register, place: SunspecPlace) -> bool:
    return register.subdevice == place.subdevice
