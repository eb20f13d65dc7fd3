"""``evcc-sim demo``: a simulated home and the real server in one process, with nothing to configure.

The home's devices listen on real TCP ports; the server finds them in a configuration made for it. Sun and household live a day in
24 minutes; clocks, cars, energy and timers are real, so the configuration has short delays.
"""

from __future__ import annotations

import argparse
import functools
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, time, timedelta
from importlib import resources
from pathlib import Path
from random import Random

import trio

from evcc_server.app import Serving, serve
from evcc_server.blocking import in_thread
from evcc_server.clock import Clock
from evcc_server.config.load import COMPATIBLE_WITH, parse_config
from evcc_server.config.options import Options
from evcc_server.keeping.store import Store
from evcc_server.listening import CannotListen
from evcc_server.log import set_up_logging
from evcc_server.mqtt.broker_link import MqttError
from evcc_sim.commands.cli import duration, port_number
from evcc_sim.devices.site_devices import Extras, evcc_yaml
from evcc_sim.runs.wire import World, running_world, say
from evcc_sim.worlds import scenario
from evcclib.events import SessionRecord

WEATHER_FACTOR = 60.0
WEATHER_FROM = time(6, 45)
"""When the demo's weather begins: about a minute before the roof delivers what a car needs."""

SESSIONS_DAYS = 45
METER_KWH, ODOMETER_KM = 1234.0, 20_000.0
"""What the simulated stations and cars begin with."""
SEED = 7


def run_demo(
    *,
    host: str = "127.0.0.1",
    port: int = 7070,
    mqtt_port: int = 1883,
    compat: str = COMPATIBLE_WITH[0],
    duration_s: float | None = None,
) -> int:
    """Run until interrupted, or for ``duration_s``; returns the exit status. One line when a port is in use, or meant twice."""
    if port == mqtt_port:
        print(f"evcc-sim demo: --port and --mqtt-port are both {port}, expected two different ones", file=sys.stderr)
        return 2
    set_up_logging("warn", {}, frozenset())
    logging.getLogger("evcc_server.app").setLevel(
        logging.ERROR
    )  # what nobody has confirmed is no news in a simulated home
    try:
        begin = functools.partial(demo, host=host, port=port, mqtt_port=mqtt_port, compat=compat, duration_s=duration_s)
        trio.run(begin)
    except (KeyboardInterrupt, OSError, MqttError, BaseExceptionGroup) as error:
        cause = first_cause(error)
        if isinstance(cause, KeyboardInterrupt):
            return 0
        if isinstance(cause, (OSError, MqttError)):
            print(f"evcc-sim demo: {explained(cause)}", file=sys.stderr)
            return 1
        raise
    return 0


def main(arguments: Sequence[str]) -> int:
    """The command line of ``evcc-sim demo``."""
    parser = argparse.ArgumentParser(prog="evcc-sim demo", description=(__doc__ or "").partition(":")[2].split("\n")[0])
    add_arguments(parser)
    given = parser.parse_args(arguments)
    return run_demo(
        host=given.host,
        port=given.port,
        mqtt_port=given.mqtt_port,
        compat=given.compat,
        duration_s=given.duration,
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the demo can be told."""
    parser.add_argument("--host", default="127.0.0.1", help="address for API and broker (default %(default)s)")
    parser.add_argument("--port", type=port_number, default=7070, help="port of the API (default %(default)s)")
    parser.add_argument(
        "--mqtt-port", type=port_number, default=1883, help="port of the MQTT broker (default %(default)s)"
    )
    parser.add_argument(
        "--compat",
        choices=COMPATIBLE_WITH,
        default=COMPATIBLE_WITH[0],
        help="generation of clients (default %(default)s)",
    )
    parser.add_argument("--duration", type=duration, metavar="SECONDS", help="end by itself")


async def demo(
    *,
    host: str = "127.0.0.1",
    port: int = 7070,
    mqtt_port: int = 1883,
    compat: str = COMPATIBLE_WITH[0],
    duration_s: float | None = None,
    announce: Callable[[str], None] = say,
) -> None:
    """The home and the server, until SIGINT, SIGTERM or for ``duration_s``. Raises `OSError` or `MqttError`."""
    home = home_scenario()
    announce("Simulated home: sun and household live a day in 24 minutes; clocks, cars and counters are real.")
    with tempfile.TemporaryDirectory(prefix="evcclib-demo-") as folder:
        database = Path(folder) / "demo.db"
        await seed_sessions(database)
        async with (
            running_world(home, seed=SEED, factor=WEATHER_FACTOR, weather_from=WEATHER_FROM) as world,
            trio.open_nursery() as nursery,
        ):
            config = parse_config(configuration(world, host, port, mqtt_port, compat), "demo.yaml")
            options = Options(database=str(database))

            async def run_server(*, task_status: trio.TaskStatus[Serving]) -> None:
                await serve(config, options=options, task_status=task_status)
                nursery.cancel_scope.cancel()

            serving = await nursery.start(run_server)
            announce("\n".join(welcome(world, serving, mqtt_port)))
            if duration_s is not None:
                await trio.sleep(duration_s)
                nursery.cancel_scope.cancel()


def home_scenario() -> scenario.Scenario:
    """The demo's home. Its weather is a day in June whatever the date; prices go by the real clock."""
    text = resources.files("evcc_sim.commands").joinpath("demo-home.toml").read_text(encoding="utf-8")
    return scenario.parse(text, name="demo-home")


def configuration(world: World, host: str, port: int, mqtt_port: int, compat: str) -> str:
    """The demo's ``evcc.yaml``."""
    extras = Extras(
        title="Demo home",
        car_cache_s=10.0,
        sections={
            "network": {"host": host, "port": port},
            "mqtt": {"topic": "evcc", "host": host, "port": mqtt_port},
            "api": {"compat": compat},
            "log": "warn",
        },
    )
    return evcc_yaml(world.house.scenario, world.addresses, extras)


def welcome(world: World, serving: Serving, mqtt_port: int) -> Iterator[str]:
    """Where everything is, and what to try."""
    shown = "127.0.0.1" if serving.host in ("0.0.0.0", "::") else serving.host
    api = f"http://{shown}:{serving.port}"
    broker = f"-h {shown} -p {mqtt_port}"
    yield ""
    yield f"  page    {api}/"
    yield f"  API     {api}/api/state"
    yield f"  broker  {serving.mqtt}"
    for name, address in world.addresses.items():
        device = world.devices[name].emulator
        yield f"  device  {name:<8} Modbus at {address.host}:{address.port}, unit {device.unit_id} ({device.profile.id})"
    yield ""
    yield "Try:"
    yield f"  curl -s {api}/api/state"
    yield f"  curl -s -X POST {api}/api/loadpoints/1/mode/now"
    yield f"  mosquitto_sub {broker} -t 'evcc/#' -v"
    yield f"  mosquitto_pub {broker} -t evcc/loadpoints/1/mode/set -m pv"
    yield ""
    yield "The sun rises now; the first car arrives in 20 s, the second in two minutes. Ctrl-C ends everything."


# -- what has been charged before -----------------------------------------------------------------------------------------


async def seed_sessions(database: Path) -> None:
    """Some weeks of finished sessions, so that there is something to look at."""
    async with Store.open(database, in_thread()) as store:
        for session in reversed(list(finished_sessions(_utc_now(), Random(SEED)))):
            await store.save(sessions=[session])


def finished_sessions(now: datetime, rng: Random) -> Iterator[SessionRecord]:
    """Two cars' sessions of the last weeks, newest first; counters and odometers lead up to what the live home shows."""
    meters_kwh = {"Carport": METER_KWH, "Garage": METER_KWH}
    odometers_km = {"Blue e-Golf": ODOMETER_KM, "White Model 3": ODOMETER_KM}
    for day in range(1, SESSIONS_DAYS + 1):
        for loadpoint, vehicle in (("Carport", "Blue e-Golf"), ("Garage", "White Model 3")):
            if rng.random() > 0.45:
                continue
            start = (now - timedelta(days=day)).replace(hour=7, minute=0, second=0, microsecond=0)
            start += timedelta(minutes=rng.randrange(600))
            energy_kwh = round(rng.uniform(3.0, 28.0), 3)
            solar_pct = round(rng.uniform(20.0, 100.0), 1)
            price = round(0.082 * solar_pct / 100 + 0.31 * (1 - solar_pct / 100), 4)
            end_kwh = meters_kwh[loadpoint]
            meters_kwh[loadpoint] -= energy_kwh
            odometers_km[vehicle] -= rng.uniform(15, 140)
            yield SessionRecord(
                key=f"demo-{loadpoint}-{day}",
                created=start,
                finished=start + timedelta(hours=energy_kwh / 7.0),
                loadpoint=loadpoint,
                identifier="04a1b2c3" if loadpoint == "Carport" else "",
                vehicle=vehicle,
                odometer_km=round(odometers_km[vehicle], 1),
                meter_start_kwh=round(end_kwh - energy_kwh, 3),
                meter_stop_kwh=round(end_kwh, 3),
                energy_charged_kwh=energy_kwh,
                solar_pct=solar_pct,
                price=round(price * energy_kwh, 2),
                price_per_kwh=price,
            )


def _utc_now() -> datetime:
    return Clock().utc()


# -- errors -----------------------------------------------------------------------------------------------------------------


def first_cause(error: BaseException) -> BaseException:
    """The error inside nested groups; an interrupt only when there is nothing else."""
    while isinstance(error, BaseExceptionGroup):
        error = min(error.exceptions, key=lambda inner: isinstance(inner, KeyboardInterrupt))
    return error


def explained(error: OSError | MqttError) -> str:
    """One line that says what to do."""
    if isinstance(error, CannotListen):
        return f"{error.reason}; choose others with --port and --mqtt-port"
    return str(error)
