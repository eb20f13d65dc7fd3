"""What one poll has read, as values: the meaning of registers, formulas and conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from evcc_server.profiles.formula import compiled, names_in
from evcc_server.profiles.profile import Condition, Profile, Register
from evcc_server.profiles.registers import decode, decode_raw, decoder, raw_decoder

_EXPONENT_MAX = 10

Source = Callable[["Polled"], float | None]
"""How a snapshot gives a value."""


class _Known(NamedTuple):
    register: Register
    scale: str | None  # the key of its scale factor
    decode: Callable[[Sequence[int]], float | None]  # at scale factor 0
    raw: Callable[[Sequence[int]], int | str | None]


class Decoders:
    """How the registers of ``profile`` become values, each worked out once."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._known: dict[str, _Known] = {}
        self._scaled: dict[tuple[str, int], Callable[[Sequence[int]], float | None]] = {}
        self.sources: dict[str, Source] = {}
        """By formula, as far as they have been asked for."""

    def source(self, formula: str) -> Source:
        """How a snapshot gives the value of ``formula``; most name one register, or some of which the first there is counts."""
        keys = [part.strip().removesuffix("?") for part in formula.split("|")]
        if tuple(keys) != names_in(formula) or any(key.startswith("$") for key in keys):
            read = compiled(formula)
            self.sources[formula] = lambda now: read(now.value)
        else:
            self.sources[formula] = _first([self._register(key) for key in keys])
        return self.sources[formula]

    def _register(self, key: str) -> Source:
        """How a snapshot gives the value of one register."""
        known = self._known.get(key) or self._look_up(key)
        decode = known.decode

        def plain(now: Polled) -> float | None:
            own = now.words.get(key)
            return None if own is None else decode(own)

        def scaled(now: Polled) -> float | None:
            return self.value(key, now.words)

        return plain if known.scale is None else scaled

    def raw(self, key: str, own: Sequence[int]) -> int | str | None:
        """The raw number or text in the words of ``key``."""
        return (self._known.get(key) or self._look_up(key)).raw(own)

    def value(self, key: str, words: Mapping[str, Sequence[int]]) -> float | None:
        """The value of ``key`` in its unit; None also when it has a value, but no scale factor."""
        own = words.get(key)
        if own is None:
            return None
        known = self._known.get(key) or self._look_up(key)
        if known.scale is None:
            return known.decode(own)
        scale = words.get(known.scale)
        if scale is None:
            return None
        exponent = decode_raw((self._known.get(known.scale) or self._look_up(known.scale)).register, scale)
        if exponent is None or not -_EXPONENT_MAX <= exponent <= _EXPONENT_MAX:
            return decode(known.register, own, self._profile.connection.word_order, sf=None)
        scaled = self._scaled.get((key, exponent))
        if scaled is None:
            scaled = decoder(known.register, self._profile.connection.word_order, sf=exponent)
            self._scaled[key, exponent] = scaled
        return scaled(own)

    def _look_up(self, key: str) -> _Known:
        register, _ = find_register(self._profile, key)
        scale = None if register.sf is None else f"{register.model}.{register.sf}"
        order = self._profile.connection.word_order
        known = _Known(register, scale, decoder(register, order), raw_decoder(register, order))
        self._known[key] = known
        return known


def _first(sources: Sequence[Source]) -> Source:
    """The first that is available."""

    def first(now: Polled) -> float | None:
        for source in sources:
            value = source(now)
            if value is not None:
                return value
        return None

    return sources[0] if len(sources) == 1 else first


class Polled:
    """What one poll has read. A value that is not available, or not on this device, is None."""

    def __init__(
        self,
        profile: Profile,
        words: Mapping[str, Sequence[int]],
        params: Mapping[str, float],
        decoders: Decoders | None = None,
    ) -> None:
        self._profile = profile
        self.words = words
        self._params = params
        self._decoders = decoders or Decoders(profile)

    def knowing(self, numbers: Mapping[str, float]) -> Polled:
        """The same, with more ``$name`` for formulas."""
        if not numbers:
            return self
        return Polled(self._profile, self.words, {**self._params, **numbers}, self._decoders)

    def value(self, key: str) -> float | None:
        """The value of ``key`` in its unit, or the parameter ``$name``."""
        if key.startswith("$"):
            return self._params.get(key[1:])
        return self._decoders.value(key, self.words)

    def raw(self, key: str) -> int | str | None:
        """The raw number of ``key``, or its text when it is a string."""
        own = self.words.get(key)
        return None if own is None else self._decoders.raw(key, own)

    def source(self, formula: str | None) -> float | None:
        """The value of a formula of the profile."""
        if formula is None:
            return None
        decoders = self._decoders
        return (decoders.sources.get(formula) or decoders.source(formula))(self)

    def holds(self, conditions: Iterable[Condition]) -> bool:
        """Whether all conditions hold; what is not available holds for nothing."""
        return all(self._holds(condition) for condition in conditions)

    def _holds(self, condition: Condition) -> bool:
        if condition.at_least is not None or condition.below is not None:
            value = self.value(condition.register)
            if value is None:
                return False
            if condition.at_least is not None and value < condition.at_least:
                return False
            if condition.below is not None and value >= condition.below:
                return False
        raw = self.raw(condition.register)
        if raw is None:
            return False
        if isinstance(raw, int):
            raw = (raw & condition.mask if condition.mask is not None else raw) // condition.divide
            raw = raw % condition.modulo if condition.modulo is not None else raw
        if condition.among is not None and raw not in condition.among:
            return False
        return condition.not_among is None or raw not in condition.not_among


def find_register(profile: Profile, key: str) -> tuple[Register, int | None]:
    """The register called ``key`` and, for ``model.block.point``, the number of the block. Raises `KeyError`."""
    register = profile.register_by_key.get(key)
    if register is not None:
        return register, None
    model, block, name = key.split(".")
    return profile.register_by_key[f"{model}.{name}"], int(block)


def keys_of(profile: Profile, formulas: Iterable[str | None], conditions: Iterable[Condition] = ()) -> frozenset[str]:
    """All registers that these need, scale factors included, parameters not."""
    found = {condition.register for condition in conditions}
    for formula in formulas:
        if formula is not None:
            found.update(name for name in names_in(formula) if not name.startswith("$"))
    for key in tuple(found):
        register, _ = find_register(profile, key)
        if register.sf is not None:
            found.add(f"{register.model}.{register.sf}")
    return frozenset(found)
