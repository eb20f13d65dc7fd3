"""The demo as a process: up without configuration, obeys over REST and MQTT, leaves in time, complains in one line."""

import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import trio
from modbus_by_hand import ByHand
from trio_test import in_real_time

from evcc_sim.commands import cli
from evcc_sim.devices.modbus_server import Wrapping

pytestmark = pytest.mark.wire


class Stream:
    """A trio socket with the two calls that the client by hand uses."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream

    async def send(self, data: bytes) -> None:
        await self._stream.send_all(data)

    async def receive(self) -> bytes:
        return bytes(await self._stream.receive_some())


class Demo:
    def __init__(self, process: trio.Process, welcome: str) -> None:
        self.process = process
        self.welcome = welcome
        (self.api,) = re.findall(r"API +(http\S+)/api/state", welcome)
        self.mqtt_port = re.findall(r"mosquitto_sub -h \S+ -p (\d+)", welcome)[0]

    def device(self, name: str) -> tuple[str, int]:
        ((host, port),) = re.findall(rf"device +{name} +Modbus at (\S+):(\d+)", self.welcome)
        return host, int(port)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


COMMAND = (sys.executable, "-c", "import sys; from evcc_sim.commands.demo import main; sys.exit(main(sys.argv[1:]))")


@asynccontextmanager
async def running_demo(*arguments: str) -> AsyncIterator[Demo]:
    ports = ("--port", str(free_port()), "--mqtt-port", str(free_port()))
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(
            lambda task_status: trio.run_process(
                [*COMMAND, *ports, *arguments], task_status=task_status, stdout=subprocess.PIPE, check=False
            )
        )
        assert process.stdout is not None
        text = ""
        with trio.fail_after(30):
            while "Ctrl-C" not in text:
                data = await process.stdout.receive_some()
                assert data, text
                text += data.decode()
        try:
            yield Demo(process, text)
        finally:
            if process.poll() is None:
                process.terminate()


@in_real_time
async def test_the_demo_shows_everything_and_obeys_rest_and_mqtt() -> None:
    async with running_demo() as demo, httpx.AsyncClient(base_url=demo.api, timeout=5) as client:
        state = (await client.get("/api/state")).json()["result"]
        assert state["gridConfigured"] and state["pvConfigured"] and state["batteryConfigured"]
        assert len(state["loadpoints"]) == 2
        assert len(state["vehicles"]) == 2
        for kind in ("grid", "feedin", "planner"):
            assert (await client.get(f"/api/tariff/{kind}")).json()["result"]["rates"]
        assert len((await client.get("/api/sessions")).json()["result"]) > 10

        keba = await trio.open_tcp_stream(*demo.device("carport"))
        by_hand = ByHand(Stream(keba), Wrapping.TCP, 255)
        with trio.fail_after(40):  # the car arrives 20 s after the start
            while (await by_hand.words(3, 1004, 2))[1] & 4 == 0:
                await trio.sleep(0.5)
            while not (await client.get("/api/state")).json()["result"]["loadpoints"][0]["connected"]:
                await trio.sleep(0.2)
        assert (await client.post("/api/loadpoints/1/mode/now")).status_code == 200
        with trio.fail_after(1.5):  # one second, and the time to look
            while (await by_hand.words(3, 1100, 2))[1] != 16_000:
                await trio.sleep(0.05)
        if shutil.which("mosquitto_pub"):
            where = ["-h", "127.0.0.1", "-p", demo.mqtt_port]
            await trio.run_process(["mosquitto_pub", *where, "-t", "evcc/loadpoints/1/mode/set", "-m", "off"])
            with trio.fail_after(1.5):
                while (await by_hand.words(3, 1100, 2))[1] != 0:
                    await trio.sleep(0.05)
        await keba.aclose()
        demo.process.send_signal(signal.SIGINT)
        with trio.fail_after(2.5):
            assert await demo.process.wait() == 0


@in_real_time
async def test_the_demo_ends_after_its_duration() -> None:
    async with running_demo("--duration", "1") as demo:
        with trio.fail_after(8):
            assert await demo.process.wait() == 0


@pytest.mark.parametrize("option", ["--port", "--mqtt-port"])
def test_a_port_in_use_is_one_clear_line(option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = {"--port": "--mqtt-port", "--mqtt-port": "--port"}[option]
        finished = subprocess.run(
            [*COMMAND, option, str(port), other, str(free_port())],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert finished.returncode == 1
    assert finished.stderr == (
        f"evcc-sim demo: cannot listen on 127.0.0.1:{port}: the port is already in use;"
        " choose others with --port and --mqtt-port\n"
    )


@pytest.mark.parametrize("port", ["80808", "0", "-1", "x"])
def test_a_port_that_is_none_is_said_before_anything_starts(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--port", "--mqtt-port"):
        with pytest.raises(SystemExit) as ended:
            cli.main(["demo", f"{option}={port}"])
        assert ended.value.code == 2
        assert f"{port} is no port, expected 1 to 65535" in capsys.readouterr().err
