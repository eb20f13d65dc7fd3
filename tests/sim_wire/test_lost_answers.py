"""Answers that are lost or late, at every charging station: what may have arrived is never undone by the driver."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
import trio
from test_every_charger import CHARGERS, Watched, drive
from trio_test import run_deterministic

from evcc_server.errors import DeviceError
from evcc_sim.devices.modbus_server import Asked, Delay, LoseAnswer, Swallow, WireFault

LATE = Delay(5.0)
SPANS_S = 120.0
"""Longer than any watchdog, and than the silence for which a unit is left alone."""


@dataclass
class Line:
    """A `FaultHook` that can be told what goes wrong from now on."""

    fault: WireFault | None = None
    spares_reads: bool = False

    def __call__(self, asked: Asked) -> tuple[WireFault, ...]:
        if self.fault is None or (self.spares_reads and not asked.is_write):
            return ()
        return (self.fault,)


async def unanswered(command: Awaitable[None]) -> None:
    with pytest.raises(DeviceError) as error:
        await command
    assert not error.value.left_unchanged


async def pilots_meanwhile(station: Watched, seconds: float) -> set[float]:
    """What the station offers while the driver polls it and kicks its watchdog, whether it is answered or not [A]."""
    driver, world = station.driver, station.world
    keepalive = driver.keepalive
    period_s = 5.0 if keepalive is None else keepalive.total_seconds()
    seen: set[float] = set()
    end_s = trio.current_time() + seconds
    while trio.current_time() < end_s:
        await trio.sleep(period_s)
        for ask in (driver.read, driver.kick):
            try:
                await ask()
            except DeviceError:
                await trio.lowlevel.checkpoint()
        world.sync()
        seen.add(round(world.box.pilot_a, 1))
    return seen


async def charging(station: Watched, current_a: float) -> None:
    driver = station.driver
    await driver.start()
    station.world.car_arrives()
    await driver.set_current(current_a)
    await driver.enable()
    await station.wait(30)
    assert station.world.box.pilot_a == pytest.approx(current_a, abs=0.3)


def lowered(line: Line, fault: WireFault) -> Callable[[Watched], Awaitable[None]]:
    """The limit falls while nobody hears the station: it stays down, and afterwards it can be raised as ever."""

    async def check(station: Watched) -> None:
        driver, box = station.driver, station.world.box
        await charging(station, 14)
        line.fault = fault
        await unanswered(driver.set_current(8))
        assert max(await pilots_meanwhile(station, SPANS_S)) <= 8.3
        line.fault = None
        await trio.sleep(10)  # a unit that was silent is left alone by polls for so long
        assert max(await pilots_meanwhile(station, SPANS_S)) <= 8.3
        await driver.start()
        await driver.set_current(12)
        await driver.enable()
        await station.wait(30)
        assert box.pilot_a == pytest.approx(12, abs=0.3)

    return check


def paused(line: Line, fault: WireFault) -> Callable[[Watched], Awaitable[None]]:
    """It is paused while nobody hears it: it stays so until it is enabled again."""

    async def check(station: Watched) -> None:
        driver, box = station.driver, station.world.box
        await charging(station, 14)
        line.fault = fault
        await unanswered(driver.disable())
        await trio.sleep(15)
        assert await pilots_meanwhile(station, SPANS_S) == {0.0}
        line.fault = None
        await trio.sleep(10)
        assert await pilots_meanwhile(station, SPANS_S) == {0.0}
        assert (await driver.read()).is_enabled in (False, None)
        await driver.set_current(12)
        await driver.enable()
        await station.wait(30)
        assert box.pilot_a == pytest.approx(12, abs=0.3)

    return check


@pytest.mark.parametrize("fault", [LoseAnswer(), LATE], ids=["lost", "late"])
@pytest.mark.parametrize("name", CHARGERS)
def test_a_station_stays_lowered_when_the_answer_is_lost(name: str, fault: WireFault) -> None:
    line = Line(spares_reads=True)
    run_deterministic(lambda: drive(name, lowered(line, fault), faults=line))


@pytest.mark.parametrize("name", CHARGERS)
def test_a_station_stays_lowered_when_no_answer_arrives_at_all(name: str) -> None:
    line = Line()
    run_deterministic(lambda: drive(name, lowered(line, LoseAnswer()), faults=line))


@pytest.mark.parametrize("fault", [LoseAnswer(), LATE], ids=["lost", "late"])
@pytest.mark.parametrize("name", CHARGERS)
def test_a_station_stays_paused_when_the_answer_is_lost(name: str, fault: WireFault) -> None:
    line = Line(spares_reads=True)
    run_deterministic(lambda: drive(name, paused(line, fault), faults=line))


def left(line: Line) -> Callable[[Watched], Awaitable[None]]:
    """The last command before the end never arrived: the station is not left at more than its minimum all the same."""

    async def check(station: Watched) -> None:
        driver, box = station.driver, station.world.box
        await charging(station, 14)
        line.fault = Swallow()
        await unanswered(driver.set_current(driver.facts.min_a))
        line.fault = None
        assert box.pilot_a == pytest.approx(14, abs=0.3)
        await driver.release()
        station.world.sync()
        assert box.pilot_a <= max(6.0, driver.facts.min_a) + 0.3

    return check


@pytest.mark.parametrize("name", CHARGERS)
def test_a_station_is_left_at_its_minimum_although_it_may_be_there_already(name: str) -> None:
    line = Line(spares_reads=True)
    run_deterministic(lambda: drive(name, left(line), faults=line))
