"""The command line as a process: exit status and one clear line, fit for scripts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from evcc_server import cli

pytestmark = pytest.mark.wire

SITE = """\
network: {port: 0}
database: {dsn: ":memory:"}
mqtt: {topic: ""}
site: {meters: {grid: grid}}
meters:
- {name: grid, type: custom, power: 0}
chargers:
- {name: box, type: custom, status: A, enabled: false, enable: "", maxcurrent: ""}
loadpoints:
- {charger: box, mode: fast}
"""


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "evcc_server", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_a_wrong_value_is_one_line_with_its_place_and_exit_status_2(tmp_path: Path) -> None:
    (tmp_path / "evcc.yaml").write_text(SITE, encoding="utf-8")
    done = run(cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == ("evcc.yaml:10: loadpoints[0].mode: invalid value: fast (allowed: off, now, minpv, pv)\n")
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("program", "arguments"),
    [("evcc_server", ["devices"]), ("evcc_server", ["tariff"]), ("evcc_sim", ["scenarios"])],
)
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path, program: str, arguments: list[str]) -> None:
    """As ``head`` is, which closes the pipe; ``tariff`` prints inside a nursery."""
    prices = "tariffs: {grid: {type: fixed, price: 0.3}}\n"
    (tmp_path / "evcc.yaml").write_text(SITE.replace("mode: fast", "mode: off") + prices, encoding="utf-8")
    reads, writes = os.pipe()
    os.close(reads)
    with open(writes, "wb", closefd=True) as gone:
        command = [sys.executable, "-u", "-m", program, *arguments]
        done = subprocess.run(command, cwd=tmp_path, stdout=gone, stderr=subprocess.PIPE, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_port_in_use_is_one_line_that_says_where_to_change_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "evcc.yaml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file.write_text(SITE.replace("mode: fast", "mode: off").replace("port: 0", f"port: {port}"), encoding="utf-8")
        assert cli.main(["-c", str(file)]) == 1
        refused = (
            f"evcc-server: cannot listen on 127.0.0.1:{port}: the port is already in use (network.port or --port)\n"
        )
        assert capfd.readouterr().err == refused
        mqtt = SITE.replace("mode: fast", "mode: off").replace('{topic: ""}', f"{{port: {port}}}")
        file.write_text(mqtt, encoding="utf-8")
        assert cli.main(["-c", str(file)]) == 1
        refused = f"evcc-server: cannot listen on 127.0.0.1:{port}: the port is already in use (mqtt.port)\n"
        assert capfd.readouterr().err == refused


def test_a_missing_file_is_exit_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "none.yaml")
    for command in (["run"], ["check"], ["meter"], ["charger"], ["trace"]):
        assert cli.main([*command, "-c", missing]) == 2
        assert capsys.readouterr().err == f"{missing}:1: cannot be read: No such file or directory\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "70000"],
        ["--port", "x"],
        ["fly"],
        ["scan"],
        ["scan", "h", "--units", "0-999"],
        ["charger", "--phases", "2"],
    ],
)
def test_a_wrong_command_line_is_exit_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "²"], "² is no port, expected 0 to 65535"),
        (["--host", ""], "argument --host: expected more than nothing"),
        (["--database", ""], "argument --database: expected more than nothing"),
        (["--ui", "/no/such/folder"], "'/no/such/folder' is no folder"),
        (["--ui", ""], "'' is no folder"),
        (["charger", "--current", "x"], "'x': expected a number of amperes"),
        (["trace", "--count", "-1"], "'-1': expected a whole number from 0 on"),
        (["scan", "h", "--units", "x"], "'x' is no range of unit ids, expected 0 to 255"),
        (["scan", "h", "--units", ""], "'' is no range of unit ids, expected 0 to 255"),
    ],
)
def test_a_wrong_value_on_the_command_line_says_what_is_allowed(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_a_port_on_the_command_line_that_the_file_gives_to_another_is_exit_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "evcc.yaml"
    file.write_text(SITE.replace("mode: fast", "mode: off").replace('{topic: ""}', "{port: 1884}"), encoding="utf-8")
    assert cli.main(["-c", str(file), "--port", "1884"]) == 2
    assert capsys.readouterr().err == "evcc.yaml:1: mqtt.port: port 1884 is already taken by --port\n"


def test_no_name_is_not_every_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "evcc.yaml"
    file.write_text(SITE.replace("mode: fast", "mode: off"), encoding="utf-8")
    assert cli.main(["meter", "-c", str(file), ""]) == 2
    assert "meter '' does not exist, expected one of grid" in capsys.readouterr().err


def test_wrong_scan_targets_are_exit_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["scan", "host:0"],
        ["scan", "a b"],
        ["scan", "h", "--timeout", "0"],
        ["scan", "/dev/x", "--baudrate", "1"],
    ):
        assert cli.main(arguments) == 2
        assert capsys.readouterr().err.startswith("evcc-server: ")
    assert cli.main(["scan", "/dev/no-such-port", "--units", "1"]) == 1
    assert "No such file" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"evcc-server {version('evcclib')}\n"


def test_scripts_that_ask_for_the_version_do_not_wait_for_the_server() -> None:
    code = (
        "import sys; sys.argv = ['evcc-server', '--version']\n"
        "from evcc_server.__main__ import main\n"
        "assert main() == 0\n"
        "print(sorted({'trio', 'quart', 'pymodbus', 'evcc_server.cli', 'evcclib'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert printed.splitlines() == [f"evcc-server {version('evcclib')}", "[]"]


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    for command in ("run", "check", "meter", "charger", "scan", "devices", "trace"):
        assert f"\n    {command} " in printed


def test_devices_answers_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["devices", "keba"]) == 0
    assert "keba-p30" in capsys.readouterr().out
    assert cli.main(["devices", "no-such-device"]) == 1
