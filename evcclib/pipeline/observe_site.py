"""What the site's meters say: grid, pv, batteries, aux, with their ages [SITE-5..SITE-16, DEF-18, DEF-47, DEF-48].

A failed reading leaves the last one standing until it is too old; then the value is unknown, left out of the balance, and said
so. A total of which a part is unknown is unknown itself, and so is what follows from it: home power, green share. The SoC of
home batteries moves slowly: the last one stands however old it is, but a battery that has stopped answering has no part in it
while another one goes on [DEF-18].
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from math import isfinite

from evcclib.commands import BatteryMode
from evcclib.events import Warned, WarningCode
from evcclib.laws.law import Sun
from evcclib.machines.balance import NO_BATTERY, SitePower, home_power, site_power, sum_batteries, within_sun
from evcclib.machines.hold import first_after
from evcclib.machines.plausible import is_soc
from evcclib.pipeline.circuit_loads import drawable_a
from evcclib.pipeline.desk import SiteDesk
from evcclib.pipeline.samples import fresh, fresh_value
from evcclib.pipeline.state import Balance, SiteState
from evcclib.readings import ABSENT, Measured, Reading
from evcclib.units import ORIGIN, TICK, Instant

PV_SIGN_W = -500.0
"""An inverter that shows less than this is wired or configured the wrong way round [SITE-6]."""
_CODES = {"grid": WarningCode.GRID_STALE, "grid_lost": WarningCode.GRID_LOST}
Kept = tuple[Measured[float] | None, ...]


def look(site: SiteDesk) -> Sun:
    """Take in the site's meters; the site power, before priorities, for the law."""
    state, readings, layout = site.state, site.readings, site.layout
    oldest = site.oldest
    state.pv = _kept(state.pv, [meter.power_w for meter in readings.pv], layout.config.pv_count)
    if layout.battery_count:
        state.batteries = _kept(state.batteries, [each.power_w for each in readings.batteries], layout.battery_count)
        state.battery_socs = _kept_socs(
            state.battery_socs, [each.soc_pct for each in readings.batteries], layout.battery_count
        )
    if layout.config.aux_count:
        state.aux = _kept(state.aux, [meter.power_w for meter in readings.aux], layout.config.aux_count)
    pv, batteries, aux = _values(state.pv, oldest), _values(state.batteries, oldest), _values(state.aux, oldest)
    pv_w = _sum_positive(pv) if layout.config.pv_count else None
    charge_w = 0.0
    is_charge_known = True
    for lp in site.desks:
        if lp.facts.power_w is None:
            is_charge_known = False
        else:
            charge_w += lp.facts.power_w
    battery = NO_BATTERY
    if layout.battery_count:
        battery = sum_batteries(batteries, _socs(state.battery_socs, layout.age_max), layout.capacities_kwh)
    _keep_grid(site, pv_w, charge_w, is_charge_known=is_charge_known)
    grid = state.grid
    grid_w = fresh_value(grid, oldest)
    if not layout.config.pv_count and grid_w is not None and is_charge_known:
        pv_w = max(0.0, charge_w - grid_w + state.settings.residual_power_w)  # [SITE-9]
    balance = None
    can_bridge = _can_bridge(site, batteries)
    if grid_w is not None:
        balance = site_power(
            grid_w=grid_w,
            battery_w=battery.power_w,
            battery_soc_pct=battery.soc_pct,
            aux_w=sum([power for power in aux if power is not None]),
            residual_power_w=state.settings.residual_power_w,
            priority_soc_pct=state.settings.priority_soc_pct,
            buffer_soc_pct=state.settings.buffer_soc_pct if can_bridge else 0.0,
            buffer_start_soc_pct=state.settings.buffer_start_soc_pct if can_bridge else 0.0,
            grid_supply_max_w=layout.config.grid_supply_max_while_battery_charges_w,
        )
    battery_w = battery.power_w if layout.battery_count else 0.0
    if None in batteries:
        battery_w, battery = None, battery._replace(power_w=None)
        beyond_sun_w = _beyond_sun(site)
        if balance is not None and beyond_sun_w is not None:
            balance = within_sun(balance, beyond_sun_w + state.settings.residual_power_w)
    home_w = None
    if grid_w is not None and pv_w is not None and battery_w is not None and is_charge_known:
        home_w = home_power(grid_w=grid_w, pv_w=pv_w, battery_w=battery_w, charge_w=charge_w)
    site.balance = Balance(grid_w, pv_w, battery, _total(aux), home_w, None if balance is None else balance.power_w)
    since = state.started_at if grid is None else max(grid.sampled_at, state.started_at)
    lost_at = since + layout.lost_after
    is_all_well = is_charge_known and None not in (grid_w, *pv, *batteries, *aux)
    if state.stale or not is_all_well or any(map(_is_reversed, state.pv)):
        _warn(site, is_grid_known=grid_w is not None, is_lost=site.instant >= lost_at)
    return _sun(balance, since, lost_at, state.settings.residual_power_w)


def _beyond_sun(site: SiteDesk) -> float | None:
    """What the chargers may take beyond the sun that is certain [W] [SITE-15]; None: that is not to be asked yet.

    The last word of an inverter stands as long as that of the grid meter, then it is certain of no sun; likewise where no
    inverter has a meter, and what a battery has said last is all there is. A charger that is silent may take all that it offers.
    """
    state, is_new = site.state, site.state.started_at > site.oldest  # then what was not asked yet is not silent
    charge_w = sun_w = 0.0
    for lp in site.desks:
        power_w = lp.facts.power_w
        if power_w is None and is_new:
            return None
        charge_w += drawable_a(lp) * lp.facts.limited * lp.voltage_v if power_w is None else power_w
    if not state.pv and site.instant <= min(_counts_until(site, each) for each in state.batteries):
        return None
    for meter in state.pv:
        if is_new and fresh(meter, site.oldest) is None:
            return None
        if meter is not None and site.instant <= _counts_until(site, meter):
            sun_w += max(0.0, meter.value)
    return charge_w - sun_w


def _counts_until(site: SiteDesk, sample: Measured[float] | None) -> Instant:
    """How long the last word of a meter proves anything, None: it has said none; time without us does not count [DEF-47]."""
    started_at = site.state.started_at
    return site.layout.lost_after + (started_at if sample is None else max(sample.sampled_at, started_at))


def _can_bridge(site: SiteDesk, batteries: Sequence[float | None]) -> bool:
    """Whether batteries may keep charging alive: one that is held cannot, and nobody knows of those that are not heard of."""
    is_free = all(control.known is BatteryMode.NORMAL for control in site.state.battery_controls)
    return is_free and (None not in batteries or site.instant <= _bridges_until(site))


def _bridges_until(site: SiteDesk) -> Instant:
    """How long what batteries have said last is enough to rely on them [SITE-11]."""
    return max(_counts_until(site, each) for each in (*site.state.batteries, *site.state.battery_socs))


def next_change(site: SiteDesk, sun: Sun) -> Instant | None:
    """When the next sample becomes too old, of a meter or a charger, or the grid counts as lost."""
    state, age_max = site.state, site.layout.age_max
    times = [sun.lost_at]
    if state.started_at > site.oldest and not _is_all_seen(state):
        times.append(state.started_at + age_max)  # until then what was not seen yet is not silent
    samples: list[object] = [state.grid, *state.pv, *state.batteries, *state.aux]
    for reading in site.readings.chargers:
        samples += (reading.status, reading.power_w, reading.currents_a, reading.is_enabled, reading.phases)
    for meter in state.meters.values():
        samples += (meter.currents_a, meter.powers_w, meter.power_w, meter.voltages_v)
    taken = [each.sampled_at for each in samples if type(each) is Measured and each.sampled_at >= site.oldest]
    if taken:
        times.append(min(taken) + age_max + TICK)
    if None in _values(state.batteries, site.oldest):
        times += [_counts_until(site, each) + TICK for each in state.pv or state.batteries]
        times.append(_bridges_until(site) + TICK)
    return first_after(site.instant, *times)


def _is_all_seen(state: SiteState) -> bool:
    seen = (state.grid, *state.pv, *state.batteries, *state.aux, *[loadpoint.status for loadpoint in state.loadpoints])
    return None not in seen


def _sun(balance: SitePower | None, sampled_at: Instant, lost_at: Instant, residual_w: float) -> Sun:
    if balance is None:
        return Sun(None, sampled_at, lost_at, False, False, False)
    return Sun(
        balance.power_w,
        sampled_at,
        lost_at,
        balance.is_buffered,
        balance.is_buffer_start,
        balance.has_battery_priority,
        residual_w,
    )


def _keep_grid(site: SiteDesk, pv_w: float | None, charge_w: float, *, is_charge_known: bool) -> None:
    """The newest grid power; without a meter, what the chargers take beyond the sun [SITE-9]."""
    state = site.state
    if site.layout.config.has_grid:
        reading = site.readings.grid
        if reading is not None:
            state.grid = _newer(state.grid, reading.power_w)
    elif pv_w is not None and is_charge_known and all(each is not None for each in state.pv):
        sampled_at = min(each.sampled_at for each in state.pv if each is not None)
        if sampled_at >= site.oldest:
            state.grid = Measured(charge_w - pv_w, sampled_at)


def _kept(old: Kept, new: Sequence[Reading[float]], count: int) -> Kept:
    """The newest sample of each meter."""
    if len(new) == count:
        for each in new:
            if not isinstance(each, Measured) or not isfinite(each.value):
                break
        else:
            return tuple(new)  # type: ignore[arg-type]  # narrowed by the loop above
    if len(old) != count:
        old = (old + (None,) * count)[:count]
    return tuple([_newer(old[position], new[position] if position < len(new) else ABSENT) for position in range(count)])


def _newer(old: Measured[float] | None, new: Reading[float]) -> Measured[float] | None:
    """``new`` if it is a number, else ``old``; a driver that lets NaN through has failed to read [DEF-48]."""
    return new if isinstance(new, Measured) and isfinite(new.value) else old


def _kept_socs(old: Kept, new: Sequence[Reading[float]], count: int) -> Kept:
    """As `_kept`, for plausible SoCs only [DEF-43]."""
    believed = [reading if type(reading) is not Measured or is_soc(reading.value) else ABSENT for reading in new]
    return _kept(old, believed, count)


def _sum_positive(powers_w: Sequence[float | None]) -> float | None:
    """Sum of the powers, a negative one counts as nothing [SITE-6]; None unless each is known."""
    total = 0.0
    for power_w in powers_w:
        if power_w is None:
            return None
        total += max(0.0, power_w)
    return total


def _total(values: Sequence[float | None]) -> float | None:
    """Their sum; None unless each is known."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _values(meters: Kept, oldest: Instant) -> list[float | None]:
    """What each meter shows, None where it is too old."""
    return [fresh_value(meter, oldest) for meter in meters]


def _socs(batteries: Kept, age_max: timedelta) -> list[float | None]:
    """The SoC of each battery that was last read along with the newest one; None for the others [DEF-18]."""
    if len(batteries) == 1:
        return [None if each is None else each.value for each in batteries]
    newest = max([each.sampled_at for each in batteries if each is not None], default=ORIGIN)
    return _values(batteries, newest - age_max)


def _warn(site: SiteDesk, *, is_grid_known: bool, is_lost: bool) -> None:
    """Say when a meter goes silent and when it is back, once each."""
    state = site.state
    stale: list[str] = []
    if state.started_at <= site.oldest:  # before, a meter that was not asked yet is not silent
        stale += _silent(site, is_grid_known=is_grid_known)
    if not is_grid_known and is_lost:
        stale.append("grid_lost")
    for position, meter in enumerate(state.pv):
        if _is_reversed(meter):
            stale.append(f"pv_sign{position + 1}")
    now_stale = frozenset(stale)
    for name in sorted(now_stale - state.stale):
        code = _CODES.get(name) or (WarningCode.PV_SIGN if name.startswith("pv_sign") else WarningCode.METER_STALE)
        site.events.append(Warned(code, None, {"meter": name}))
    for name in sorted(state.stale - now_stale):
        site.events.append(Warned(WarningCode.RECOVERED, None, {"meter": name}))
    state.stale = now_stale


def _silent(site: SiteDesk, *, is_grid_known: bool) -> list[str]:
    """Names of the meters whose newest value is too old, or that never had one."""
    state, oldest = site.state, site.oldest
    names = [] if is_grid_known else ["grid"]
    for kind, meters in (("pv", state.pv), ("battery", state.batteries), ("aux", state.aux)):
        for position, meter in enumerate(meters):
            if fresh(meter, oldest) is None:
                names.append(f"{kind}{position + 1}")
    names += [f"charge{lp.index + 1}" for lp in site.desks if lp.facts.power_w is None]
    return names


def _is_reversed(meter: Measured[float] | None) -> bool:
    return meter is not None and meter.value < PV_SIGN_W
