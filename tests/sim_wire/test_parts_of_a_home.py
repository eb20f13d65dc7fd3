"""Every inverter, hybrid and battery in the parts that it can have in a home: the whole server sees what flows."""

import pytest

from evcc_server.profiles.profile import all_profiles
from evcc_sim.judge.invariants import check
from evcc_sim.judge.trace import Look, Trace
from evcc_sim.runs.fullstack import run_scenario
from evcc_sim.worlds import scenario
from evcc_sim.worlds.scenario import Scenario

PROFILES = {
    profile.id: frozenset(map(str, profile.usages))
    for profile in all_profiles()
    if profile.kind in ("inverter", "hybrid", "battery")
}


def home(profile: str, parts: frozenset[str]) -> Scenario:
    roof, grid = (profile if part in parts else default for part, default in ROOF_AND_GRID)
    battery = f"[[battery]]\nprofile = '{profile}'\nsoc_pct = 30.0\n" if "battery" in parts else ""
    return scenario.parse(
        f"""
hours = 1.1
household = {{ constant_w = 600.0 }}
pv = [{{ name = "roof", profile = "{roof}", constant_w = 9000.0 }}]
grid = {{ profile = "{grid}" }}
{battery}
[[charger]]
""",
        name=f"home-of-{profile}",
    )


ROOF_AND_GRID = (("pv", "sunspec-inverter"), ("grid", "eastron-sdm630"))


@pytest.mark.day
@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_what_flows_is_seen_with(profile: str) -> None:
    result = run_scenario(home(profile, PROFILES[profile]))
    assert result.violations == (), result.violations
    seen = {look.meter: look.shown_w for look in result.trace.looks}
    assert seen["pv"] == pytest.approx(9000.0, abs=30.0)
    flows = {look.meter: look.flows_w for look in result.trace.looks}
    for meter, shown_w in seen.items():
        assert shown_w == pytest.approx(flows[meter], abs=30.0), meter


@pytest.mark.parametrize("shown_w", [None, 0.0, 800.0])
def test_a_world_whose_sun_nobody_sees_is_found(shown_w: float | None) -> None:
    trace = Trace(home("sunspec-inverter", frozenset({"pv"})), seed=1)
    trace.looks = [Look(900.0, "pv", 9000.0, shown_w), Look(1800.0, "pv", 9000.0, shown_w)]
    last = run_scenario(trace.scenario.with_changes(hours=0.05)).trace.instants[-1]
    trace.instants = [last._replace(second=float(second)) for second in range(0, 1810, 10)]
    assert [violation.second for violation in check(trace, only=["what_flows_is_seen"])] == [1800.0]
    trace.looks[0] = Look(900.0, "pv", 9000.0, 9010.0)
    assert check(trace, only=["what_flows_is_seen"]) == ()
