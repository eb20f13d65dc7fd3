"""Worlds by the dozen: one generator with named parameters for each pack of field problems.

The same code serves example tests, Hypothesis (which draws the parameters), sweeps and benchmarks. A generated world has a name
that says everything: ``@clouds_at_phase_gap:high_w=4600,low_w=3700``; ``evcc-sim run`` takes such names, and ``@pack`` alone
draws the parameters from the seed.
"""

from __future__ import annotations

from dataclasses import replace
from math import isfinite

from evcc_sim.worlds import anything, broken_things, limited_homes, lying_stations, narrow_circuits, priced_nights, sun
from evcc_sim.worlds.packs import Value
from evcc_sim.worlds.scenario import InvalidScenario, Scenario

PACKS = {
    pack.name: pack
    for pack in (
        *sun.PACKS,
        *limited_homes.PACKS,
        *narrow_circuits.PACKS,
        *priced_nights.PACKS,
        *broken_things.PACKS,
        *anything.PACKS,
        *lying_stations.PACKS,
    )
}
"""All of them by name."""


def generate(name: str, *, seed: int) -> Scenario:
    """The world called ``@pack`` (parameters drawn from ``seed``) or ``@pack:name=value,...``. Raises `InvalidScenario`."""
    pack_name, _, text = name.removeprefix("@").partition(":")
    pack = PACKS.get(pack_name)
    if pack is None:
        raise InvalidScenario(f"unknown generator {pack_name!r}; known: {', '.join(PACKS)}")
    if not text:
        return replace(pack.draw(seed), seed=seed)
    values: dict[str, Value] = {}
    for item in text.split(","):
        key, separator, value = item.partition("=")
        if not separator:
            raise InvalidScenario(f"@{pack_name}: {item!r}: expected parameter=value")
        if key in values:
            raise InvalidScenario(f"@{pack_name}: {key!r} is given twice")
        values[key] = _number(value)
    return replace(pack.build(values), seed=seed)


def _number(text: str) -> Value:
    try:
        number = float(text)
    except ValueError:
        return text
    if not isfinite(number):  # the kind of a fault is called so
        return text
    return int(number) if number == int(number) and "." not in text else number
