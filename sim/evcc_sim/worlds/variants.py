"""Which world a command means: a library name, a file, a generator, or any of these with values changed.

clear-day                                   of the library
./mine.toml                                 a file
@bad_car                                    generated; parameters drawn from the seed
@bad_car:phases=1,taper_from_pct=60         generated; these parameters
clear-day,site.interval_s=30                with a value of the file changed
clear-day,charger.*.loadpoint.mode=minpv    ... in every station
"""

from __future__ import annotations

import tomllib
import typing
from pathlib import Path

from evcc_sim.worlds import generators, scenario
from evcc_sim.worlds.scenario import InvalidScenario, Scenario


def resolve(text: str, *, seed: int | None = None, changes: typing.Sequence[str] = ()) -> Scenario:
    """The world that ``text`` names, with ``changes`` of the form ``key.path=value``. Raises `InvalidScenario`."""
    if text.startswith("@"):
        if changes:
            raise InvalidScenario("a generated world is changed by its parameters: @name:parameter=value")
        return generators.generate(text, seed=1 if seed is None else seed)
    name, *more = text.split(",")
    every_change = [*more, *changes]
    if not every_change:
        return scenario.load(name)
    table = _table(name)
    for change in every_change:
        path, separator, value = change.partition("=")
        if not separator:
            raise InvalidScenario(f"{change!r}: expected key.path=value")
        _set(table, path.split("."), _value(value), change)
    world = scenario.from_table(table, name=",".join((Path(name).stem, *every_change)))
    return scenario.found_by(world, text, changes)


def _table(name: str) -> dict[str, typing.Any]:
    try:
        return tomllib.loads(scenario.text_of(name))
    except tomllib.TOMLDecodeError as error:
        raise InvalidScenario(f"{name}: {error}") from error


def _value(text: str) -> typing.Any:
    """As TOML would read it; plain words are text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _set(table: typing.Any, path: list[str], value: typing.Any, change: str) -> None:
    key, rest = path[0], path[1:]
    if isinstance(table, list):
        wanted = range(len(table)) if key == "*" else [int(key)] if key.isdecimal() else []
        if not wanted or wanted[-1] >= len(table):
            raise InvalidScenario(f"{change!r}: there are entries 0..{len(table) - 1}, not {key!r}")
        for index in wanted:
            if rest:
                _set(table[index], rest, value, change)
            else:
                table[index] = value
    elif not isinstance(table, dict):
        raise InvalidScenario(f"{change!r}: {key!r} is inside a plain value")
    elif rest:
        _set(table.setdefault(key, {}), rest, value, change)
    else:
        table[key] = value
