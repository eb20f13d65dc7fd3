"""A faster `_replace` does what the slow one does."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from evcclib.machines.charger import ChargerState
from evcclib.machines.replaced import often_replaced


@often_replaced
class Drawn(NamedTuple):
    """Three fields, one with a default."""

    power_w: float
    phases: int
    current_a: float = 6.0


def test_what_is_replaced_is_new_and_of_the_same_kind_and_the_rest_stays() -> None:
    before = Drawn(4140.0, 3)
    after = before._replace(current_a=8.0, power_w=5520.0)
    assert after == Drawn(5520.0, 3, 8.0)
    assert type(after) is Drawn
    assert before == Drawn(4140.0, 3, 6.0)
    assert before._replace() == before


def test_a_state_of_many_fields_is_replaced_field_by_field() -> None:
    state = ChargerState()
    for name in ChargerState._fields:
        changed = state._replace(**{name: 7})  # type: ignore[arg-type]  # each in turn
        assert changed == ChargerState(**{**state._asdict(), name: 7})


def test_a_field_that_it_does_not_have_is_refused() -> None:
    with pytest.raises(KeyError):
        Drawn(0.0, 1)._replace(current=6.0)  # type: ignore[call-arg]
