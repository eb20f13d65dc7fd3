"""SunSpec points as evcc's users name them (``103:W``, ``160:1:DCW``), over everything the profiles know about SunSpec.

The value of a point is ``raw * 10**sf`` in the standard's own unit (Wh, not kWh), because users give their ``scale`` for that.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import msgspec

from evcc_server.profiles import profile as profiles
from evcc_server.profiles.profile import Connection, Profile, Register, Sunspec, SunspecModel


@functools.cache
def all_models(subdevice: int = 0) -> Profile:
    """One profile with every model and point of all SunSpec profiles, for one logical device; the generic ones come first."""
    registers: dict[tuple[str, str | None], Register] = {}
    models: dict[int, SunspecModel] = {}
    ordered = sorted(profiles.all_profiles(), key=lambda profile: (not profile.id.startswith("sunspec"), profile.id))
    for profile in ordered:
        if profile.sunspec is None:
            continue
        for model in profile.sunspec.models:
            known = models.get(model.id)
            if known is None or len(model.same_layout) > len(known.same_layout):
                models[model.id] = model
        for register in profile.registers:
            if register.model is not None and register.subdevice == 0 and not register.absolute:
                plain = msgspec.structs.replace(register, unit_id=None, subdevice=subdevice)
                registers.setdefault((plain.key, plain.block), plain)
    return Profile(
        id="sunspec",
        kind="meter",
        vendor="SunSpec Alliance",
        connection=Connection(transports=("tcp", "rtu", "rtu-over-tcp"), addressing="sunspec"),
        registers=tuple(registers.values()),
        sunspec=Sunspec(models=tuple(models.values())),
    )


def point_key(point: str) -> str | None:
    """The register key of ``point``; None when no profile knows it."""
    model_text, *block, name = point.split(":")
    register = _point(int(model_text), name, has_block=bool(block))
    if register is None:
        return None
    return ".".join([str(register.model), *block, register.name])


def point_scale(key: str) -> float:
    """What the profile multiplies the standard's unit with."""
    parts = key.split(".")
    return all_models().register_by_key[f"{parts[0]}.{parts[-1]}"].scale


def _point(model: int, name: str, *, has_block: bool) -> Register | None:
    candidates = [model, *(known.id for known in _layouts().values() if model in known.same_layout)]
    for register in all_models().registers:
        if register.model in candidates and register.name == name and (register.block is not None) == has_block:
            return register
    return None


@functools.cache
def _layouts() -> Mapping[int, SunspecModel]:
    sunspec = all_models().sunspec
    return {model.id: model for model in sunspec.models} if sunspec is not None else {}
