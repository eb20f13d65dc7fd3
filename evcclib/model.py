"""The closed sets of words that readings, settings and decisions are made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum

from evcclib.allowed import EARLIEST, INSTANT, INSTANT_MAX, LATEST, TIME, duration
from evcclib.errors import InvalidReadings
from evcclib.units import Instant


class ChargeMode(StrEnum):
    """How a loadpoint may charge [SET-1]."""

    OFF = "off"
    NOW = "now"
    MINPV = "minpv"
    PV = "pv"


class ChargerStatus(StrEnum):
    """IEC 61851 state as the charger reports it [EV-1]; drivers map D to C [DEF-29]."""

    A = "A"
    B = "B"
    C = "C"
    E = "E"
    F = "F"


class PollMode(StrEnum):
    """When a vehicle may be asked for its SoC while it does not charge [SOC-8]."""

    CHARGING = "charging"
    CONNECTED = "connected"
    ALWAYS = "always"


class RemoteDemand(StrEnum):
    """What an external energy manager asks of a loadpoint [RC-1]."""

    ENABLE = ""
    SOFT = "soft"
    HARD = "hard"


class Planner(StrEnum):
    """Who makes charging plans."""

    CLASSIC = "classic"
    """The cheapest slots for one car at full power [PLAN-5..PLAN-9]."""
    OPTIMAL = "optimal"
    """The cheapest power over time, for all cars together [PLAN-23..PLAN-30]."""


class TariffKind(StrEnum):
    """The price lists a site may have [TAR-10]."""

    GRID = "grid"
    FEED_IN = "feedin"
    PLANNER = "planner"
    CO2 = "co2"
    """Emissions [g/kWh]; without it those of a planner's list that has such."""
    SOLAR = "solar"
    """What the sun is expected to give [W]."""
    SOLAR_P10 = "solarp10"
    """What it gives less than in one case of ten [W]."""
    SOLAR_P90 = "solarp90"
    """What it gives more than in one case of ten [W]."""


class VehicleFeature(StrEnum):
    """What sets a vehicle apart: no SoC source, or integer amps only [LIM-2]."""

    OFFLINE = "Offline"
    COARSE_CURRENT = "CoarseCurrent"


class PvAction(StrEnum):
    """What the running pv timer will do [PV-6]."""

    INACTIVE = "inactive"
    ENABLE = "enable"
    DISABLE = "disable"


class PhaseAction(StrEnum):
    """What the running phase timer will do [PH-7]."""

    INACTIVE = "inactive"
    SCALE_1P = "scale1p"
    SCALE_3P = "scale3p"


class Sharing(StrEnum):
    """How equals share what is not enough for all, once each has its minimum, under a law that divides."""

    FAIR = "fair"  # whoever has least is raised first
    EQUAL = "equal"  # all get as much beyond their minimum
    ORDER = "order"  # one after the other, as configured


class Cause(Enum):
    """Why a step runs. The classic law takes new decisions on INTERVAL, REQUEST and START only; the limits of
    safety act on every cause."""

    START = "start"
    INTERVAL = "interval"
    REQUEST = "request"  # a setting or a demand changed
    SAMPLE = "sample"  # a new grid sample
    STATUS = "status"  # a charger's status changed
    OUTCOME = "outcome"  # a command batch has been answered
    WAKE = "wake"  # `wake_at` has come


@dataclass(frozen=True, slots=True)
class Now:
    """The time of a step: ``instant`` for timers, ``utc`` for prices and plans.

    ``instant`` is monotonic, counted from an arbitrary origin of the caller's; ``utc`` may be given in any
    time zone, and may jump. Raises `evcclib.errors.InvalidReadings`.
    """

    instant: Instant
    utc: datetime

    def __post_init__(self) -> None:
        instant, utc = self.instant, self.utc
        if (  # as it nearly always is
            type(utc) is datetime
            and utc.tzinfo is UTC
            and type(instant) is timedelta
            and EARLIEST <= utc < LATEST
            and -INSTANT_MAX <= instant <= INSTANT_MAX
        ):
            return
        INSTANT.check("Now.instant", instant, InvalidReadings)
        TIME.check("Now.utc", utc, InvalidReadings)
        object.__setattr__(self, "utc", utc.astimezone(UTC))

    def after(self, duration: timedelta) -> Now:
        """The same clock pair ``duration`` later. Raises `evcclib.errors.InvalidReadings`."""
        _DURATION.check("duration", duration, InvalidReadings)
        return Now(self.instant + duration, self.utc + duration)


_DURATION = duration(-INSTANT_MAX.total_seconds(), INSTANT_MAX.total_seconds())
PhaseTriple = tuple[float, float, float]
"""One value for each of L1, L2, L3."""
