"""What is known about a device, as data: registers, what they mean, and the few things a driver must do.

One YAML file in ``profiles/`` is one device. This module only gives the data its shape and loads it; it reads no device, and
the simulator imports it too (and nothing else of the server). Addresses are 0-based protocol addresses. Values have units in
which ``value = raw * scale * sign``, after mask and shift. Power signs are those of `evcclib.units`.

A *source* is a small formula over register names, see `evcc_server.profiles.formula`: ``grid_power``, ``-battery_power``,
``pv_1? + pv_2?``, ``103.W | 113.W``. SunSpec points are called ``model.point`` or ``model.block.point``.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec
import msgspec.yaml
from ruamel.yaml import YAML

Transport = Literal["tcp", "rtu", "rtu-over-tcp", "ascii", "ascii-over-tcp", "udp"]
Function = Literal["holding", "input", "coil", "discrete"]
DataType = Literal[
    "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64",
    "string", "bool", "enum", "bitfield", "sunssf",
]  # fmt: skip
WordOrder = Literal["high_first", "low_first"]
Encoding = Literal["ascii", "ascii_low_first", "utf16be", "hex"]
Letter = Literal["A", "B", "C", "E", "F"]

FOLDER = Path(__file__).parent


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Immutable, and strict about keys: a misspelt one is an error, not a default."""


class Serial(_Data, frozen=True, kw_only=True):
    """Line settings a fresh device is likely to have; ``comset`` is 8N1, 8E1 or 8N2."""

    baudrate: int
    comset: str


class Block(_Data, frozen=True, kw_only=True):
    """Registers that are read together although some between them are unlisted."""

    function: Function
    address: int
    count: int
    unit_id: int | None = None


class Connection(_Data, frozen=True, kw_only=True):
    """How the device is reached and what it puts up with.

    ``reads``: ``adjacent`` merges values that touch each other up to ``max_read`` registers; ``listed`` also those with nothing
    but other registers of this profile between them, for a device whose maker says that any run may be read at once; ``single``
    asks for each on its own, because the device refuses anything else. ``doubles`` sends each request twice and ignores the
    first answer.
    """

    transports: tuple[Transport, ...]
    unit_id: int = 1
    port: int | None = None
    serial: Serial | None = None
    addressing: Literal["absolute", "sunspec"] = "absolute"
    word_order: WordOrder = "high_first"
    read_functions: tuple[int, ...] = ()
    write_functions: tuple[int, ...] = ()
    max_read: int = 125
    reads: Literal["adjacent", "listed", "single"] = "adjacent"
    blocks: tuple[Block, ...] = ()
    min_delay_ms: int = 0
    connect_delay_ms: int = 0
    timeout_ms: int = 1000
    doubles: bool = False


class Register(_Data, frozen=True, kw_only=True):
    """One value. ``nan`` lists raw numbers (words in order, before scaling) that mean "not available"; where a device says so of
    something that rests, such as an inverter at night, ``nan_is`` is what it stands for.

    ``default``, ``min`` and ``max`` are raw numbers. ``also``: the same value answers at this other function.
    In SunSpec ``address`` is the offset in the data of ``model`` unless ``absolute``; ``sf`` names the scale factor's point.
    """

    name: str
    address: int
    function: Function
    type: DataType
    count: int = 1
    scale: float = 1.0
    unit: str = ""
    sign: Literal[1, -1] = 1
    access: Literal["r", "w", "rw"] = "r"
    enum: dict[int, str] = {}
    bits: dict[int, str] = {}
    nan: tuple[int, ...] = ()
    nan_is: float | None = None
    default: int | str | float | None = None
    min: int | None = None
    max: int | None = None
    mask: int | None = None
    shift: int = 0
    encoding: Encoding = "ascii"
    word_order: WordOrder | None = None
    unit_id: int | None = None
    example_unit: bool = False  # ``unit_id`` is only an example: the value exists once the owner names the real unit
    also: Function | None = None
    write_function: Literal[5, 6, 15, 16] | None = None  # where not the obvious one of the connection's
    per_connector: bool = False
    absolute: bool = False
    model: int | None = None
    block: Literal["repeating"] | None = None
    sf: str | None = None
    subdevice: int = 0
    meaning: str | None = None  # canonical name of a SunSpec point

    @property
    def key(self) -> str:
        """What formulas and steps call it."""
        return self.name if self.model is None else f"{self.model}.{self.name}"


class SunspecModel(_Data, frozen=True, kw_only=True):
    """A model the device may have; ``same_layout`` lists ids with the same points, ``repeat_length`` its repeating block."""

    id: int
    length: int
    same_layout: tuple[int, ...] = ()
    repeat_length: int | None = None


class SunspecPlace(_Data, frozen=True, kw_only=True):
    """Where a model's data were found on a real device: for the simulator; drivers discover."""

    model: int
    data_address: int
    length: int
    unit_id: int | None = None
    subdevice: int = 0


class Sunspec(_Data, frozen=True, kw_only=True):
    """The model chain."""

    models: tuple[SunspecModel, ...]
    layout: tuple[SunspecPlace, ...] = ()
    base_addresses: tuple[int, ...] = (40000, 50000, 0)


class Connectors(_Data, frozen=True, kw_only=True):
    """Registers marked ``per_connector`` move by ``stride`` for each connector after ``first``.

    ``by_unit``: the unit id is the number of the connector.
    """

    first: int = 1
    last: int | None = None
    stride: int
    by_unit: bool = False


class Parameter(_Data, frozen=True, kw_only=True):
    """A number that formulas call ``$name``: given by the user, else read from ``register`` once, else ``default``.

    What a mode of ours has left in ``register`` is nobody's wish: then ``otherwise`` is read in its place. ``limit`` is a
    register with the most that the device takes; the user's number is lowered to it.
    """

    unit: str = ""
    default: float | None = None
    register: str | None = None
    otherwise: str | None = None
    limit: str | None = None


class Condition(_Data, frozen=True, kw_only=True):
    """A test of one register's raw number (text for strings): all that is given must hold. Not available: does not hold."""

    register: str
    mask: int | None = None
    divide: int = 1
    modulo: int | None = None
    among: tuple[int | str, ...] | None = None
    not_among: tuple[int | str, ...] | None = None
    at_least: float | None = None
    below: float | None = None


class Step(_Data, frozen=True, kw_only=True):
    """Write ``value`` (a number in the register's unit, or a formula) to ``write``, or wait; only when ``when`` holds."""

    write: str | None = None
    value: float | str | None = None
    wait_s: float | None = None
    when: tuple[Condition, ...] = ()


class Values(_Data, frozen=True, kw_only=True):
    """Sources of what one poll reads; absent: the device has no such value. Triples are L1, L2, L3.

    ``measured_when``: power, energies, currents and voltages exist only where this holds (an optional meter).
    ``own_unit``: all of it is at a unit that differs from house to house: the owner's ``id``.
    ``lingers``: power and currents keep their last values after charging; unless the status is C they are 0, or unknown with it.
    """

    power: str | None = None
    powers: tuple[str, str, str] | None = None
    currents: tuple[str, str, str] | None = None
    voltages: tuple[str, str, str] | None = None
    energy_import: str | None = None
    energy_export: str | None = None
    energy_total: str | None = None  # of a charging station
    energy_session: str | None = None
    charge_duration: str | None = None  # [s]
    soc: str | None = None
    current_offered: str | None = None
    measured_when: tuple[Condition, ...] = ()
    own_unit: bool = False
    lingers: bool = False


class StatusRule(_Data, frozen=True, kw_only=True):
    """``status`` when all of ``when`` hold; no condition: always."""

    status: Letter
    when: tuple[Condition, ...] = ()


class Status(_Data, frozen=True, kw_only=True):
    """Ordered ``rules`` of which the first that holds wins, else the raw value (or text) of ``register`` by ``map``.

    A raw value that is in neither is no status at all. ``first_letter``: of a text only the first character counts.
    ``by_connector`` replaces ``register`` where the connectors share a word.
    """

    register: str | None = None
    map: dict[int | str, Letter] = {}
    mask: int | None = None
    first_letter: bool = False
    rules: tuple[StatusRule, ...] = ()
    by_connector: dict[int, str] = {}


class Repair(_Data, frozen=True, kw_only=True):
    """Steps that get the device out of a state it cannot leave by itself; ``status`` is reported meanwhile."""

    when: tuple[Condition, ...]
    steps: tuple[Step, ...]
    status: Letter | None = None


class Current(_Data, frozen=True, kw_only=True):
    """How a current limit is set: to ``register``, floored to the charger's step, in the register's scale.

    ``registers`` are further ones that get the same value. ``value`` is a formula of ``$current`` [A] (floored, within limits)
    and ``$phases`` for stations that want something else, such as a power.
    """

    register: str
    registers: tuple[str, ...] = ()
    value: str | None = None


class Enable(_Data, frozen=True, kw_only=True):
    """How charging is allowed and paused, in one of three ways.

    ``register`` takes ``enabled_raw`` or ``disabled_raw``; or pausing writes ``pause_raw`` to the current's registers and
    enabling writes the remembered current; or (neither ``register`` nor ``pause_raw``) there are only the steps. ``on_steps``
    and ``off_steps`` come before the write, ``on_steps_after`` and ``off_steps_after`` after it; they know ``$current`` [A], the
    remembered one, and ``$phases``. ``state`` says when it is enabled, as far as ``known_when`` holds; without it the driver
    remembers, and charging counts as enabled.
    """

    register: str | None = None
    enabled_raw: int = 1
    disabled_raw: int = 0
    pause_raw: int | None = None
    state: tuple[Condition, ...] = ()
    known_when: tuple[Condition, ...] = ()
    on_steps: tuple[Step, ...] = ()
    off_steps: tuple[Step, ...] = ()
    on_steps_after: tuple[Step, ...] = ()
    off_steps_after: tuple[Step, ...] = ()


class PhaseSwitch(_Data, frozen=True, kw_only=True):
    """The device's own procedure for one or three phases.

    ``ready``: it is offered only where this holds at start. ``ready_on_one``: or where this does, for stations that are found on
    one phase and do not show then what ``ready`` asks for. ``state`` is read back: raw value to phases; a value that is not
    listed means that the change is still under way. With ``pause_s`` charging is disabled before, this long [s], and enabled
    again ``resume_s`` after, if it was enabled. Steps know ``$current`` [A].
    """

    one: tuple[Step, ...]
    three: tuple[Step, ...]
    ready: tuple[Condition, ...] = ()
    ready_on_one: tuple[Condition, ...] = ()
    state: str | None = None
    states: dict[int, int] = {}
    pause_s: float | None = None
    resume_s: float = 0.0


class Watchdog(_Data, frozen=True, kw_only=True):
    """What happens when nobody talks to the device, and how to keep it calm.

    ``timeout`` is the register that holds the time-out, ``default_s`` counts where there is none. Reading 0 with
    ``zero_is_off`` it is off, and is armed with ``default_s`` by ``timeout_write``; ``failsafe`` is the current that applies
    when it expires, lowered by ``failsafe_write`` when it is above what is safe. ``kick``: ``any`` request (a poll is one too),
    ``steps``, or ``rewrite`` the current limit (0 while disabled). It is due every ``share`` of the time-out, at least
    ``least_s`` apart, or every ``period_s``. ``codes``: the time-out's register holds one of these raw numbers for so many
    seconds; any other is off.
    """

    kick: Literal["any", "steps", "rewrite"]
    default_s: float
    timeout: str | None = None
    timeout_write: str | None = None
    zero_is_off: bool = False
    share: float = 0.25
    least_s: float = 1.0
    period_s: float | None = None
    steps: tuple[Step, ...] = ()
    failsafe: str | None = None
    failsafe_write: str | None = None
    codes: dict[int, float] = {}


class Identity(_Data, frozen=True, kw_only=True):
    """The card or vehicle that was presented: the first of ``register`` and ``registers`` that names one.

    ``none`` are texts that mean nobody. ``hex`` shows a number with all its digits. ``register`` itself counts only while
    ``when`` holds.
    """

    register: str
    registers: tuple[str, ...] = ()
    format: Literal["text", "hex", "decimal"] = "text"
    none: tuple[str, ...] = ()
    when: tuple[Condition, ...] = ()


class Variant(_Data, frozen=True, kw_only=True):
    """What is different on a station of which ``when`` holds at start; what is not given stays."""

    when: tuple[Condition, ...]
    min_a: float | None = None
    max_a: float | None = None
    step_a: float | None = None
    status: Status | None = None
    current: Current | None = None
    enable: Enable | None = None
    values: Values | None = None
    phase_switch: PhaseSwitch | None = None
    watchdog: Watchdog | None = None
    identity: Identity | None = None


class Charger(_Data, frozen=True, kw_only=True):
    """What makes the registers a charging station. ``max_a`` and ``min_a`` bound every setpoint, ``step_a`` is the finest.

    At start ``configure`` comes first, then the variant is chosen, then ``requires`` must hold (what the owner must have set on
    the device), else nothing is written; ``start`` steps come last.
    """

    min_a: float
    max_a: float
    step_a: float
    status: Status
    current: Current
    enable: Enable
    values: Values = Values()
    max_current: str | None = None  # source of the limit the device itself reports [A]
    configure: tuple[Step, ...] = ()
    requires: tuple[Condition, ...] = ()
    start: tuple[Step, ...] = ()
    wake: tuple[Step, ...] = ()
    wake_s: float = 0.0  # so long after waking a fault is part of it and reported as B
    release: tuple[Step, ...] = ()
    repairs: tuple[Repair, ...] = ()
    phase_switch: PhaseSwitch | None = None
    watchdog: Watchdog | None = None
    identity: Identity | None = None
    identity_when: tuple[Condition, ...] = ()
    variants: tuple[Variant, ...] = ()  # the first that holds

    def as_variant(self, variant: Variant) -> Charger:
        """These facts with what is different in ``variant``."""
        given = {field: value for field, value in msgspec.structs.asdict(variant).items() if value is not None}
        del given["when"]
        return msgspec.structs.replace(self, **given)


class BatteryControl(_Data, frozen=True, kw_only=True):
    """Ordered writes for each mode; every mode but ``normal`` is written again each ``repeat_s``, if given."""

    modes: dict[Literal["normal", "hold", "charge", "holdcharge"], tuple[Step, ...]]
    requires: tuple[Condition, ...] = ()  # what the owner must have set on the device, else nothing is written
    repeat_s: float | None = None
    repeat_only: tuple[str, ...] = ()  # modes to repeat, when not all


class Profile(_Data, frozen=True, kw_only=True, dict=True):
    """One device. ``templates`` are the names users know from their configuration files.

    ``template_units``: what the unit id is by default under a name for which it is not the connection's.
    """

    id: str
    kind: Literal["charger", "meter", "inverter", "battery", "hybrid"]
    vendor: str
    products: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    template_units: dict[str, int] = {}
    connection: Connection
    registers: tuple[Register, ...]
    sunspec: Sunspec | None = None
    connectors: Connectors | None = None
    params: dict[str, Parameter] = {}
    usages: dict[Literal["grid", "pv", "battery", "charge", "aux"], Values] = {}
    charger: Charger | None = None
    battery: BatteryControl | None = None
    open_points: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what the owner must set on the device

    def register(self, key: str) -> Register:
        """The register called ``key``. Raises `KeyError`."""
        return self.register_by_key[key]

    @functools.cached_property
    def register_by_key(self) -> Mapping[str, Register]:
        """All registers by key; of several with one key the first."""
        found: dict[str, Register] = {}
        for register in self.registers:
            found.setdefault(register.key, register)
        return found

    @functools.cached_property
    def left_by_modes(self) -> Mapping[str, frozenset[float]]:
        """The numbers that a battery's modes but ``normal`` leave in each register that they write."""
        found: dict[str, set[float]] = {}
        for mode, steps in ({} if self.battery is None else self.battery.modes).items():
            for step in steps if str(mode) != "normal" else ():
                numbers = found.setdefault(str(step.write), set())
                if isinstance(step.value, (int, float)):
                    numbers.add(float(step.value))
        return {register: frozenset(numbers) for register, numbers in found.items()}


def parse(text: str, *, source: str = "profile") -> Profile:
    """A profile from YAML text. Raises `ValueError` naming the key that is wrong."""
    data = YAML(typ="safe").load(text)
    try:
        return msgspec.convert(data, Profile)
    except msgspec.ValidationError as error:
        raise ValueError(f"{source}: {error}") from error


@functools.cache
def load(name: str) -> Profile:
    """The profile of the device ``name``. Raises `KeyError`.

    Ours need not be checked again each time: `msgspec.yaml` takes a tenth of the time of `parse`, which every owner of a small
    board waits for at every start. That both read the same is a test's business.
    """
    path = FOLDER / f"{name}.yaml"
    if "/" in name or not path.is_file():
        raise KeyError(name)
    return msgspec.yaml.decode(path.read_bytes(), type=Profile)


def names() -> tuple[str, ...]:
    """Ids of all devices, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def all_profiles() -> Iterator[Profile]:
    """Every profile, by id."""
    return map(load, names())
