"""What a station was told, and what it may be doing as long as nobody knows whether it has heard.

told ---- answer --------> certain: this and nothing else stands
  |------ refusal -------> as it was before
  '------ no answer -----> it may have been done: until the next answer the lower of two currents is what may be repeated,
                           a pause that was wanted is repeated, and neither on nor off if charging was wanted
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """``current_a`` and ``current_most_a``: the lowest and the highest current that may stand [A]; ``current_a`` is repeated.

    ``is_enabled``: what may be repeated; None: it was never told, or it may be either. ``is_certain``: what ``is_enabled`` says
    was answered. ``phases``: the fewest that may be connected.
    """

    current_a: float
    current_most_a: float
    is_enabled: bool | None = None
    is_certain: bool = True
    phases: int = 3

    def asking_current(self, current_a: float) -> Told:
        """While ``current_a`` is on its way, and for as long as nobody has answered."""
        return replace(
            self,
            current_a=min(self.current_a, current_a),
            current_most_a=max(self.current_most_a, current_a),
        )

    def with_current(self, current_a: float) -> Told:
        """The station has answered, or is not to hear of it before it is enabled."""
        return replace(self, current_a=current_a, current_most_a=current_a)

    def asking_to_enable(self) -> Told:
        """While it is on its way, and for as long as nobody has answered."""
        return self if self.is_enabled is True else replace(self, is_enabled=None, is_certain=False)

    def asking_to_disable(self) -> Told:
        """While it is on its way, and for as long as nobody has answered."""
        return self if self.is_enabled is False else replace(self, is_enabled=False, is_certain=False)

    def with_enabled(self, is_enabled: bool | None) -> Told:
        """The station has answered, or was found so."""
        return replace(self, is_enabled=is_enabled, is_certain=True)

    def asking_phases(self, phases: int) -> Told:
        """While it is on its way, and for as long as nobody has answered."""
        return replace(self, phases=min(self.phases, phases))

    def with_phases(self, phases: int) -> Told:
        """The station has answered."""
        return replace(self, phases=phases)

    def within(self, current_max_a: float) -> Told:
        """Nothing above ``current_max_a`` is to be repeated [A]."""
        return replace(self, current_a=min(self.current_a, current_max_a))

    @property
    def may_be_enabled(self) -> bool:
        """Whether we may have enabled it."""
        return self.is_enabled is True or not self.is_certain
