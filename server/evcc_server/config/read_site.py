"""The sections ``site``, ``loadpoints`` and ``circuits``, and what binds them to each other."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from datetime import timedelta

from evcc_server.config.model import (
    ChargerEntry,
    Circuit,
    Loadpoint,
    MeterEntry,
    OperatorLimitEntry,
    Site,
    VehicleEntry,
)
from evcc_server.config.problems import expected_one_of
from evcc_server.config.read_settings import read_settings
from evcc_server.config.section import Section
from evcc_server.quoting import quoted
from evcclib.config import PollConfig
from evcclib.laws.by_name import LAWS
from evcclib.model import Planner, PollMode, Sharing
from evcclib.settings import Scope

_POWER_MAX_W = 1_000_000
_MINIMUM_POLL = timedelta(minutes=5)
_MEAN_WINDOWS = tuple([timedelta(minutes=minutes) for minutes in (15, 30, 60)])


def read_site(section: Section) -> Site:
    """The ``site`` section."""
    grid: str | None = None
    pv: tuple[str, ...] = ()
    battery: tuple[str, ...] = ()
    aux: tuple[str, ...] = ()
    meters = section.section("meters")
    if meters is not None:
        grid = meters.text("grid")
        pv = meters.texts("pv") + meters.texts("pvs")
        battery = meters.texts("battery") + meters.texts("batteries")
        aux = meters.texts("aux")
        meters.close()
    if not grid and not pv:
        section.problem("meters", "missing either grid or pv meter")
    site = Site(
        title=section.text("title", default=""),
        law=section.word("law", LAWS) or "classic",
        sharing=Sharing(section.word("sharing", Sharing) or Sharing.FAIR),
        planner=Planner(section.word("planner", Planner) or Planner.CLASSIC),
        solver=_solver(section),
        grid=grid,
        pv=pv,
        battery=battery,
        aux=aux,
        **read_settings(section, Scope.SITE),
        voltage_v=section.number("voltage", default=230.0, low=50, high=500, unit="V"),
        has_zero_feed_in=section.boolean("zeroFeedIn", default=False),
        grid_supply_max_while_battery_charges_w=section.number(
            "maxGridSupplyWhileBatteryCharging", default=0.0, low=0, high=_POWER_MAX_W, unit="W"
        ),
    )
    section.close()
    return site


def _solver(section: Section) -> str:
    name = section.word("solver", ("none", "highs"), default="none") or "none"
    if name == "highs" and importlib.util.find_spec("highspy") is None:
        section.problem("solver", "highs is not installed, it comes with the extra `optimize`")
    return name


def read_loadpoint(section: Section) -> Loadpoint:
    """One of ``loadpoints``."""
    settings = read_settings(section, Scope.LOADPOINT)
    poll, estimates = _soc(section)
    loadpoint = Loadpoint(
        line=section.line,
        place=section.path,
        title=section.text("title", default=""),
        charger=section.required_text("charger", allowed="the name of a charger"),
        meter=section.text("meter") or _charge_meter(section),
        vehicle=section.text("vehicle"),
        circuit=section.text("circuit"),
        phases=settings.pop("phases_configured"),
        phase_rotation=_rotation(section),
        guard_duration=section.duration("guardDuration", default=timedelta(minutes=5)),
        reset_on_disconnect=section.boolean("resetOnDisconnect", default=False),
        poll=poll,
        estimates_soc=estimates,
        unknown_soc_grace=section.duration("unknownSocGrace", default=timedelta(minutes=10)),
        **settings,
    )
    enable_w = loadpoint.enable_threshold_w
    if enable_w > 0:
        section.warn("enable", f"threshold {enable_w:g} W is grid import; charging from surplus needs 0 or less")
    if enable_w > loadpoint.disable_threshold_w:
        section.warn("enable", "the enable threshold is above the disable threshold; charging will switch on and off")
    section.close(
        ignored={
            "vehicles": "without effect, name the default vehicle as vehicle",
            "onidentify": "without effect here, belongs to the vehicle",
        }
    )
    return loadpoint


def _charge_meter(section: Section) -> str | None:
    """``meters: {charge: NAME}``, as files had it before there was ``meter``."""
    meters = section.section("meters")
    if meters is None:
        return None
    name = meters.text("charge")
    meters.close()
    return name


def read_circuit(section: Section) -> Circuit:
    """One of ``circuits``."""
    circuit = Circuit(
        name=section.required_text("name", allowed="the name by which loadpoints call this circuit"),
        line=section.line,
        place=section.path,
        title=section.text("title", default=""),
        parent=section.text("parent"),
        meter=section.text("meter"),
        current_max_a=section.number("maxCurrent", low=0, high=10_000, unit="A"),
        power_max_w=section.number("maxPower", low=0, high=10_000_000, unit="W"),
        unbalance_max_a=section.number("maxUnbalance", low=0, high=10_000, unit="A"),
        mean_power_max_w=section.number("maxMeanPower", low=0, high=10_000_000, unit="W"),
        mean_window=section.duration("meanWindow", default=timedelta(minutes=15)),
        safe_current_a=section.number("safeCurrent", default=0.0, low=0, high=80, unit="A"),
    )
    if all(
        limit is None
        for limit in (circuit.current_max_a, circuit.power_max_w, circuit.unbalance_max_a, circuit.mean_power_max_w)
    ):
        section.problem("", "a circuit without limit, expected maxCurrent, maxPower, maxUnbalance or maxMeanPower")
    if circuit.mean_window not in _MEAN_WINDOWS:
        section.problem("meanWindow", "expected 15m, 30m or 60m")
    if circuit.mean_power_max_w is not None and circuit.meter is None:
        section.problem("maxMeanPower", "a mean is taken of what a meter shows, expected meter, too")
    section.close()
    return circuit


def check_names(
    root: Section,
    groups: Iterable[tuple[str, Sequence[MeterEntry | ChargerEntry | VehicleEntry | Circuit | OperatorLimitEntry]]],
) -> None:
    """Names must be unique in their group."""
    for what, entries in groups:
        seen: dict[str, int] = {}
        for entry in entries:
            if entry.name and entry.name in seen:
                root.findings.problem(
                    entry.line,
                    f"{entry.place}.name",
                    f"{what} {quoted(entry.name)} already exists, see line {seen[entry.name]}",
                )
            seen.setdefault(entry.name, entry.line)


def check_references(
    root: Section,
    site: Site,
    loadpoints: Sequence[Loadpoint],
    circuits: Sequence[Circuit],
    names: dict[str, Sequence[str]],
    lines: dict[str, int],
) -> None:
    """Every name must be that of something, and no meter may be counted twice."""
    used: dict[str, str] = {}
    roles = [("site.meters.grid", site.grid)] if site.grid else []
    roles += [(f"site.meters.pv[{i}]", name) for i, name in enumerate(site.pv)]
    roles += [(f"site.meters.battery[{i}]", name) for i, name in enumerate(site.battery)]
    roles += [(f"site.meters.aux[{i}]", name) for i, name in enumerate(site.aux)]
    for place, name in roles:
        line = lines.get(place.split("[")[0].casefold(), root.line)
        _known(root, line, place, "meter", name, names)
        if name in used:
            root.findings.problem(line, place, f"meter {quoted(name)} is already used as {used[name]}")
        used.setdefault(name, place)
    chargers: dict[str, str] = {}
    for loadpoint in loadpoints:
        place = loadpoint.place
        for kind, reference in (
            ("charger", loadpoint.charger),
            ("meter", loadpoint.meter),
            ("vehicle", loadpoint.vehicle),
            ("circuit", loadpoint.circuit),
        ):
            if reference:
                key = f"{place}.{kind}"
                _known(root, lines.get(key.casefold(), loadpoint.line), key, kind, reference, names)
        if loadpoint.charger in chargers:
            key = f"{place}.charger"
            message = f"charger {quoted(loadpoint.charger)} is already used by {chargers[loadpoint.charger]}"
            root.findings.problem(lines.get(key.casefold(), loadpoint.line), key, message)
        elif loadpoint.charger:
            chargers[loadpoint.charger] = place
        if loadpoint.meter in used:
            key = f"{place}.meter"
            message = f"meter {quoted(loadpoint.meter)} is already used as {used[loadpoint.meter]}"
            root.findings.problem(lines.get(key.casefold(), loadpoint.line), key, message)
        elif loadpoint.meter:
            used[loadpoint.meter] = f"{place}.meter"
    for circuit in circuits:
        for kind, reference in (("circuit", circuit.parent), ("meter", circuit.meter)):
            if reference:
                key = f"{circuit.place}.{'parent' if kind == 'circuit' else kind}"
                _known(root, lines.get(key.casefold(), circuit.line), key, kind, reference, names)
    _check_tree(root, circuits)


def check_battery_circuits(root: Section, site: Site, meters: Sequence[MeterEntry], circuits: Sequence[str]) -> None:
    """The circuit of a home battery must be there; no other meter hangs below one."""
    for meter in meters:
        if meter.circuit is None:
            continue
        place = f"{meter.place}.circuit"
        if meter.name not in site.battery:
            root.findings.problem(meter.line, place, "only a meter of site.meters.battery hangs below a circuit")
            continue
        _known(root, meter.line, place, "circuit", meter.circuit, {"circuit": circuits})


def _known(root: Section, line: int, place: str, kind: str, name: str, names: dict[str, Sequence[str]]) -> None:
    if name not in names[kind] and all(names[kind]):  # one whose name is missing is reported already
        choices = [choice for choice in names[kind] if choice]
        hint = expected_one_of(name, choices) if choices else f"there are no {kind}s"
        root.findings.problem(line, place, f"{kind} {quoted(name)} does not exist, {hint}")


def _check_tree(root: Section, circuits: Sequence[Circuit]) -> None:
    parents = {circuit.name: circuit.parent for circuit in circuits}
    for circuit in circuits:
        seen = {circuit.name}
        above = circuit.parent
        while above is not None and above in parents and above not in seen:
            seen.add(above)
            above = parents[above]
        if above == circuit.name:
            root.findings.problem(circuit.line, f"{circuit.place}.parent", "the circuit is its own parent")


def _soc(section: Section) -> tuple[PollConfig, bool]:
    soc = section.section("soc")
    if soc is None:
        return PollConfig(), True
    poll = PollConfig()
    inner = soc.section("poll")
    if inner is not None:
        mode = inner.choice("mode", PollMode, default=PollMode.CHARGING)
        interval = inner.duration("interval", default=timedelta(0))
        poll = PollConfig(mode=mode, interval=interval or PollConfig().interval)
        if poll.interval < _MINIMUM_POLL:
            inner.warn("interval", "short intervals drain the vehicle's own battery and may block its account")
        inner.close()
    estimates = soc.boolean("estimate", default=True)
    goal = "without effect; the goal is set in the user interface or by the vehicle's onIdentify"
    soc.close(ignored=dict.fromkeys(("min", "target", "levels"), goal))
    return poll, estimates


def _rotation(section: Section) -> tuple[int, int, int]:
    words = section.texts("phaseRotation")
    if len(words) == 1:
        words = tuple(words[0].replace(",", " ").split())
    if not words:
        return 1, 2, 3
    order = [word.strip().casefold().removeprefix("l") for word in words]
    if sorted(order) != ["1", "2", "3"]:
        section.problem("phaseRotation", "expected the grid phases behind the charger's L1, L2, L3, such as L2 L3 L1")
        return 1, 2, 3
    return int(order[0]), int(order[1]), int(order[2])
