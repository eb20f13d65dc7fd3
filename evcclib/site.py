"""The step: readings in, decision out; and `Site`, which holds the state for people who like objects.

    outcomes -> observe loadpoints -> site power -> [ demand -> law -> safety -> quantise -> guard ] -> commands
                                                     for each loadpoint in order, on ticks and requests;
                                                     on any other cause the limits alone act

Errors: `InvalidConfig` for a configuration that cannot be run, `InvalidSetting` and `UnknownTarget` for a request that cannot be
fulfilled (nothing has changed then), `IncompatibleState` for a state that cannot be restored.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from evcclib.allowed import instance
from evcclib.config import SiteConfig
from evcclib.deciding.batteries import command_batteries
from evcclib.deciding.decide import decide
from evcclib.deciding.enforce import enforce
from evcclib.deciding.power_plans import power_preview
from evcclib.decision import Decision, PlanPreview
from evcclib.errors import InvalidSetting, UnknownTarget, shown
from evcclib.events import Event, SettingChanged
from evcclib.lasting import Lasting, lasting
from evcclib.laws.by_name import by_name
from evcclib.laws.law import Law
from evcclib.ledger.savings import SavingsState
from evcclib.machines.charger import ChargerState, forget_current
from evcclib.model import Cause, Now, TariffKind
from evcclib.pipeline import booking, changes, snapshot, viewing, witness
from evcclib.pipeline.admission import admit, admit_config, admit_now, admit_state
from evcclib.pipeline.assignment import assign
from evcclib.pipeline.check_config import check
from evcclib.pipeline.circuit_loads import see_voltage, take_in
from evcclib.pipeline.desk import SiteDesk, begin
from evcclib.pipeline.goals import due_of
from evcclib.pipeline.lookup import LoadpointLayout, SiteLayout
from evcclib.pipeline.observe_loadpoint import give_up_waiting, observe, take_outcome
from evcclib.pipeline.observe_site import look
from evcclib.pipeline.state import LoadpointState, SiteState
from evcclib.pipeline.wake_at import next_wake
from evcclib.planning.dues import Due
from evcclib.planning.joint.programme import Solver
from evcclib.readings import Readings
from evcclib.requests import Request
from evcclib.settings import SPECS, LoadpointSettings, SiteSettings, values_of
from evcclib.tariff import Rates
from evcclib.view import SiteView


def initial(config: SiteConfig, *, now: Now, law: Law | None = None) -> SiteState:
    """The state of a site that has never run; ``law`` as for `step`. Raises `InvalidConfig`."""
    check(config)
    admit_now(now)
    layout = SiteLayout(config, law or by_name(config.law))
    state = SiteState(
        settings=SiteSettings(**values_of(config)),
        vehicle_settings={},
        loadpoints=tuple(_initial_loadpoint(each) for each in layout.loadpoints),
        savings=SavingsState(since=now.utc),
        started_at=now.instant,
        layout=layout,
    )
    site = begin(layout, state, Readings(), now)
    for lp in site.desks:
        name = lp.layout.config.vehicle
        if name is not None:
            assign(site, lp, name)  # [LP-2]
    return site.state


def step(
    config: SiteConfig,
    state: SiteState,
    readings: Readings,
    *,
    now: Now,
    cause: Cause,
    law: Law | None = None,
    solver: Solver | None = None,
) -> tuple[SiteState, Decision]:
    """Decide. ``state`` is left as it is; the new one goes with the decision. ``law`` None: the one that ``config`` names.
    ``solver`` None: plans of power are made without one.

    ``readings.outcomes`` must hold every outcome since the last step. On the law's causes (START, INTERVAL, REQUEST and WAKE,
    unless it says otherwise) it decides; on every other one measurements and status are taken in, and a limit that is exceeded is
    enforced at once; unless a vehicle that was found brings a mode or goals, which is a request [SITE-4].
    """
    layout = layout_of(config, state, law)
    admit(layout, state, readings, now, cause)
    before = state
    site = begin(layout, before, readings, now)
    site.solver = solver
    state = site.state
    decides = cause in layout.law.causes and not (cause is Cause.WAKE and state.tick_at == site.instant)
    if cause is Cause.START or cause is Cause.INTERVAL or state.tick_at is None:
        state.tick_at = site.instant
    for outcome in readings.outcomes:
        take_outcome(site.desks[outcome.loadpoint], outcome)
    give_up_waiting(site)
    for lp in site.desks:
        observe(site, lp)
    sun = look(site)
    witness.take_in(site)
    if layout.config.circuits or readings.operator_limit is not None:
        see_voltage(site)
    if layout.config.circuits:
        take_in(site)
    if not decides and site.events:
        decides = _is_requested(site)
    seen = None
    if decides:
        seen = decide(site, sun)
        if sun.power_w is not None:
            # a value that is only kept is no reading: what counts is when the meter was last read [SITE-18]
            read_at = min(sun.sampled_at, site.instant) if layout.config.has_grid else site.instant
            state.last_success, state.last_success_at = site.utc - (site.instant - read_at), read_at
    else:
        enforce(site, retries=cause is not Cause.OUTCOME)
    command_batteries(site, seen)
    booking.settle(site)
    wakes = next_wake(site, before, sun, seen)
    state.readings = readings
    reasons = tuple([loadpoint.reason for loadpoint in state.loadpoints])
    decision = Decision(
        site.batches, tuple(site.events), reasons, frozenset(site.reads), *wakes, battery_commands=site.battery_commands
    )
    return state, decision


def _is_requested(site: SiteDesk) -> bool:
    """Whether the step itself has changed a setting that asks for a decision, as a vehicle that was found may do [SITE-4]."""
    return any(type(each) is SettingChanged and SPECS[each.scope, each.name].wakes_loop for each in site.events)


def apply(
    config: SiteConfig, state: SiteState, *requests: Request, now: Now, law: Law | None = None
) -> tuple[SiteState, tuple[Event, ...]]:
    """Fulfil a client's requests, all or none; ``law`` as for `step`.

    Raises `InvalidSetting` or `UnknownTarget`; then nothing has changed.
    """
    admit_now(now)
    site = begin(layout_of(config, state, law), state, state.readings, now)
    for request in requests:
        changes.fulfil(site, request)
    return site.state, tuple(site.events)


def layout_of(config: SiteConfig, state: SiteState, law: Law | None = None) -> SiteLayout:
    """What was looked up of ``config``, if it and the law are the same as in the step before; another one is checked.

    Raises `InvalidConfig`, or `IncompatibleState` for a state that does not fit.
    """
    admit_state(state)
    layout = state.layout
    if layout is None or layout.config is not config:
        admit_config(config, state)
        layout = state.layout = SiteLayout(config, law or by_name(config.law))
        state.readings = Readings()  # those of another site tell nothing
    law = law or by_name(config.law)
    if layout.law is not law:
        layout = state.layout = SiteLayout(config, law)
    return layout


def _initial_loadpoint(loadpoint: LoadpointLayout) -> LoadpointState:
    config = loadpoint.config
    phases_configured = config.phases if loadpoint.is_switchable else config.phases or 3
    settings = LoadpointSettings(phases_configured=phases_configured, **values_of(config))
    phases = 0 if loadpoint.is_switchable else settings.phases_configured
    return LoadpointState(settings=settings, charger=ChargerState(phases=phases))  # [LP-1]


class Prepared(NamedTuple):
    """Requests that have been checked and could be fulfilled: what would happen, while nothing has. See `Site.prepare`."""

    before: SiteState
    after: SiteState
    events: tuple[Event, ...]

    @property
    def lasting(self) -> Lasting:
        """What would have to outlive a restart."""
        return lasting(self.after)

    def export(self, *, now: Now) -> dict[str, object]:
        """The state that there would be, as `Site.export` gives it."""
        return snapshot.exported(self.after, now=now)


_PREPARED = instance(Prepared, "what Site.prepare returns")


class Site:
    """A site with its state, that after the last step or request. Not to be shared between threads.

    Whoever must write a request down before anybody sees it takes two steps::

        prepared = site.prepare(request, now=now)       # checked; nothing has changed
        while prepared.lasting != on_disk:
            on_disk = write(prepared.lasting)           # the site may go on stepping meanwhile:
            prepared = site.prepare(request, now=now)   # what was checked may come out otherwise, or not fit any more
        site.take(prepared)
    """

    def __init__(self, config: SiteConfig, *, now: Now, law: Law | None = None, solver: Solver | None = None) -> None:
        """``law`` decides in place of the one that ``config`` names; ``solver`` is asked in steps, which last as long.
        Raises `InvalidConfig`."""
        self.config = config
        self.law = law
        self.solver = solver
        self.state = initial(config, now=now, law=law)

    @classmethod
    def restore(
        cls,
        config: SiteConfig,
        exported: dict[str, object],
        *,
        now: Now,
        law: Law | None = None,
        solver: Solver | None = None,
    ) -> Site:
        """A site that goes on where `export` left off, on another clock; another law than its begins afresh.

        Raises `IncompatibleState`, `InvalidConfig`.
        """
        site = cls(config, now=now, law=law, solver=solver)
        site.state = snapshot.restored(exported, site.state, now=now)
        return site

    def step(self, readings: Readings, *, now: Now, cause: Cause) -> Decision:
        """Decide; see `step`."""
        self.state, decision = step(
            self.config, self.state, readings, now=now, cause=cause, law=self.law, solver=self.solver
        )
        return decision

    def submit(self, *requests: Request, now: Now) -> tuple[Event, ...]:
        """Fulfil requests, all or none. Raises `InvalidSetting` or `UnknownTarget`; then nothing has changed."""
        prepared = self.prepare(*requests, now=now)
        self.take(prepared)
        return prepared.events

    def prepare(self, *requests: Request, now: Now) -> Prepared:
        """What `submit` would do now; nothing changes. Raises `InvalidSetting` or `UnknownTarget`."""
        before = self.state
        return Prepared(before, *apply(self.config, before, *requests, now=now, law=self.law))

    def take(self, prepared: Prepared) -> None:
        """Let happen what was prepared. Raises ValueError if the site has gone on since, `InvalidSetting` if it is nothing
        prepared."""
        _PREPARED.check("prepared", prepared, InvalidSetting)
        if self.state is not prepared.before:
            raise ValueError("the site has gone on since this was prepared; prepare it again")
        self.state = prepared.after

    @property
    def lasting(self) -> Lasting:
        """What must outlive a restart before anybody may see it."""
        return lasting(self.state)

    def view(self, *, now: Now) -> SiteView:
        """The site as it is at ``now``."""
        return viewing.site_view(self._desk(now))

    def plan(
        self,
        loadpoint: int,
        *,
        now: Now,
        target_time: datetime | None = None,
        soc_pct: int | None = None,
        energy_kwh: float | None = None,
    ) -> PlanPreview:
        """The plan for what is due, or for ``target_time`` and a goal in place of the loadpoint's own [PLAN-17]; nothing changes.

        Raises `UnknownTarget` or `InvalidSetting`.
        """
        admit_now(now)
        changes.known_loadpoint(loadpoint, len(self.state.loadpoints))
        site = self._desk(now)
        lp = site.desks[loadpoint]
        if target_time is None:
            due = due_of(lp)
        else:
            due = Due(target_time, soc_pct=soc_pct, energy_kwh=energy_kwh)
            changes.check_due(lp, due)
        return power_preview(site, lp, due) if site.layout.plans_power else viewing.plan_preview(lp, due)

    def rates(self, kind: TariffKind) -> Rates | None:
        """The price list last seen, the planner's falling back to the grid's [TAR-10]. Raises `UnknownTarget`."""
        if not isinstance(kind, TariffKind):
            raise UnknownTarget(f"no tariff {shown(kind)}")
        tariffs = self.state.readings.tariffs
        return tariffs.get(kind) or (tariffs.get(TariffKind.GRID) if kind is TariffKind.PLANNER else None)

    def export(self, *, now: Now) -> dict[str, object]:
        """Everything that must survive a restart, as plain data fit for JSON."""
        admit_now(now)
        return snapshot.exported(self.state, now=now)

    def forget_offers(self) -> None:
        """Tell every station again what it is to offer: nobody has looked after them meanwhile, and they may offer anything."""
        self.state = state = self.state.copy()
        for loadpoint in state.loadpoints:
            loadpoint.charger = forget_current(loadpoint.charger)

    def doubt_batteries(self) -> None:
        """Bring every battery that can be told what to do to normal first of all: nobody knows what it was told before."""
        self.state = state = self.state.copy()
        state.battery_controls = tuple([control._replace(known=None) for control in state.battery_controls])

    def _desk(self, now: Now) -> SiteDesk:
        admit_now(now)
        return begin(layout_of(self.config, self.state, self.law), self.state, self.state.readings, now)
