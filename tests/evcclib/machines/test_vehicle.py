"""Which vehicle is plugged in, and who owns it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcclib.commands import Read, VehicleRead
from evcclib.config import Actions, VehicleConfig
from evcclib.machines import detection
from evcclib.machines.detection import IDLE, Detection, DetectionState, Owners
from evcclib.model import ChargeMode, ChargerStatus
from evcclib.readings import ABSENT, Measured, Missing, VehicleReading
from evcclib.units import Instant

SECOND: Any = timedelta(seconds=1)
MINUTE: Any = timedelta(minutes=1)
TICK = timedelta(microseconds=1)
A, B, C = ChargerStatus.A, ChargerStatus.B, ChargerStatus.C


def car(name: str, *identifiers: str, has_status: bool = True) -> VehicleConfig:
    return VehicleConfig(name=name, identifiers=identifiers, has_status=has_status)


def says(status: ChargerStatus, at: Instant = MINUTE) -> VehicleReading:
    return VehicleReading(status=Measured(status, at))


@pytest.mark.rule("VEH-1", "VEH-2", "INV-13")
def test_vehicle_changes_hands() -> None:
    owners, loser = detection.assign((), 0, "zoe")
    assert (owners, loser) == ((("zoe", 0),), None)
    assert detection.assign(owners, 0, "zoe") == (owners, None)
    owners, loser = detection.assign(owners, 1, "zoe")
    assert loser == 0
    assert detection.owner_of(owners, "zoe") == 1
    assert detection.vehicle_at(owners, 0) is None
    owners, loser = detection.assign(owners, 1, "kangoo")
    assert (owners, loser) == ((("kangoo", 1),), None)
    assert detection.assign(owners, 1, None) == ((), None)
    assert detection.assign((), 1, None) == ((), None)


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["zoe", "kangoo", "mii", None])), max_size=20))
@pytest.mark.rule("INV-13", "VEH-2")
def test_a_vehicle_has_one_owner_and_an_owner_one_vehicle(moves: list[tuple[int, str | None]]) -> None:
    owners: Owners = ()
    for loadpoint, name in moves:
        before = None if name is None else detection.owner_of(owners, name)
        owners, loser = detection.assign(owners, loadpoint, name)
        assert loser == (before if before != loadpoint else None)
        assert detection.vehicle_at(owners, loadpoint) == name
        assert len({vehicle_name for vehicle_name, _ in owners}) == len(owners)
        assert len({owner for _, owner in owners}) == len(owners)


@pytest.mark.rule("VEH-8")
def test_failed_read_of_the_id_changes_nothing() -> None:
    assert detection.identity("11", Missing(since=MINUTE), oldest=MINUTE) == "11"
    assert detection.identity("11", ABSENT, oldest=MINUTE) == "11"
    assert detection.identity("11", Measured("12", MINUTE), oldest=2 * MINUTE) == "11"
    assert detection.identity("11", Measured("", MINUTE), oldest=MINUTE) == ""
    assert detection.identity("", Measured("12", MINUTE), oldest=MINUTE) == "12"


@pytest.mark.rule("VEH-9", "VEH-10", "VEH-11", "DEF-32")
@pytest.mark.parametrize(
    ("identifier", "found"),
    [
        ("11", "zoe"),
        ("1", "zoe"),
        ("2", "kangoo"),
        ("123", "zoe"),
        ("22", None),
        ("12", "mii"),  # an exact id goes before any pattern
        ("AbC-7", "mii"),
        ("x.y", "dot"),
        ("xay", None),
        ("", None),
        ("nobody", None),
        ("pre-MIDDLE-post", "star"),
        ("pre-MIDDLE-post2", None),
        ("pre-\nMIDDLE\n-post", "star"),
    ],
)
def test_vehicle_is_found_by_id_or_pattern(identifier: str, found: str | None) -> None:
    vehicles = [
        car("zoe", "1*"),
        car("kangoo", "2"),
        car("mii", "12", "abc-7", ""),
        car("dot", "x.y"),
        car("star", "pre*middle*post"),
        car("none"),
    ]
    assert detection.vehicle_by_identity(identifier, vehicles) == found


@pytest.mark.rule("VEH-10")
def test_vehicle_without_identifiers_is_never_found() -> None:
    assert detection.vehicle_by_identity("1", [car("zoe"), car("kangoo")]) is None


@pytest.mark.rule("VEH-10", "DEF-32")
def test_of_several_patterns_the_first_vehicle_wins() -> None:
    assert detection.vehicle_by_identity("77", [car("zoe", "7*"), car("kangoo", "77*")]) == "zoe"
    assert detection.vehicle_by_identity("77", [car("zoe", "*"), car("kangoo", "77")]) == "kangoo"


@pytest.mark.rule("VEH-14")
def test_candidates_tell_their_status_and_belong_to_nobody_else() -> None:
    vehicles = [car("zoe"), car("kangoo"), car("mii", has_status=False), car("leaf")]
    assert detection.candidates(vehicles, (("zoe", 1), ("leaf", 0)), 0) == ("kangoo", "leaf")


def detect(
    state: DetectionState, now: Instant, names: tuple[str, ...] = ("zoe", "kangoo"), **readings: VehicleReading
) -> Detection:
    return detection.detect(state, names, readings, now=now)


SEARCHING = detection.search(IDLE, MINUTE)


@pytest.mark.rule("VEH-12", "DEF-36")
def test_nothing_happens_while_no_search_is_on() -> None:
    assert detect(IDLE, MINUTE, zoe=says(B)) == Detection(state=IDLE)
    assert detection.stop_searching(IDLE) is IDLE
    assert detection.stop_searching(SEARCHING) == IDLE


@pytest.mark.rule("VEH-12", "VEH-13", "CUT-2")
def test_search_asks_all_candidates_past_the_cache_and_again_each_minute() -> None:
    reads = frozenset({Read("zoe", VehicleRead.STATUS, True), Read("kangoo", VehicleRead.STATUS, True)})
    found = detect(SEARCHING, MINUTE)
    assert found.reads == reads
    assert not detect(found.state, 2 * MINUTE - TICK).reads
    assert detect(found.state, 2 * MINUTE).reads == reads


@pytest.mark.rule("VEH-14")
def test_only_vehicle_that_is_plugged_in_is_found() -> None:
    found = detect(SEARCHING, MINUTE, zoe=says(B), kangoo=says(A))
    assert found == Detection(state=IDLE, vehicle="zoe")
    assert detect(SEARCHING, MINUTE, zoe=says(A), kangoo=says(C)).vehicle == "kangoo"


@pytest.mark.rule("VEH-14", "VEH-15")
@pytest.mark.parametrize(("zoe", "kangoo"), [(B, B), (B, C), (A, A), (ChargerStatus.E, ChargerStatus.F)])
def test_none_or_several_are_no_result(zoe: ChargerStatus, kangoo: ChargerStatus) -> None:
    found = detect(detect(SEARCHING, MINUTE).state, MINUTE + 31 * SECOND, zoe=says(zoe), kangoo=says(kangoo))
    assert found.vehicle is None
    assert not found.is_guest


@pytest.mark.rule("VEH-14")
def test_status_from_before_the_search_does_not_count() -> None:
    assert detect(SEARCHING, MINUTE, names=("zoe",), zoe=says(B, MINUTE - TICK)).vehicle is None
    assert detect(SEARCHING, MINUTE, names=("zoe",), zoe=says(B)).vehicle == "zoe"


@pytest.mark.rule("VEH-14")
def test_silent_vehicle_is_waited_for_but_not_for_ever() -> None:
    asked = detect(SEARCHING, MINUTE).state
    silent = VehicleReading(status=Missing(since=MINUTE))
    assert detect(asked, 90 * SECOND - TICK, zoe=says(B)).vehicle is None
    assert detect(asked, 90 * SECOND, zoe=says(B)).vehicle == "zoe"
    assert detect(asked, 90 * SECOND, zoe=says(B), kangoo=silent).vehicle == "zoe"


@pytest.mark.rule("VEH-13", "VEH-16")
def test_after_more_than_ten_minutes_it_is_a_guest() -> None:
    asked = detect(SEARCHING, 11 * MINUTE).state
    assert not detect(asked, 11 * MINUTE, zoe=says(B), kangoo=says(B)).is_guest
    found = detect(asked, 11 * MINUTE + TICK, zoe=says(B), kangoo=says(A))
    assert found.is_guest
    assert found.vehicle is None
    assert found.state.started_at is None
    assert detect(found.state, 12 * MINUTE, zoe=says(B), kangoo=says(A)) == Detection(state=found.state)


@pytest.mark.rule("VEH-12", "VEH-13")
def test_search_that_starts_again_and_again_asks_once_a_minute() -> None:
    state, reads = IDLE, 0
    for second in range(0, 600, 5):
        state = detection.search(detection.stop_searching(state), second * SECOND)
        found = detect(state, second * SECOND)
        state = found.state
        reads += bool(found.reads)
    assert reads == 10


@pytest.mark.rule("VEH-13")
def test_without_candidates_nobody_is_asked() -> None:
    assert detect(SEARCHING, MINUTE, names=()) == Detection(state=SEARCHING)


@pytest.mark.rule("ACT-5")
def test_second_set_of_actions_replaces_what_it_sets() -> None:
    first = Actions(mode=ChargeMode.PV, current_min_a=6, soc_target_pct=80)
    second = Actions(mode=ChargeMode.NOW, soc_min_pct=0, priority=2)
    assert detection.merged(first, second) == Actions(
        mode=ChargeMode.NOW, current_min_a=6, soc_target_pct=80, soc_min_pct=0, priority=2
    )
    assert first == Actions(mode=ChargeMode.PV, current_min_a=6, soc_target_pct=80)
    assert detection.merged(first, Actions()) == first


@pytest.mark.rule("ACT-1", "DEF-41")
@pytest.mark.parametrize(
    ("low", "high", "admitted"),
    [
        (6, 16, (6, 16)),
        (8, 10, (8, 10)),
        (5, 17, (None, None)),
        (17, 5, (None, None)),
        (12, 8, (None, None)),
        (10, 10, (10, 10)),
        (None, 8, (None, 8)),
        (8, None, (8, None)),
    ],
)
def test_actions_may_only_narrow_the_configured_currents(
    low: float | None, high: float | None, admitted: tuple[float | None, float | None]
) -> None:
    actions = detection.admitted(
        Actions(current_min_a=low, current_max_a=high, soc_min_pct=20), current_min_a=6, current_max_a=16
    )
    assert (actions.current_min_a, actions.current_max_a) == admitted
    assert actions.soc_min_pct == 20
