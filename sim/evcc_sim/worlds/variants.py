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
from dataclasses import dataclass, replace
from pathlib import Path

from evcc_sim.plants.prices import PriceSpec
from evcc_sim.recorded import own_data
from evcc_sim.recorded.csv_file import OwnFile, WrongFile
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
    world = scenario.from_table(
        changed(scenario.table_of(name), every_change), name=",".join((Path(name).stem, *every_change))
    )
    return scenario.found_by(world, text, changes)


@dataclass(frozen=True, slots=True)
class Files:
    """An owner's files in place of the sun, the household and the grid's prices of a world; "": its own."""

    sun: str = ""
    load: str = ""
    price: str = ""

    @property
    def options(self) -> tuple[str, ...]:
        """The words of a command."""
        said = (("--sun", self.sun), ("--load", self.load), ("--price", self.price))
        return tuple(word for option, path in said if path for word in (option, path))


def with_files(world: Scenario, files: Files) -> Scenario:
    """``world`` with what is in ``files``. Recorded prices are those of an auction: tomorrow's are known from 13:15 on.

    Raises `InvalidScenario`.
    """
    if files == Files():
        return world
    try:
        changes, places = _read(world, files)
    except WrongFile as error:
        raise InvalidScenario(str(error)) from error
    found = replace(world, **changes, files={**world.files, **places})
    if world.origin is None:
        return found
    return replace(found, origin=replace(world.origin, world=replace(found, origin=None), options=files.options))


def _read(world: Scenario, files: Files) -> tuple[dict[str, typing.Any], dict[str, OwnFile]]:
    """What changes in ``world``, and where it is from, by place. Raises `WrongFile`."""
    changes: dict[str, typing.Any] = {}
    places: dict[str, OwnFile] = {}
    if files.sun:
        plants = list(world.pv)
        if not plants:
            raise WrongFile(f"--sun {files.sun}: {world.name} has no pv whose sun it could be")
        for index, spec in enumerate(plants):
            fields, places[f"pv[{index}]"] = own_data.plant(files.sun, world.base, spec.name, is_only=len(plants) == 1)
            plants[index] = replace(spec, **fields)
        changes["pv"] = tuple(plants)
    if files.load:
        fields, places["household"] = own_data.household(files.load, world.base)
        changes["household"] = replace(world.household, **fields)
    if files.price:
        fields, places["tariff.grid"] = own_data.prices(files.price, world.base, unit=world.tariff.currency)
        changes["tariff"] = replace(world.tariff, grid=PriceSpec(day_ahead=True, **fields))
    return changes, places


def changed(table: dict[str, typing.Any], changes: typing.Iterable[str]) -> dict[str, typing.Any]:
    """``table``, in which the values that ``changes`` name are others. Raises `InvalidScenario`."""
    for change in changes:
        path, separator, value = change.partition("=")
        if not separator:
            raise InvalidScenario(f"{change!r}: expected key.path=value")
        _set(table, path.split("."), _value(value), change)
    return table


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
