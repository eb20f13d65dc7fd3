"""A report of a run as one HTML file that needs nothing else: numbers, picture, violations, what happened when."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from itertools import pairwise
from pathlib import Path

from evcc_sim.runs.result import RunResult
from evcc_sim.show import plots
from evcc_sim.show.report import remarks, rows
from evcclib.events import (
    ChargeStarted,
    ChargeStopped,
    SessionChanged,
    SettingChanged,
    VehicleAssigned,
    VehicleConnected,
    VehicleDisconnected,
    Warned,
)

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #222; }
h1 { margin-bottom: 0; } h2 { margin-top: 2rem; } .sub { color: #666; margin-top: .2rem; }
table { border-collapse: collapse; } td, th { padding: .25rem .8rem; border-bottom: 1px solid #ddd; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; } .good { color: #1e7b34; } .bad { color: #b03a2e; }
img { width: 100%; height: auto; } code { background: #f3f3f3; padding: .1rem .35rem; border-radius: 3px; }
"""


def save(result: RunResult, path: Path) -> None:
    """Write the report."""
    path.write_text(page(result), encoding="utf-8")


def page(result: RunResult) -> str:
    """The report as text."""
    scenario = result.trace.scenario
    title = escape(scenario.title or scenario.name)
    numbers = "".join(
        f'<tr><td>{escape(label)}</td><td class="number">{escape(value)}</td></tr>'
        for label, value in rows(result.summary, result.regret)
    )
    if result.ok:
        verdict = '<p class="good">Every invariant holds.</p>'
    else:
        items = "".join(f"<li>{escape(str(violation))}</li>" for violation in result.violations)
        verdict = f'<ul class="bad">{items}</ul>'
    left_out = "".join(f"<p>{escape(remark)}</p>" for remark in remarks(result))
    story = "".join(f"<tr><td>{escape(when)}</td><td>{escape(what)}</td></tr>" for when, what in happenings(result))
    why = "".join(
        f'<tr><td>{escape(place)}</td><td>{escape(words)}</td><td class="number">{minutes}</td></tr>'
        for place, words, minutes in reason_minutes(result)
    )
    picture = b64encode(plots.png(result)).decode()
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style></head><body>
<h1>{title}</h1>
<p class="sub">{escape(scenario.description)}</p>
<p class="sub">From {scenario.site.start:%A, %d %B %Y}, {result.days:g} days, seed {result.trace.seed}.
Again: <code>{escape(result.replay)}</code></p>
<img alt="The day as a picture" src="data:image/png;base64,{picture}">
<h2>Numbers</h2><table>{numbers}</table>
<h2>Invariants</h2>{verdict}{left_out}
<h2>Reasons</h2><table><tr><th>Station</th><th>Reason</th><th>Minutes</th></tr>{why}</table>
<h2>What happened</h2><table>{story}</table>
</body></html>
"""


def reason_minutes(result: RunResult) -> list[tuple[str, str, str]]:
    """How long each reason ruled at each station; the longest first."""
    found: list[tuple[str, str, str]] = []
    for index in range(min(len(result.trace.scenario.charger), plots.LOADPOINTS_MAX)):
        totals: dict[str, float] = {}
        for now, later in pairwise(result.trace.instants):
            code = now.loadpoints[index].reason
            totals[code] = totals.get(code, 0.0) + later.second - now.second
        place = plots.car_label(result, index)
        for code, seconds in sorted(totals.items(), key=lambda item: -item[1]):
            found.append((place, plots.REASONS.get(code, (code or "nothing said", ""))[0], f"{seconds / 60:.0f}"))
    return found


def happenings(result: RunResult) -> list[tuple[str, str]]:
    """The story of the run in words, by time."""
    trace = result.trace
    base = trace.scenario.base
    story: list[tuple[float, str]] = [(note.second, note.text) for note in trace.notes]
    for second, event in trace.events:
        loadpoint = getattr(event, "loadpoint", None)
        place = plots.car_label(result, loadpoint) if isinstance(loadpoint, int) else ""
        match event:
            case VehicleConnected():
                story.append((second, f"{place}: car plugged in"))
            case VehicleDisconnected():
                story.append((second, f"{place}: car gone"))
            case ChargeStarted():
                story.append((second, f"{place}: charging starts"))
            case ChargeStopped():
                story.append((second, f"{place}: charging ends"))
            case VehicleAssigned(vehicle=vehicle):
                story.append((second, f"{place}: vehicle is {vehicle or 'a guest'}"))
            case SettingChanged(name=name, value=value):
                story.append((second, f"setting {name} = {value}"))
            case Warned(code=code):
                story.append((second, f"{place}: warning {code.value.replace('_', ' ')}"))
            case SessionChanged(session=session) if session.finished is not None:
                story.append((second, f"{place}: session of {session.energy_charged_kwh:.2f} kWh stored"))
            case _:
                pass
    story += [(fault.start_s, f"fault at {fault.device}: {fault.kind.value}") for fault in trace.faults]
    return [
        (f"{base.utc(second).astimezone(base.zone):%a %H:%M:%S}", words)
        for second, words in sorted(story, key=lambda item: item[0])[:500]
    ]
