"""Nothing is told before it is true: neither a request that is being written, nor what the control has changed by itself.

The database is a real one that somebody else holds; every channel is looked at.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio
from trio_test import in_virtual_time
from watched_home import Patient, Watched, held, stored, watched

from evcc_server.devices.contract import ChargerValues
from evcc_server.errors import StoreError
from evcc_server.keeping import persistence
from evcc_server.keeping import store as store_module
from evcc_server.keeping.persistence import Persistence
from evcc_server.loop.control import ControlLoop
from evcc_server.state.document import document
from evcc_sim.runs.await_points import Killer, Steps, Survey
from evcc_sim.runs.clients import MQTT, REST, SOCKET, Seen
from evcc_sim.runs.virtual_time import run_virtually
from evcclib import Site
from evcclib.errors import InvalidSetting
from evcclib.model import ChargeMode, ChargerStatus, RemoteDemand
from evcclib.requests import AssignVehicle, ChangeLoadpointSetting, ChangeSiteSetting, DemandRemotely, Request

pytestmark = pytest.mark.usefixtures("without_waiting_in_real_time")


@pytest.fixture
def without_waiting_in_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite says at once that somebody else writes; `Patient` waits for it."""
    monkeypatch.setattr(store_module, "BUSY_S", 0.0)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "evcc.db"


# -- requests -----------------------------------------------------------------------------------------------------------------


@pytest.mark.api("R-1", "P-2")
@in_virtual_time
async def test_a_request_that_cannot_be_written_leaves_no_trace_and_no_power_flows(database: Path) -> None:
    async with watched(database) as home:
        assert await home.shows("mode") == {"pv"}
        with held(database):
            for _ in range(3):  # asked again it is written again, not answered with what is not so
                began_s = trio.current_time()
                assert await home.ask("loadpoints/1/mode/now") == 503
                assert trio.current_time() - began_s >= 5
                assert await home.shows("mode") == {"pv"}
            await home.command("loadpoints/1/mode/set", "now")
            assert await home.shows("mode") == {"pv"}
        await trio.sleep(60)
        assert await home.shows("mode") == {"pv"}
        assert (home.house.is_enabled, stored(database)) == (False, {})

        assert await home.ask("loadpoints/1/mode/now") == 200
        assert await home.shows("mode") == {"now"}
        assert stored(database) == {"loadpoint.1.mode": "now"}
        await trio.sleep(30)
        assert home.house.charge_w == 16 * 230


@in_virtual_time
async def test_while_a_request_is_being_written_the_control_goes_on_with_the_settings_there_are(database: Path) -> None:
    async with watched(database) as home, trio.open_nursery() as nursery:
        assert await home.ask("loadpoints/1/mode/now") == 200
        await trio.sleep(20)
        steps = home.server.loop.steps
        with held(database) as release:
            nursery.start_soon(home.ask, "loadpoints/1/maxcurrent/10")
            home.house.is_plugged_in = False
            await trio.sleep(1)
            home.server.loop.take_operator_limit("relay", None, home.server.clock.instant())  # an occasion to decide
            await trio.sleep(1)
            assert home.server.loop.steps > steps
            assert await home.shows("maxCurrent") == {"16"}
            assert home.house.amps == 16
            home.house.is_plugged_in = True
            release()
            await trio.sleep(1)
        assert await home.shows("maxCurrent") == {"10"}
        assert home.house.amps == 10


@pytest.mark.api("R-1")
@in_virtual_time
async def test_requests_are_taken_in_the_order_of_their_arrival_each_for_what_those_before_it_have_left(
    database: Path,
) -> None:
    async with watched(database) as home:
        answers: list[tuple[str, int]] = []

        async def ask(path: str) -> None:
            answers.append((path, await home.ask(f"loadpoints/1/{path}")))

        async with trio.open_nursery() as nursery:
            with held(database) as release:
                for path in ("maxcurrent/25", "mincurrent/20", "maxcurrent/18", "mode/off"):
                    nursery.start_soon(ask, path)
                    await trio.sleep(0.1)
                await trio.sleep(1)
                assert answers == []
                assert (await home.shows("maxCurrent"), await home.shows("minCurrent")) == ({"16"}, {"6"})
                release()
                await trio.sleep(1)
        assert answers == [("maxcurrent/25", 200), ("mincurrent/20", 200), ("maxcurrent/18", 400), ("mode/off", 200)]
        assert stored(database) == {
            "loadpoint.1.current_max_a": "25.0",
            "loadpoint.1.current_min_a": "20.0",
            "loadpoint.1.mode": "off",
        }


@in_virtual_time
async def test_twenty_requests_at_once_that_cannot_be_written_leave_what_was(database: Path) -> None:
    async with watched(database) as home:
        assert await home.ask("loadpoints/1/minsoc/70") == 200
        statuses: list[int] = []

        async def ask(soc_pct: int) -> None:
            statuses.append(await home.ask(f"loadpoints/1/minsoc/{soc_pct}"))

        began_s = trio.current_time()
        with held(database):
            async with trio.open_nursery() as nursery:
                for soc_pct in range(71, 91):
                    nursery.start_soon(ask, soc_pct)
        assert statuses == [503] * 20
        assert trio.current_time() - began_s < persistence.TURN_MAX_S + 2 * 5 + 1
        assert await home.shows("minSoc") == {"70"}
        await trio.sleep(60)
        assert await home.shows("minSoc") == {"70"}
        assert stored(database)["loadpoint.1.soc_min_pct"] == "70"


@in_virtual_time
async def test_a_request_whose_client_has_gone_is_done_wholly_or_not_at_all(database: Path) -> None:
    async with watched(database) as home:
        with held(database) as release:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(home.ask, "loadpoints/1/maxcurrent/20")  # is being written when its client goes
                await trio.sleep(0.1)
                nursery.start_soon(home.ask, "loadpoints/1/mincurrent/8")  # waits for its turn
                await trio.sleep(0.1)
                nursery.cancel_scope.cancel()
                nursery.start_soon(release_soon, release)
        await trio.sleep(1)
        assert await home.shows("minCurrent") == {"6"}
        shown = await home.shows("maxCurrent")
        assert shown == {f"{float(stored(database).get('loadpoint.1.current_max_a', 16)):g}"}


async def release_soon(release: object) -> None:
    """After the present turn."""
    with trio.CancelScope(shield=True):
        await trio.sleep(0.5)
    assert callable(release)
    release()


@pytest.mark.parametrize("order", [0, 1])
@in_virtual_time
async def test_what_a_request_was_checked_against_may_change_while_it_is_written_then_it_is_checked_again(
    database: Path, order: int
) -> None:
    """20 A at least were fine up to 32 A; the car leaves meanwhile, which puts the currents of the file back."""
    async with watched(database) as home, trio.open_nursery() as nursery:
        assert await home.ask("loadpoints/1/maxcurrent/32") == 200
        await trio.sleep(1)  # until what this has changed is written, so that the next request writes at once
        statuses: list[int] = []

        async def ask() -> None:
            statuses.append(await home.ask("loadpoints/1/mincurrent/20"))

        with held(database) as release:
            nursery.start_soon(ask)
            await trio.sleep(0.1)
            home.unplug()
            await trio.sleep(1)
            assert home.server.site.state.loadpoints[0].settings.current_max_a == 16
            assert await home.shows("maxCurrent") == {"32"}  # what is on the disk
            release()
            await trio.sleep(1)
        assert statuses == [400]
        assert (await home.shows("maxCurrent"), await home.shows("minCurrent")) == ({"16"}, {"6"})
        assert stored(database) == {"loadpoint.1.current_max_a": "16.0", "loadpoint.1.current_min_a": "6.0"}


@in_virtual_time
async def test_a_request_that_still_fits_is_fulfilled_for_what_the_site_has_become(database: Path) -> None:
    async with watched(database) as home, trio.open_nursery() as nursery:
        assert await home.ask("loadpoints/1/maxcurrent/32") == 200
        with held(database) as release:
            nursery.start_soon(home.ask, "loadpoints/1/mincurrent/10")
            await trio.sleep(0.1)
            home.unplug()
            await trio.sleep(1)
            release()
            await trio.sleep(1)
        assert (await home.shows("maxCurrent"), await home.shows("minCurrent")) == ({"16"}, {"10"})
        assert stored(database) == {"loadpoint.1.current_max_a": "16.0", "loadpoint.1.current_min_a": "10.0"}


@in_virtual_time
async def test_several_changes_of_one_request_are_all_made_or_none(database: Path) -> None:
    async with watched(database) as home:
        loop = home.server.loop
        with pytest.raises(InvalidSetting):
            await loop.submit(
                ChangeSiteSetting("residual_power_w", 50.0), ChangeLoadpointSetting(0, "current_min_a", 17.0)
            )
        assert loop.view().settings.residual_power_w == 0
        time = datetime(2023, 6, 2, 5, tzinfo=UTC)
        with held(database):
            assert await home.ask(f"loadpoints/1/plan/energy/10/{time:%Y-%m-%dT%H:%M:%SZ}") == 503
            assert await home.ask("smartcostlimit/0.2") == 503
        await trio.sleep(20)
        settings = loop.view().loadpoints[0].settings
        assert (settings.target_time, settings.energy_target_kwh, settings.smart_cost_limit) == (None, 0, None)
        assert stored(database) == {}
        assert await home.ask(f"loadpoints/1/plan/energy/10/{time:%Y-%m-%dT%H:%M:%SZ}") == 200
        settings = loop.view().loadpoints[0].settings
        assert (settings.target_time, settings.energy_target_kwh) == (time, 10)


@in_virtual_time
async def test_a_remote_demand_is_not_stored_and_waits_for_no_disk(database: Path) -> None:
    async with watched(database) as home, trio.open_nursery() as nursery:
        with held(database):
            nursery.start_soon(home.ask, "loadpoints/1/mode/now")
            await trio.sleep(0.1)
            with trio.fail_after(0.1):
                await home.server.loop.submit(DemandRemotely(0, RemoteDemand.HARD, "hems"))
            assert await home.shows("remoteDisabled") == {"hard"}
            assert await home.shows("mode") == {"pv"}
        await trio.sleep(1)
        assert await home.shows("mode") == {"now"}
        assert await home.shows("remoteDisabled") == {"hard"}


@in_virtual_time
async def test_whose_turn_does_not_come_is_told_so_and_has_changed_nothing(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistence, "TURN_MAX_S", 2.0)
    async with watched(database) as home, trio.open_nursery() as nursery:
        with held(database):
            nursery.start_soon(home.ask, "loadpoints/1/mode/now")
            await trio.sleep(0.1)
            with pytest.raises(StoreError, match="still waiting for the database"):
                await home.server.loop.submit(ChangeLoadpointSetting(0, "mode", ChargeMode.OFF))
        await trio.sleep(1)
        assert await home.shows("mode") == {"now"}


# -- what the control changes by itself ---------------------------------------------------------------------------------------


@pytest.mark.api("P-5")
@in_virtual_time
async def test_what_a_car_brings_acts_at_once_and_is_shown_when_it_is_on_the_disk(database: Path) -> None:
    async with watched(database) as home:
        assert (await home.shows("mode"), await home.shows("vehicleName")) == ({"pv"}, {""})
        with held(database) as release:
            home.house.card = "card-1"
            await trio.sleep(30)
            assert home.server.site.state.loadpoints[0].settings.mode is ChargeMode.NOW
            assert home.house.charge_w == 16 * 230  # nobody waits for a disk to charge
            assert (await home.shows("mode"), await home.shows("vehicleName")) == ({"pv"}, {""})
            assert await home.shows("chargePower") == {"3680"}  # what is measured is shown
            release()
            await trio.sleep(6)
            assert (await home.shows("mode"), await home.shows("vehicleName")) == ({"now"}, {"golf"})
            assert stored(database)["loadpoint.1.mode"] == "now"


@in_virtual_time
async def test_a_request_for_what_is_so_but_not_on_the_disk_is_no_repetition(database: Path) -> None:
    """The car has brought mode now; whoever asks for it is told only when it has been written."""
    async with watched(database) as home:
        with held(database):
            home.house.card = "card-1"
            await trio.sleep(12)
            assert home.server.site.state.loadpoints[0].settings.mode is ChargeMode.NOW
            assert await home.ask("loadpoints/1/mode/now") == 503
        assert await home.ask("loadpoints/1/mode/now") == 200
        assert stored(database)["loadpoint.1.mode"] == "now"


@in_virtual_time
async def test_back_to_what_is_on_the_disk_while_something_else_is_being_written(database: Path) -> None:
    """The control's mode now is under way to the disk when a client asks for pv, which lies there still."""
    async with watched(database) as home:
        statuses: list[int] = []

        async def ask() -> None:
            statuses.append(await home.ask("loadpoints/1/mode/pv"))

        async with trio.open_nursery() as nursery:
            with held(database) as release:
                home.house.card = "card-1"
                await trio.sleep(7)  # two seconds after the step that has seen it
                assert home.server.site.state.loadpoints[0].settings.mode is ChargeMode.NOW
                nursery.start_soon(ask)
                await trio.sleep(0.2)
                assert statuses == []
                release()
        assert statuses == [200]
        assert await home.shows("mode") == {"pv"}
        assert stored(database)["loadpoint.1.mode"] == "pv"


@in_virtual_time
async def test_without_persistence_settings_are_shown_at_once_and_never_written(database: Path) -> None:
    async with watched(database, extra="persist: false\n") as home:
        with held(database):
            assert await home.ask("loadpoints/1/mode/off") == 200
            assert await home.shows("mode") == {"off"}
        await trio.sleep(20)
        assert stored(database) == {}


# -- vehicles and sessions ----------------------------------------------------------------------------------------------------


@pytest.mark.api("P-2")
@in_virtual_time
async def test_a_vehicle_is_on_the_disk_when_its_answer_comes(database: Path) -> None:
    door = Patient()
    with trio.CancelScope() as killed:
        async with watched(database, door=door) as home:
            assert await home.ask("loadpoints/1/vehicle/zoe") == 200
            assert await home.shows("vehicleName") == {"zoe"}
            door.shut()
            killed.cancel()
            await trio.sleep_forever()
    async with watched(database) as home:
        assert await home.shows("vehicleName") == {"zoe"}


@in_virtual_time
async def test_a_vehicle_that_cannot_be_written_is_not_there(database: Path) -> None:
    async with watched(database) as home:
        with held(database):
            assert await home.ask("loadpoints/1/vehicle/zoe") == 503
            assert await home.shows("vehicleName") == {""}
        with pytest.raises(InvalidSetting):
            await home.server.loop.submit(AssignVehicle(0, "zoe"), ChangeLoadpointSetting(0, "current_min_a", 17.0))
        await trio.sleep(20)
        assert await home.shows("vehicleName") == {""}


@in_virtual_time
async def test_the_vehicle_of_a_session_is_the_new_one_when_the_answer_comes(database: Path) -> None:
    async with watched(database) as home:
        assert await home.ask("loadpoints/1/mode/now") == 200
        await trio.sleep(120)
        assert await home.ask("loadpoints/1/vehicle/zoe") == 200
        sessions = await home.client.ask("GET", "/api/sessions")
        assert isinstance(sessions, list)
        assert [session["vehicle"] for session in sessions if isinstance(session, dict)] == ["White Zoe"]


@pytest.mark.api("P-6")
@in_virtual_time
async def test_a_session_corrected_by_hand_stays_so_while_it_goes_on(database: Path) -> None:
    async with watched(database) as home:
        for mode in ("now", "off", "now"):
            assert await home.ask(f"loadpoints/1/mode/{mode}") == 200
            await trio.sleep(400)
        (stored_session,) = await home.server.store.sessions(zone=UTC)
        assert await home.server.store.update_session(stored_session.session_id, {"vehicle": "Grandma's"})
        assert await home.ask("loadpoints/1/vehicle/zoe") == 200
        home.unplug()
        await trio.sleep(30)
        (after,) = await home.server.store.sessions(zone=UTC)
        assert after.session.vehicle == "Grandma's"
        assert after.session.energy_charged_kwh > stored_session.session.energy_charged_kwh


@pytest.mark.api("P-6")
@in_virtual_time
async def test_a_session_deleted_while_it_goes_on_does_not_come_back(database: Path) -> None:
    async with watched(database) as home:
        for mode in ("now", "off", "now"):
            assert await home.ask(f"loadpoints/1/mode/{mode}") == 200
            await trio.sleep(400)
        (stored_session,) = await home.server.store.sessions(zone=UTC)
        assert await home.server.store.delete_session(stored_session.session_id)
        home.unplug()
        await trio.sleep(30)
        assert await home.server.store.sessions(zone=UTC) == []
        home.house.is_plugged_in = True
        await trio.sleep(20)
        assert await home.ask("loadpoints/1/mode/now") == 200
        await trio.sleep(400)
        home.unplug()
        await trio.sleep(30)
        (another,) = await home.server.store.sessions(zone=UTC)
        assert another.session.key != stored_session.session.key


# -- killed at every step -----------------------------------------------------------------------------------------------------

LIMIT = ((REST, "operatorLimit"), (SOCKET, "operatorLimit"), (MQTT, "evcc/site/operatorLimit"))
LASTS_S = 0.3
"""So long after its answer a request has no more consequences but those of the next step."""


@dataclass
class Story:
    """A life in which something is asked, killed before one of trio's steps from then on; and what the next one has lost."""

    database: Path
    happens: Callable[[Watched], Awaitable[object]]
    request: Request | None
    seen: Seen = field(default_factory=Seen)

    async def live(self, steps: Steps) -> None:
        door = Patient()
        with trio.CancelScope() as life:
            async with watched(self.database, door=door, seen=self.seen) as home:

                def strike() -> None:
                    steps.disarm()
                    self._end(home)
                    door.shut()
                    life.cancel()

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._look, home)
                    steps.arm(strike, math.inf)
                    await self.happens(home)
                    await trio.sleep(LASTS_S)
                    steps.disarm()
                    nursery.cancel_scope.cancel()

    async def again(self) -> list[str]:
        """What was seen and is not there any more."""
        async with watched(self.database) as home:
            return self.seen.check(home.server.hub.snapshot)

    async def _look(self, home: Watched) -> None:
        while True:
            await home.client.look()
            await trio.sleep(0.05)

    def _end(self, home: Watched) -> None:
        server = home.server
        now = server.clock.now()
        future = Site.restore(server.site_config, server.site.export(now=now), now=now)
        if self.request is not None:
            future.submit(self.request, now=now)
        documents = (
            document(view, server.hub.labels, now) for view in (server.site.view(now=now), future.view(now=now))
        )
        self.seen.ended(server.hub.snapshot, *documents)


async def by_rest(home: Watched) -> None:
    assert await home.ask("loadpoints/1/maxcurrent/20") == 200


async def by_mqtt(home: Watched) -> None:
    await home.command("loadpoints/1/maxCurrent/set", "20")


async def a_vehicle_by_rest(home: Watched) -> None:
    assert await home.ask("loadpoints/1/vehicle/zoe") == 200


async def by_a_card(home: Watched) -> None:
    """Mode and vehicle change without anybody asking."""
    home.house.card = "card-1"
    home.server.loop.take_charger(
        "box", ChargerValues(status=ChargerStatus.B, is_enabled=False, identity="card-1"), home.server.clock.instant()
    )
    home.server.loop.take_operator_limit("relay", None, home.server.clock.instant())  # an occasion to decide
    await trio.sleep(0)


def killed_everywhere(
    folder: Path, happens: Callable[[Watched], Awaitable[object]], request: Request | None, key: str
) -> tuple[list[str], set[object]]:
    """What was lost by killing before each of the steps, and what MQTT had shown of ``key`` in the end, whenever that was."""
    survey = Survey()
    usual = Story(folder / "usual.db", happens, request)
    run_virtually(lambda: usual.live(survey), seed=1, instruments=[survey])
    count = len(survey.points)
    assert 10 < count < 1000
    lost = [f"without a kill: {each}" for each in run_virtually(usual.again, seed=1)]
    shown: set[object] = set()
    for step in range(1, count + 1):
        story = Story(folder / f"{step}.db", happens, request)
        killer = Killer(step)
        run_virtually(functools.partial(story.live, killer), seed=1, instruments=[killer])
        assert killer.point is not None
        shown.add(story.seen.last(MQTT, f"evcc/loadpoints/1/{key}"))
        lost += [f"step {step}, {killer.point}: {each}" for each in run_virtually(story.again, seed=1)]
    return lost, shown


@pytest.mark.api("P-2", "P-5")
@pytest.mark.parametrize(
    ("happens", "request_", "key", "before", "after"),
    [
        (by_rest, ChangeLoadpointSetting(0, "current_max_a", 20.0), "maxCurrent", "16", "20"),
        (by_mqtt, ChangeLoadpointSetting(0, "current_max_a", 20.0), "maxCurrent", "16", "20"),
        (a_vehicle_by_rest, AssignVehicle(0, "zoe"), "vehicleName", "", "zoe"),
        (by_a_card, None, "mode", "pv", "now"),
    ],
)
def test_what_anybody_has_seen_is_there_after_a_kill_at_any_step(
    happens: Callable[[Watched], Awaitable[object]],
    request_: Request | None,
    key: str,
    before: str,
    after: str,
    tmp_path: Path,
) -> None:
    """Between the arrival of a request and the end of its consequences, over each channel; and of a change by the control."""
    lost, shown = killed_everywhere(tmp_path, happens, request_, key)
    assert lost == []
    assert shown == {before, after}  # some were killed before they could show it, some later


async def a_limit_by_rest(home: Watched) -> None:
    assert await home.ask("operatorlimit/2000/600") == 200


async def a_limit_by_mqtt(home: Watched) -> None:
    await home.command("site/operatorLimit/set", "2000/600")


@pytest.mark.api("P-2", "operator-limit")
@pytest.mark.parametrize("happens", [a_limit_by_rest, a_limit_by_mqtt])
def test_a_limit_of_the_operator_that_anybody_has_seen_is_there_after_a_kill_at_any_step(
    happens: Callable[[Watched], Awaitable[object]], tmp_path: Path
) -> None:
    async def kept(database: Path) -> object:
        async with watched(database) as home:
            return home.server.hub.snapshot.site.get("operatorLimit")

    survey = Survey()
    run_virtually(lambda: Story(tmp_path / "usual.db", happens, None).live(survey), seed=1, instruments=[survey])
    ends = set()
    for step in range(1, len(survey.points) + 1):
        story, killer = Story(tmp_path / f"{step}.db", happens, None), Killer(step)
        run_virtually(functools.partial(story.live, killer), seed=1, instruments=[killer])
        was_seen = any(story.seen.has_shown(*place) for place in LIMIT)
        ends.add((was_seen, run_virtually(functools.partial(kept, story.database), seed=1)))
    assert {(False, None), (True, 2000.0)} <= ends <= {(False, None), (False, 2000.0), (True, 2000.0)}


def test_a_request_that_is_shown_before_it_is_written_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def submit(self: ControlLoop, *requests: Request) -> None:
        self._persistence.note(self._site.submit(*requests, now=self._clock.now()))
        self.show()
        await self._persistence.write()

    monkeypatch.setattr(ControlLoop, "submit", submit)
    monkeypatch.setattr(Persistence, "shown", lambda _self, view, _before: view)
    lost, _ = killed_everywhere(tmp_path, by_mqtt, ChangeLoadpointSetting(0, "current_max_a", 20.0), "maxCurrent")
    assert {each.partition(": ")[2] for each in lost} >= {
        "MQTT: evcc/loadpoints/1/maxCurrent is '16', '20' was seen",
        "WebSocket: loadpoints.0.maxCurrent is 16, 20 was seen",
    }


def test_a_change_by_the_control_that_is_shown_before_it_is_written_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Persistence, "shown", lambda _self, view, _before: view)
    lost, _ = killed_everywhere(tmp_path, by_a_card, None, "mode")
    assert any("mode is 'pv', 'now' was seen" in each for each in lost)
    assert any("vehicleName is '', 'golf' was seen" in each for each in lost)
