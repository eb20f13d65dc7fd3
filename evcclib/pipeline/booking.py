"""What the energy was made of: green share, prices, sessions, savings, after each step [TAR-9, SES-3, SAV-2, DEF-40]."""

from __future__ import annotations

from evcclib.ledger import savings, session
from evcclib.ledger.green import green_shares
from evcclib.ledger.session import Mix
from evcclib.model import TariffKind
from evcclib.pipeline.assignment import store_session
from evcclib.pipeline.desk import LoadpointDesk, SiteDesk
from evcclib.pipeline.goals import planner_rates
from evcclib.pipeline.observe_loadpoint import meter_total_kwh
from evcclib.pipeline.state import Figures
from evcclib.tariff import co2_at, effective_co2, effective_price, price_at


def settle(site: SiteDesk) -> None:
    """Account for the time since the last step, and hold what is true from now on."""
    state, balance, utc = site.state, site.balance, site.utc
    charge_w = 0.0
    is_any_session = False
    for lp in site.desks:
        facts = lp.facts
        if facts.is_charging and facts.power_w is not None:
            charge_w += max(0.0, facts.power_w)
        if lp.state.session is not None:
            is_any_session = True
    tariffs = site.readings.tariffs
    price_grid = price_at(tariffs.get(TariffKind.GRID), utc) if tariffs else None
    price_feed_in = price_at(tariffs.get(TariffKind.FEED_IN), utc) if tariffs else None
    co2 = co2_at(tariffs.get(TariffKind.CO2) or planner_rates(site.readings), utc) if tariffs else None
    shares = None
    if balance.home_w is not None:
        shares = green_shares(
            pv_w=balance.pv_w or 0.0,  # home power is known, so they are; or there is no battery
            battery_w=balance.battery.power_w or 0.0,
            home_w=balance.home_w,
            charge_w=charge_w,
        )
    state.figures = Figures(
        balance,
        None if shares is None else shares.site,
        None if shares is None else shares.cars,
        price_grid,
        price_feed_in,
        co2,
    )
    cars = None if shares is None else shares.cars
    state.savings = savings.step(
        state.savings,
        now=site.now,
        charge_power_w=charge_w,
        green_share=cars,
        grid_price=price_grid,
        feed_in_price=price_feed_in,
    )
    if is_any_session:
        mix = Mix(
            green_share=cars,
            price_per_kwh=None
            if cars is None
            else effective_price(price_grid, price_feed_in, cars, has_feed_in=TariffKind.FEED_IN in tariffs),
            co2_g_per_kwh=None if cars is None else effective_co2(co2, cars),
        )
        for lp in site.desks:
            _charge(lp, mix)


def _charge(lp: LoadpointDesk, mix: Mix) -> None:
    state, is_charging = lp.state, lp.facts.is_charging
    open_session = state.session
    if open_session is None or open_session.created is None:
        return
    energy_kwh = state.ledger.session_kwh
    if not is_charging and energy_kwh <= open_session.energy_kwh:
        return
    meter_kwh = meter_total_kwh(lp)
    counted = session.charge(open_session, energy_kwh=energy_kwh, mix=mix, meter_kwh=meter_kwh)
    if is_charging:
        state.session = counted
    else:  # a counter that lags behind the status shows the last of it after the stop
        state.session = session.stop(counted, meter_kwh=meter_kwh, now=counted.finished or lp.utc)
        store_session(lp)
