"""What a value read can be; what is none is as good as not read [DEF-43, DEF-48].

A counter shows no more than can have flowed since it was last seen to move, or to stand still while nothing was charged.

A vehicle's SoC of 0 % is special. Interfaces say 0 when they have no SoC, and a car that is really empty says it too. So it is
taken for one only as long as nothing better is known, it is asked for again, and it teaches nothing. A home battery does stand
at 0 %, and its SoC is read together with its power: there 0 is a value like any other.
"""

from __future__ import annotations

import math
from datetime import timedelta

from evcclib.model import PhaseTriple
from evcclib.readings import Measured, Reading
from evcclib.units import energy_kwh

SOC_PCT = (0.0, 100.0)
CHARGE_POWER_MAX_W = 22_080.0
"""A station may let pass so much whatever it is told: three phases of 32 A, the most that homes have."""
COUNTER_SLACK = 1.5
"""A counter may run ahead of that so much: voltages differ, counters lag and catch up."""
COUNTER_STEP_KWH = 1.0
"""A counter may show whole kilowatt hours only."""


def is_number(value: object) -> bool:
    """Whether it is a finite number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def are_numbers(values: PhaseTriple) -> bool:
    """Whether the values of all three phases are numbers: NaN stands for one that is not known."""
    return math.isfinite(sum(values))


def is_soc(value: object) -> bool:
    """Whether this can be a state of charge [%]: not what registers and interfaces say for "none" (-1, 101, 255, NaN, a text)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and SOC_PCT[0] <= value <= SOC_PCT[1]


def is_sure_soc(value: object) -> bool:
    """Whether this is a vehicle's state of charge, or its limit, beyond doubt: 0 may stand for none."""
    return is_soc(value) and value != 0


def is_distance(value: object) -> bool:
    """Whether this can be a vehicle's range [km]."""
    return isinstance(value, int | float) and is_number(value) and value >= 0


def is_odometer(value: object) -> bool:
    """Whether this can be what an odometer shows [km]; 0 stands for none."""
    return is_distance(value) and value != 0


def tells_soc(reading: Reading[float]) -> bool:
    """Whether a vehicle's SoC is known from ``reading`` beyond doubt."""
    return isinstance(reading, Measured) and is_sure_soc(reading.value)


def charged_at_most(meanwhile: timedelta, power_max_w: float) -> float:
    """What can have been charged ``meanwhile`` where up to ``power_max_w`` flow, with slack [kWh]."""
    return COUNTER_SLACK * energy_kwh(power_max_w, meanwhile)


def is_counter_step(step_kwh: float, meanwhile: timedelta, power_max_w: float) -> bool:
    """Whether a counter can have gone up by ``step_kwh`` ``meanwhile``, where up to ``power_max_w`` flow."""
    return step_kwh <= COUNTER_STEP_KWH + charged_at_most(meanwhile, power_max_w)
