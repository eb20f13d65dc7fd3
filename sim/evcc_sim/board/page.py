"""docs/leaderboard.md from outcomes: the same outcomes, the same bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, quantiles

from evcc_sim.board.entrants import Entrant
from evcc_sim.board.figures import DAY_COST, FIGURES, PAID, REGRET, Figure
from evcc_sim.board.pack import Group, World
from evcc_sim.board.runs import WEIGHTS, Outcome
from evcc_sim.board.verdict import ERRORS, SEEDS_MIN, Standing, leaders, standings, verdict

CLAIRVOYANT = "*clairvoyant*"
NOT_AVAILABLE = "n/a"
LEFT_OUT = {
    "evcc": "no boost, plans, limits of SoC or energy, welcome charge, wake-up or dimming",
    "openwb": "no mode but charging by the sun, no price, feed-in limit or unbalanced load; of the battery *car first* only",
    "smartevse": "only its solar mode with phases switched by itself; one station, no capacity limit, no nudge for a car",
    "openems": "only surplus charging, which never switches phases; no circuit, no car on one phase at a station with three",
}
"""In short; docs/rivals.md has it rule by rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How a page has come about: the command, what has been asked for, and by which versions it was run."""

    command: str
    groups: Sequence[Group]
    entrants: Sequence[Entrant]
    seeds: Sequence[int]
    versions: Mapping[str, str]


def page(made: Made, outcomes: Sequence[Outcome]) -> str:
    """The whole page."""
    parts = [
        "# Leaderboard",
        (
            f"Made by `{made.command}`; every figure is a simulated one. The same days, {_seeds(made.seeds)}, are lived "
            "through by laws of this library, by [models of other systems](rivals.md), and by the clairvoyant, who knows the "
            "day before it begins; [how it was measured](#how-it-was-measured). Figures are means; in brackets from the tenth "
            "to the ninetieth percentile of the seeds."
        ),
        _at_a_glance(made, outcomes),
        *(_group(group, made, outcomes) for group in made.groups),
        _left_out(made, outcomes),
        _how(made),
        _failed(outcomes),
    ]
    return "\n\n".join(parts) + "\n"


def _seeds(seeds: Sequence[int]) -> str:
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    return f"seeds {seeds[0]} to {seeds[-1]}"


# -- tables -----------------------------------------------------------------------------------------------------------------


def _at_a_glance(made: Made, outcomes: Sequence[Outcome]) -> str:
    worlds = [world for group in made.groups for world in group.worlds]
    heads = ["", *(f"{world.name}: {world.decided_by.heading}" for world in worlds)]
    cells: dict[str, list[str]] = {entrant.name: [] for entrant in made.entrants}
    for world in worlds:
        found = standings(world, made.entrants, outcomes)
        first = {each.entrant.name for each in leaders(world, found)} if len(found) > 1 else set()
        for each in found:
            text = _plain(each.mean(world.decided_by.name), world.decided_by.digits, NOT_AVAILABLE)
            cells[each.entrant.name].append(f"**{text}**" if each.entrant.name in first else text)
    rows = [heads, *([name, *texts] for name, texts in cells.items())]
    return "## At a glance\n\nBold: the best, and who is not clearly behind it.\n\n" + _table(rows)


def _group(group: Group, made: Made, outcomes: Sequence[Outcome]) -> str:
    parts = [f"## {group.title}", group.text]
    for world in group.worlds:
        own = [outcome for outcome in outcomes if outcome.world == world.name]
        parts += _world(world, made, own)
    return "\n\n".join(parts)


def _world(world: World, made: Made, outcomes: Sequence[Outcome]) -> list[str]:
    figures = [world.decided_by, *(figure for figure in FIGURES if figure is not world.decided_by)]
    found = standings(world, made.entrants, outcomes)
    rows = [["", "runs", *(figure.heading for figure in figures), "again"]]
    best = _best_days(world, found)
    rows.append(_best_row(world, best, figures))
    rows += [_row(each, figures, outcomes) for each in found]
    least = [least for day in best if (least := day.best[DAY_COST.name]) is not None]
    said = " ".join(verdict(world, found, fmean(least) if least else None))
    parts = [f"### {world.name}: {world.title}", _table(rows), f"*What this says.* {said}"]
    remarks = _remarks(world, outcomes)
    return [*parts, "\n".join(f"* {remark}" for remark in remarks)] if remarks else parts


def _row(standing: Standing, figures: Sequence[Figure], outcomes: Sequence[Outcome]) -> list[str]:
    name, days = standing.entrant.name, standing.days
    own = [outcome for outcome in outcomes if outcome.entrant == name]
    again = f"`{min(own, key=lambda each: each.seed).replay}`" if own else ""
    if not days:
        return [name, "0", *(NOT_AVAILABLE for _figure in figures), again]
    return [
        name,
        str(len(days)),
        *(_text(figure, list(standing.values(figure.name).values())) for figure in figures),
        again,
    ]


def _best_days(world: World, found: Sequence[Standing]) -> tuple[Outcome, ...]:
    """The clairvoyant's days: told with the runs of whoever has lived through them all, as they are the same beside each."""
    if world.decided_by is not REGRET:
        return ()
    days = max((standing.days for standing in found), key=len, default=())
    return tuple(day for day in days if day.best)


def _best_row(world: World, days: Sequence[Outcome], figures: Sequence[Figure]) -> list[str]:
    if not days:
        return [CLAIRVOYANT, "", *(NOT_AVAILABLE for _figure in figures), ""]
    cells = []
    for figure in figures:
        values = [value for day in days if (value := day.best.get(figure.name)) is not None]
        cells.append("0" if figure is world.decided_by else _text(figure, values))
    return [CLAIRVOYANT, str(len(days)), *cells, ""]


def _text(figure: Figure, values: Sequence[float]) -> str:
    """Mean and spread of a figure, or its sum."""
    if not values:
        return "–"
    if figure.is_sum:
        return _plain(sum(values), figure.digits)
    mean = _plain(fmean(values), figure.digits)
    if not figure.has_spread or len(values) < 2:
        return mean
    low, *_between, high = quantiles(values, n=10, method="inclusive")
    return f"{mean} ({_plain(low, figure.digits)}–{_plain(high, figure.digits)})"


def _plain(value: float | None, digits: int, missing: str = "–") -> str:
    if value is None:
        return missing
    return f"{round(value, digits) + 0.0:.{digits}f}"  # no minus before a zero


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *rest = rows
    rule = ["---", *("---:" for _cell in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rest))


# -- what is not in them ----------------------------------------------------------------------------------------------------


def _remarks(world: World, outcomes: Sequence[Outcome]) -> list[str]:
    """Why cells are empty, and what else the judge has to say."""
    remarks = []
    if world.decided_by is not REGRET:
        reasons = Counter(outcome.no_bound for outcome in outcomes if outcome.no_bound)
        why = "; ".join(reasons) or "what owners want bought is no regret"
        remarks.append(f"clairvoyant {NOT_AVAILABLE}: {why}")
    elif reasons := Counter(outcome.no_bound for outcome in outcomes if outcome.no_bound):
        remarks += [f"no bound in {count} runs: {reason}" for reason, count in reasons.items()]
    refusals = Counter((outcome.entrant, outcome.refused) for outcome in outcomes if outcome.refused)
    remarks += [f"{name} {NOT_AVAILABLE} in {count} runs: {_reason(why)}" for (name, why), count in refusals.items()]
    errors = Counter(outcome.entrant for outcome in outcomes if outcome.error)
    remarks += [f"{name}: {count} runs have [failed](#what-failed)" for name, count in errors.items()]
    for name in dict.fromkeys(outcome.entrant for outcome in outcomes):
        broken: Counter[str] = Counter()
        for outcome in outcomes:
            broken.update(outcome.broken if outcome.entrant == name else {})
        if broken:
            first = min((each for each in outcomes if each.entrant == name and each.broken), key=lambda each: each.seed)
            rules = ", ".join(f"`{rule}` {count}" for rule, count in sorted(broken.items()))
            remarks.append(f"{name} has broken {rules}; first seed {first.seed}")
    return remarks


def _reason(refusal: str) -> str:
    """Without the option that a command would have named."""
    return refusal.partition(": ")[2] or refusal


def _left_out(made: Made, outcomes: Sequence[Outcome]) -> str:
    lines = ["## What is left out of a rival, and what it cannot run", ""]
    lines.append(
        "Each is a model of one law, held against what the system itself has decided; [rivals.md](rivals.md) has commits, rules, "
        "how sure they are, and all that is left out. Everybody has his own defaults and no tuning; the grid meter is current."
    )
    lines.append("")
    worlds = [world.name for group in made.groups for world in group.worlds]
    for entrant in made.entrants:
        refused = {outcome.world for outcome in outcomes if outcome.entrant == entrant.name and outcome.refused}
        cannot = ", ".join(f"`{name}`" for name in worlds if name in refused)
        words = [LEFT_OUT[entrant.name]] if entrant.is_rival and entrant.name in LEFT_OUT else []
        words += [f"cannot run {cannot}"] if cannot else []
        if words:
            lines.append(f"* **{entrant.name}**: {'; '.join(words)}")
    return "\n".join(lines)


def _how(made: Made) -> str:
    weights = asdict(WEIGHTS)
    versions = ", ".join(f"{name} {version}" for name, version in made.versions.items())
    lines = [
        "## How it was measured",
        "",
        f"* Versions: {versions}. Days of 24 h, in *Prices* two of them; sun and household of a seed are the same for everybody.",
        (
            "* Everybody decides at his own pace: laws of this library every 10 s, evcc every 30 s (one station each time), "
            "openWB every 10 s, SmartEVSE every 2 s, OpenEMS every second. What they did is measured in the same cells of 10 s."
        ),
        (
            f"* *Day cost*: bought x {weights['bought_per_kwh']:.2f} + usable sun not taken x "
            f"{weights['not_taken_per_kwh']:.2f} + contactor switchings x {weights['switching']:.3f} + phase changes x "
            f"{weights['phase_change']:.2f} EUR."
        ),
        (
            "* *Clairvoyant*: the least day cost that is possible, by an exact dynamic programme with steps of a minute "
            "([what perfect foresight could have done](simulator.md#what-perfect-foresight-could-have-done)). He is a bound "
            "and no control: nobody can have his regret of 0. Where a car tapers his other figures are of the best day seen."
        ),
        *(f"* *{figure.heading}*: {figure.meaning}." for figure in (REGRET, DAY_COST, PAID, *FIGURES)),
        (
            f"* *What this says* is written by rules: one wins whose mean gain, seed by seed, is more than {ERRORS:g} of its "
            f"standard errors, of {SEEDS_MIN} seeds at least. Who exceeds a limit or trips the fuse is not ranked. Other rules "
            "of the [judge](simulator.md#what-is-judged) that somebody has broken are told below a table; those that only our "
            "own control promises count for nobody."
        ),
        (
            "* *again* runs the first seed of a row; another `--seed` another one. Whoever wants his own law or control in these "
            "tables: `evcc-sim leaderboard --controls classic,mine:factory`."
        ),
    ]
    return "\n".join(lines)


def _failed(outcomes: Sequence[Outcome]) -> str:
    errors: dict[tuple[str, str, str], list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.error:
            errors.setdefault((outcome.world, outcome.entrant, outcome.error), []).append(outcome)
    total, failed = len(outcomes), sum(map(len, errors.values()))
    refused = sum(bool(outcome.refused) for outcome in outcomes)
    lines = ["## What failed", "", f"{failed} of {total} runs failed, {refused} were refused ({NOT_AVAILABLE} above)."]
    lines += [""] if errors else []
    for (world, name, error), own in errors.items():
        lines.append(f"* {name} in `{world}`, {len(own)} runs: {error}; again: `{own[0].replay}`")
    return "\n".join(lines)
