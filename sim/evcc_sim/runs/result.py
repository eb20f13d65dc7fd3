"""The numbers of a run that a person wants to see: energies, shares, money, switching, and how well the sun was followed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from math import isnan
from statistics import fmean
from typing import ClassVar

from evcc_sim.bound.regret import Regret, regret
from evcc_sim.judge.invariants import Violation, not_binding
from evcc_sim.judge.meant import Meant
from evcc_sim.judge.trace import InForce, Instant, Trace
from evcc_sim.plants.prices import Tariffs
from evcc_sim.runs import replay
from evcclib.model import TariffKind

SETTLED_W = 250.0
"""Grid power this near its final course counts as settled: one ampere on one phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Energies [kWh]; shares [%], None where nothing could be shared; money in the tariff's currency."""

    charged_kwh: float
    household_kwh: float
    pv_kwh: float
    pv_unused_kwh: float  # curtailed
    import_kwh: float
    export_kwh: float
    self_consumption_pct: float | None  # of the sun's energy, how much was used at home
    autarky_pct: float | None  # of the energy used, how much did not come from the grid
    cost: float | None
    contactor_switches: int
    phase_switches: int
    starts: int
    import_in_pv_mode_kwh: float  # bought while a car charged that was to follow the sun
    settling_s: float | None  # mean time from the start of a charge until it follows the sun
    commands: int
    vehicle_reads: int
    fuse_heat_pct: float  # 100: rated current for ever; trips at 128

    def as_dict(self) -> dict[str, float | None]:
        """Plain numbers."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """A run: its record, its numbers, what was violated; ``exported`` is the library's state at its end.

    ``control``: as a command names it ("": the library's own, None: nothing names it). ``typed``: the command that has made it,
    where that is another one than world, seed, days and control say.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ()
    """What else the command says that runs a world in this way."""

    trace: Trace
    summary: Summary
    violations: tuple[Violation, ...]
    days: float
    exported: dict[str, object] | None = None
    control: str | None = ""
    typed: str = ""

    @property
    def ok(self) -> bool:
        return not self.violations

    @cached_property
    def regret(self) -> Regret:
        """What it has cost beyond what perfect foresight could have made of it; found out when somebody asks."""
        return regret(self.trace)

    @property
    def not_judged(self) -> tuple[str, ...]:
        """The invariants that only the library's own control, or only another law, has promised."""
        return tuple(sorted(not_binding(self.trace)))

    @property
    def replay(self) -> str:
        """The one command that runs exactly this again."""
        trace = self.trace
        is_usual = trace.days == trace.scenario.days and self.days == trace.scenario.length_s() / 86_400.0
        days = None if is_usual else trace.days
        return self.typed or replay.command(
            trace.scenario, trace.seed, days=days, control=self.control, options=self.OPTIONS
        )

    def digest(self) -> str:
        """Equal for equal runs."""
        return self.trace.digest()


def summarize(trace: Trace) -> Summary:
    """The numbers of a trace."""
    instants = trace.instants
    first, last = instants[0], instants[-1]
    meant = Meant(trace)
    pv_kwh = available_kwh = household_kwh = bought_kwh = 0.0
    cost: float | None = None if isnan(first.price) else 0.0
    tariffs = Tariffs(trace.scenario.tariff, trace.scenario.base, trace.seed)
    for now, later in itertools.pairwise(instants):
        hours = (later.second - now.second) / 3600.0
        pv_kwh += now.pv_w * hours / 1000
        available_kwh += now.pv_available_w * hours / 1000
        household_kwh += now.household_w * hours / 1000
        imported_kwh = later.grid_in_kwh - now.grid_in_kwh
        if cost is not None and not isnan(now.price):
            feed_in_price = tariffs.price(TariffKind.FEED_IN, now.second) or 0.0
            cost += imported_kwh * now.price - (later.grid_out_kwh - now.grid_out_kwh) * feed_in_price
        if imported_kwh > 0:
            bought_kwh += min(imported_kwh, _following_w(meant, now, trace.in_force(now.second)) * hours / 1000)
    charged_kwh = sum(lp.energy_kwh for lp in last.loadpoints)
    import_kwh = last.grid_in_kwh - first.grid_in_kwh
    export_kwh = last.grid_out_kwh - first.grid_out_kwh
    used_kwh = charged_kwh + household_kwh
    return Summary(
        charged_kwh=charged_kwh,
        household_kwh=household_kwh,
        pv_kwh=pv_kwh,
        pv_unused_kwh=max(0.0, available_kwh - pv_kwh),
        import_kwh=import_kwh,
        export_kwh=export_kwh,
        self_consumption_pct=100 * (1 - export_kwh / pv_kwh) if pv_kwh > 0.1 else None,
        autarky_pct=100 * max(0.0, 1 - import_kwh / used_kwh) if used_kwh > 0.1 else None,
        cost=cost,
        contactor_switches=sum(trace.contactor_switches),
        phase_switches=sum(trace.phase_switches),
        starts=sum(trace.car_starts.values()),
        import_in_pv_mode_kwh=bought_kwh,
        settling_s=settling_s(trace, meant),
        commands=len(trace.sent),
        vehicle_reads=sum(trace.vehicle_reads.values()),
        fuse_heat_pct=trace.fuse_heat * 100,
    )


def _following_w(meant: Meant, instant: Instant, wish: InForce) -> float:
    """What the cars draw that people mean to charge by the sun alone [W]."""
    drawing = [(index, each.power_w) for index, each in enumerate(instant.loadpoints) if each.power_w > 0]
    return sum(power_w for index, power_w in drawing if meant.follows(index, instant, wish))


def settling_s(trace: Trace, meant: Meant) -> float | None:
    """Mean time from each start of a charge in mode pv until the grid power has first come within `SETTLED_W` plus one
    ampere on all three phases of its aim; None if nothing started."""
    residual_w = trace.scenario.site.residual_power_w
    waits: list[float] = []
    since: float | None = None
    charging_before = False
    for instant in trace.instants:
        charging = instant.charge_w > 0 and _following_w(meant, instant, trace.in_force(instant.second)) > 0
        if charging and not charging_before:
            since = instant.second
        if not charging:
            since = None
        elif since is not None and -3 * SETTLED_W - residual_w <= instant.grid_w <= SETTLED_W - residual_w:
            waits.append(instant.second - since)
            since = None
        charging_before = charging
    return fmean(waits) if waits else None
