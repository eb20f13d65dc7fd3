"""Pictures of a run for people who have never seen the code: where the power came from and went, and why.

matplotlib is imported when a picture is made, and draws without a display.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from evcc_sim.judge.trace import Instant
from evcc_sim.plants.faults import FaultKind
from evcc_sim.runs.result import RunResult
from evcc_sim.timebase import Timebase
from evcclib.events import SettingChanged

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Numbers = list[float]
"""Times as matplotlib counts them: days since 1970."""

CARS = ("#1f77b4", "#17becf", "#5254a3", "#2ca02c", "#8c6d31", "#637939")
HOUSEHOLD, SUN, IMPORT, EXPORT, BATTERY = "#b0b0b0", "#f2a900", "#c0392b", "#7f8c8d", "#3b9b5f"

REASONS: dict[str, tuple[str, str]] = {
    "starting": ("starting", "#dddddd"),
    "not_connected": ("no car", "#f0f0f0"),
    "charger_silent": ("station does not answer", "#e74c3c"),
    "charger_fault": ("station reports a fault", "#c0392b"),
    "command_pending": ("command under way", "#cfd8dc"),
    "command_failed": ("command failed", "#e57373"),
    "mode_off": ("switched off", "#d6d6d6"),
    "mode_now": ("charging fast (mode now)", "#5b9bd5"),
    "remote_hard": ("stopped remotely", "#b39ddb"),
    "remote_soft": ("paused remotely", "#d1c4e9"),
    "phase_switch": ("switching phases", "#f48fb1"),
    "phase_lock": ("phases being set", "#f8bbd0"),
    "min_soc": ("below the minimum charge", "#ff8a65"),
    "plan_active": ("plan is charging", "#7e57c2"),
    "plan_waiting": ("waiting for the plan's slot", "#d1c4e9"),
    "smart_cost": ("cheap energy", "#4db6ac"),
    "feed_in_priority": ("selling the sun", "#ffcc80"),
    "target_soc_reached": ("target reached", "#a5d6a7"),
    "target_energy_reached": ("energy target reached", "#a5d6a7"),
    "climate": ("climate control", "#80cbc4"),
    "surplus": ("following the sun", "#ffd54f"),
    "surplus_wait_enable": ("enough sun, waiting to start", "#fff176"),
    "surplus_wait_disable": ("too little sun, waiting to stop", "#ffb74d"),
    "surplus_missing": ("not enough sun", "#e0e0e0"),
    "minimum_power": ("minimum power", "#ffe082"),
    "battery_buffer": ("home battery helps", "#81c784"),
    "battery_priority": ("home battery comes first", "#c8e6c9"),
    "guard": ("contactor rests", "#bcaaa4"),
    "grid_stale": ("grid meter silent: minimum", "#ef9a9a"),
    "grid_lost": ("grid meter lost: paused", "#e57373"),
    "vehicle_full": ("car takes nothing", "#b2dfdb"),
    "limited": ("held down by a limit", "#9575cd"),
}
"""What each reason is called and coloured in a picture."""

LOADPOINTS_MAX = 6
POINTS_MAX = 6000


def save(result: RunResult, path: Path) -> None:
    """Write the picture as PNG (or SVG, PDF by the file's suffix)."""
    figure = draw(result)
    figure.savefig(path, dpi=110)


def png(result: RunResult) -> bytes:
    """The picture as bytes, to be put into a page."""
    buffer = io.BytesIO()
    draw(result).savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def draw(result: RunResult) -> Figure:
    """The whole picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.dates import DateFormatter, HourLocator
    from matplotlib.figure import Figure as NewFigure

    trace = result.trace
    instants = thinned(trace.instants)
    base = trace.scenario.base
    x = numbers(base, [instant.second for instant in instants])
    shown = range(min(len(trace.scenario.charger), LOADPOINTS_MAX))
    has_price = any(not isnan(instant.price) for instant in instants)
    heights = [3.2, 1.7, *(1.35 for _ in shown), 1.7]
    heights += [1.2] if has_price else []
    heights += [0.45 * max(1, len(shown)) + 0.35]
    figure = NewFigure(figsize=(14, sum(heights) * 1.05 + 1.6), layout="constrained")
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    axes: list[Axes] = []
    for row in range(len(heights)):
        axes.append(figure.add_subplot(grid[row, 0], sharex=axes[0] if axes else None))
    queue = iter(axes)
    _draw_use(next(queue), x, instants, result, shown)
    _draw_grid(next(queue), x, instants)
    for index in shown:
        _draw_currents(next(queue), x, instants, result, index)
    _draw_soc(next(queue), x, instants, result, shown)
    if has_price:
        _draw_price(next(queue), x, instants, result)
    _draw_reasons(next(queue), x, instants, result, shown)
    for axis in axes:
        _mark_faults(axis, result)
        axis.grid(visible=True, axis="x", color="#e8e8e8", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[:-1]:
        axis.tick_params(labelbottom=False)
    hours = next(hours for hours in (1, 2, 3, 6, 12) if hours >= result.days * 24 / 14 or hours == 12)
    axes[-1].xaxis.set_major_locator(HourLocator(byhour=range(0, 24, hours), tz=base.zone))  # type: ignore[no-untyped-call]  # untyped there
    pattern = "%H:%M" if result.days <= 1.1 else "%a %H:%M"
    axes[-1].xaxis.set_major_formatter(DateFormatter(pattern, tz=base.zone))  # type: ignore[no-untyped-call]  # untyped there
    axes[-1].set_xlim(x[0], x[-1])
    axes[-1].set_xlabel(f"wall-clock time in {base.zone}")
    title = trace.scenario.title or trace.scenario.name
    figure.suptitle(f"{title} – {base.start:%d %B %Y}, seed {trace.seed}\n{headline(result)}", fontsize=12)
    return figure


def headline(result: RunResult) -> str:
    """One line that says how it went."""
    summary = result.summary
    parts = [f"{summary.charged_kwh:.1f} kWh charged"]
    if summary.self_consumption_pct is not None:
        parts.append(f"{summary.self_consumption_pct:.0f} % of the sun's energy used at home")
    if summary.autarky_pct is not None:
        parts.append(f"{summary.autarky_pct:.0f} % of the use not from the grid")
    parts.append(f"{summary.import_in_pv_mode_kwh:.2f} kWh bought while following the sun")
    parts.append("every invariant holds" if result.ok else f"{len(result.violations)} VIOLATIONS")
    return "  ·  ".join(parts)


def thinned(instants: Sequence[Instant]) -> list[Instant]:
    """At most some thousand instants, evenly."""
    stride = max(1, len(instants) // POINTS_MAX)
    return [*instants[::stride], instants[-1]]


def car_label(result: RunResult, index: int) -> str:
    """What a loadpoint is called."""
    charger = result.trace.scenario.charger[index]
    return charger.loadpoint.title or charger.box.name


def _legend(axis: Axes) -> None:
    """Above the panel, at its right end, where it hides nothing."""
    axis.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=7, fontsize=8, frameon=False, borderaxespad=0.2)


# -- panels -----------------------------------------------------------------------------------------------------------------


def _draw_use(axis: Axes, x: Numbers, instants: list[Instant], result: RunResult, shown: Sequence[int]) -> None:
    """Stacked use against the sun."""
    layers = [[instant.household_w / 1000 for instant in instants]]
    labels, colours = ["household"], [HOUSEHOLD]
    for index in shown:
        layers.append([instant.loadpoints[index].power_w / 1000 for instant in instants])
        labels.append(f"car at {car_label(result, index)}")
        colours.append(CARS[index % len(CARS)])
    rest = range(len(shown), len(result.trace.scenario.charger))
    if rest:
        layers.append([sum(instant.loadpoints[i].power_w for i in rest) / 1000 for instant in instants])
        labels.append(f"cars at {len(rest)} more stations")
        colours.append("#9ecae1")
    if result.trace.scenario.battery:
        layers.append([max(0.0, -instant.battery_w) / 1000 for instant in instants])
        labels.append("into the home battery")
        colours.append(BATTERY)
    _stack(axis, x, layers, labels, colours)
    if result.trace.scenario.pv:
        axis.step(x, [i.pv_w / 1000 for i in instants], where="post", color=SUN, linewidth=1.3, label="sun")
        unused = [i.pv_available_w / 1000 for i in instants]
        if max(i.pv_available_w - i.pv_w for i in instants) > 50:
            axis.step(x, unused, where="post", color=SUN, linewidth=0.8, linestyle=":", label="sun, curtailed")
    if result.trace.scenario.battery:
        supply = [(i.pv_w + i.battery_w) / 1000 if i.battery_w > 30 else float("nan") for i in instants]
        axis.step(x, supply, where="post", color=BATTERY, linewidth=1.2, label="sun and home battery")
    axis.set_ylabel("power used [kW]")
    axis.set_ylim(bottom=0)
    _legend(axis)
    axis.set_title("Where the power goes (areas) and what the sun delivers (line)", loc="left", fontsize=10)


def _stack(axis: Axes, x: Numbers, layers: list[list[float]], labels: list[str], colours: list[str]) -> None:
    below = [0.0] * len(x)
    for layer, label, colour in zip(layers, labels, colours, strict=True):
        above = [low + value for low, value in zip(below, layer, strict=True)]
        axis.fill_between(x, below, above, step="post", color=colour, linewidth=0, alpha=0.85, label=label)
        below = above


def _draw_grid(axis: Axes, x: Numbers, instants: list[Instant]) -> None:
    power = [instant.grid_w / 1000 for instant in instants]
    bought, sold = [max(0.0, p) for p in power], [min(0.0, p) for p in power]
    axis.fill_between(x, 0, bought, step="post", color=IMPORT, linewidth=0, alpha=0.8, label="bought")
    axis.fill_between(x, 0, sold, step="post", color=EXPORT, linewidth=0, alpha=0.6, label="sold")
    axis.axhline(0, color="black", linewidth=0.6)
    axis.set_ylabel("grid [kW]")
    _legend(axis)
    axis.set_title("Grid connection", loc="left", fontsize=10)


def _draw_currents(axis: Axes, x: Numbers, instants: list[Instant], result: RunResult, index: int) -> None:
    scenario = result.trace.scenario
    voltage_v = scenario.site.true_voltage_v or scenario.site.voltage_v
    points = [instant.loadpoints[index] for instant in instants]
    drawn = [max(point.powers_w) / voltage_v for point in points]
    colour = CARS[index % len(CARS)]
    axis.fill_between(x, 0, drawn, step="post", color=colour, alpha=0.45, linewidth=0, label="drawn by the car")
    axis.step(x, [p.pilot_a for p in points], where="post", color="black", linewidth=0.9, label="offered")
    charger = scenario.charger[index]
    axis.axhline(charger.loadpoint.current_min_a, color="#999999", linewidth=0.7, linestyle=":", label="minimum")
    axis.axhline(charger.loadpoint.current_max_a, color="#999999", linewidth=0.7, linestyle="--", label="maximum")
    if charger.box.can_switch_phases:
        single = [p.phases == 1 and bool(p.car) for p in points]
        top = charger.loadpoint.current_max_a * 1.12
        axis.fill_between(
            x, top, top * 1.06, where=single, step="post", color="#f48fb1", linewidth=0, label="on one phase"
        )
    axis.set_ylim(0, charger.loadpoint.current_max_a * 1.25)
    axis.set_ylabel("current [A]")
    _legend(axis)
    axis.set_title(f"Current of each phase at {car_label(result, index)}", loc="left", fontsize=10)


def _draw_soc(axis: Axes, x: Numbers, instants: list[Instant], result: RunResult, shown: Sequence[int]) -> None:
    for index in shown:
        values = [instant.loadpoints[index].soc_pct for instant in instants]
        if not all(isnan(value) for value in values):
            label = f"car at {car_label(result, index)}"
            axis.plot(x, values, color=CARS[index % len(CARS)], linewidth=1.6, label=label)
    battery = [instant.battery_soc_pct for instant in instants]
    if not all(isnan(value) for value in battery):
        axis.plot(x, battery, color=BATTERY, linewidth=1.6, linestyle="--", label="home battery")
    for happened in result.trace.events:
        event = happened.event
        if isinstance(event, SettingChanged) and event.name == "target_time" and isinstance(event.value, datetime):
            (moment,) = numbers(result.trace.scenario.base, [seconds_until(result, event.value)])
            axis.axvline(moment, color="#7e57c2", linewidth=1.2, linestyle="--")
            axis.text(moment, 3, " target time ", fontsize=8, color="#7e57c2", ha="right")
    axis.set_ylim(0, 104)
    axis.set_ylabel("charge [%]")
    if axis.get_legend_handles_labels()[1]:
        _legend(axis)
    axis.set_title("State of charge", loc="left", fontsize=10)


def seconds_until(result: RunResult, moment: datetime) -> float:
    """The second of the run at which a moment comes."""
    return (moment - result.trace.scenario.base.epoch).total_seconds()


def _draw_price(axis: Axes, x: Numbers, instants: list[Instant], result: RunResult) -> None:
    prices = [instant.price for instant in instants]
    axis.step(x, prices, where="post", color="#444444", linewidth=1.2)
    active = [any(point.reason == "plan_active" for point in instant.loadpoints) for instant in instants]
    low, high = min(prices), max(prices)
    axis.fill_between(
        x,
        low,
        high,
        where=active,
        step="post",
        color="#7e57c2",
        alpha=0.25,
        linewidth=0,
        label="plan is charging",
    )
    if any(active):
        _legend(axis)
    axis.set_ylabel(f"price\n[{result.trace.scenario.tariff.currency}/kWh]")
    axis.set_title("Price of energy from the grid", loc="left", fontsize=10)


def _draw_reasons(axis: Axes, x: Numbers, instants: list[Instant], result: RunResult, shown: Sequence[int]) -> None:
    """A band for each loadpoint, with words where there is room and a legend for the rest."""
    from matplotlib.patches import Patch

    used: dict[str, Patch] = {}
    span = x[-1] - x[0]
    for row, index in enumerate(shown):
        for start, end, code in bands(x, [instant.loadpoints[index].reason for instant in instants]):
            words, colour = REASONS.get(code, (code, "#cccccc"))
            axis.fill_between([start, end], -row - 0.42, -row + 0.42, color=colour, linewidth=0)
            used.setdefault(code, Patch(color=colour, label=words))
            if end - start > span * 0.0062 * len(words):
                axis.text((start + end) / 2, -row, words, ha="center", va="center", fontsize=8)
    axis.set_yticks([-row for row in range(len(shown))], [car_label(result, index) for index in shown])
    axis.set_ylim(-len(shown) + 0.45, 0.55)
    axis.set_title("Why (for each station)", loc="left", fontsize=10)
    axis.legend(
        handles=list(used.values()), loc="upper center", bbox_to_anchor=(0.5, -0.55), ncols=6, fontsize=8, frameon=False
    )


def bands(times: Sequence[float], values: Sequence[str]) -> list[tuple[float, float, str]]:
    """Spans of equal values."""
    found: list[tuple[float, float, str]] = []
    start = 0
    for index, (before, now) in enumerate(pairwise(values), 1):
        if now != before:
            found.append((times[start], times[index], before))
            start = index
    found.append((times[start], times[-1], values[start]))
    return found


def _mark_faults(axis: Axes, result: RunResult) -> None:
    base = result.trace.scenario.base
    for fault in result.trace.faults:
        start, end = numbers(base, [fault.start_s, max(fault.end_s, fault.start_s + 60)])
        axis.axvspan(start, end, color="#e74c3c", alpha=0.12, linewidth=0)
        if axis.get_title(loc="left").startswith("Grid"):
            what = "killed" if fault.kind is FaultKind.KILL else fault.kind.value.replace("_", " ")
            low, high = axis.get_ylim()
            words = f" {fault.device}: {what}"
            axis.text(start, low + 0.04 * (high - low), words, fontsize=7, color="#a93226", rotation=90)


def numbers(base: Timebase, seconds: Sequence[float]) -> Numbers:
    """Seconds of the run as matplotlib's days."""
    from matplotlib.dates import date2num

    return [float(date2num(base.utc(second))) for second in seconds]  # type: ignore[no-untyped-call]  # untyped there
