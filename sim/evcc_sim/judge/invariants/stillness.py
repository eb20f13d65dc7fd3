"""A world in which nothing changes is left alone."""

from __future__ import annotations

from evcc_sim.judge.invariants.curtailment import is_hidden
from evcc_sim.judge.invariants.evidence import delays_s, is_tapering, swings_by_wish
from evcc_sim.judge.invariants.excuses import CALMING
from evcc_sim.judge.invariants.frame import Found, own_promise
from evcc_sim.judge.invariants.judged import Judged
from evcc_sim.plants.prices import TariffSpec
from evcclib.commands import Disable, Enable, SetCurrent, SwitchPhases
from evcclib.model import ChargeMode

SETTLE_S = 600.0


@own_promise
def still_worlds_stay_still(run: Judged) -> Found:
    """With constant sun and household, the same cars and the same wishes, commands end within ten minutes and the delays.

    What a car begins or ends to draw is an answer to commands, not a change of the world. Cars that taper, are full or fall
    asleep change by themselves, and whoever looks for sun that an inverter holds back must move now and then; with a slow meter
    or a battery whoever follows the sun never comes to rest (rows 4, 5), nor does with a noisy one whom it limits.
    """
    scenario = run.scenario
    if is_hidden(scenario) or any(car.sleep_after_s > 0 or car.phase_pause_min_s > 0 for car in scenario.car):
        return
    if scenario.tariff != TariffSpec() or any(action.setting == "target_time" for action in scenario.action):
        return  # prices and plans move by the clock
    guard_s = max((charger.loadpoint.guard_duration_s for charger in scenario.charger), default=0.0)
    longest_s = max((delays_s(each) for wish in run.trace.wishes for each in wish.loadpoints), default=0.0) + guard_s
    settle_s = SETTLE_S + longest_s + 2 * run.patience_s
    moves = [
        s
        for s in run.trace.sent
        if s.accepted and isinstance(s.command, (Enable, Disable, SetCurrent, SwitchPhases)) and s.second > settle_s
    ]
    notes, restful = {note.second for note in run.trace.notes}, _restful(run)
    since = 0.0
    before: object = None
    position = 0
    for instant, wish in run.moments:
        world = (
            instant.household_w,
            round(instant.pv_available_w),
            tuple([(each.car, each.mode) for each in instant.loadpoints]),
            run.operator.limit_w(instant.second),
            wish.second,
        )
        changes = (
            world != before
            or instant.second in notes
            or any(is_tapering(run, each.soc_pct, each.car) for each in instant.loadpoints)
            or any(run.meant.is_at_an_edge(index, instant, wish) for index, _charger in run.loadpoints)
            or any(swings_by_wish(run, index, each) for index, each in enumerate(wish.loadpoints))
            or CALMING.excuses(run.faults, instant.second)
            or not restful.issuperset(each.mode for each in instant.loadpoints)
        )
        if changes:
            before, since = world, instant.second
        while position < len(moves) and moves[position].second <= instant.second:
            move = moves[position]
            position += 1
            if move.second - since > settle_s:
                quiet = (move.second - since) / 60
                message = (
                    f"loadpoint {move.loadpoint + 1}: {move.command} after {quiet:.0f} min in which nothing changed"
                )
                yield move.second, message


def _restful(run: Judged) -> frozenset[ChargeMode]:
    """In which modes control can come to rest with what the grid meter shows."""
    meter = run.scenario.grid.meter
    if not (meter.lag_s or meter.refresh_s or meter.noise_w or meter.resolution_w or run.scenario.battery):
        return frozenset(ChargeMode)
    if meter.noise_w and any(ceiling.sees_house for ceiling in run.rooms.circuits):
        return frozenset({ChargeMode.OFF})
    return frozenset({ChargeMode.NOW, ChargeMode.OFF})
