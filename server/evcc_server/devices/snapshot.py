"""What one poll has read, as values: the meaning of registers, formulas and conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from evcc_server.devices.formula import evaluate, names_in
from evcc_server.devices.profile import Condition, Profile, Register
from evcc_server.devices.registers import decode, decode_raw, decode_text


class Snapshot:
    """What one poll has read. A value that is not available, or not on this device, is None."""

    def __init__(self, profile: Profile, words: Mapping[str, Sequence[int]], params: Mapping[str, float]) -> None:
        self._profile = profile
        self._words = words
        self._params = params

    def knowing(self, numbers: Mapping[str, float]) -> Snapshot:
        """The same, with more ``$name`` for formulas."""
        return Snapshot(self._profile, self._words, {**self._params, **numbers}) if numbers else self

    def value(self, key: str) -> float | None:
        """The value of ``key`` in its unit, or the parameter ``$name``."""
        if key.startswith("$"):
            return self._params.get(key[1:])
        words = self._words.get(key)
        if words is None:
            return None
        register, _ = find_register(self._profile, key)
        return decode(register, words, self._profile.connection.word_order, sf=self._exponent(register))

    def _exponent(self, register: Register) -> int | None:
        if register.sf is None:
            return 0
        key = f"{register.model}.{register.sf}"
        words = self._words.get(key)
        if words is None:
            return None
        exponent = decode_raw(find_register(self._profile, key)[0], words)
        return exponent if exponent is not None and -10 <= exponent <= 10 else None

    def raw(self, key: str) -> int | str | None:
        """The raw number of ``key``, or its text when it is a string."""
        words = self._words.get(key)
        if words is None:
            return None
        register, _ = find_register(self._profile, key)
        if register.type == "string":
            return decode_text(register, words)
        return decode_raw(register, words, self._profile.connection.word_order)

    def source(self, formula: str | None) -> float | None:
        """The value of a formula of the profile."""
        return None if formula is None else evaluate(formula, self.value)

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
