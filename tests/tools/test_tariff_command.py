"""``evcc-server tariff`` against a web server on this machine: the lists, or in a line what is wrong."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evcc_server import cli

pytestmark = pytest.mark.wire

HOME = """
timezone: Europe/Berlin
site: {meters: {grid: grid}}
meters: [{name: grid, type: custom, power: 0}]
chargers: [{name: box, type: template, template: keba-modbus, host: 192.0.2.2}]
loadpoints: [{charger: box}]
"""
QUARTERS = [
    {"start": "2026-10-25T02:45:00+02:00", "value": 1000, "p10": 250},
    {"start": "2026-10-25T02:00:00+01:00", "value": 2000.5, "p10": 500},
    {"start": "2026-10-25T02:30:00+01:00", "value": 3000, "p10": 750},
]
ANSWERS: dict[str, tuple[int, str]] = {
    "/sun": (200, json.dumps(QUARTERS)),
    "/locked": (401, "{}"),
    "/busy": (429, ""),
    "/html": (200, "<html>back soon</html>"),
    "/empty": (200, '{"data": []}'),
}
Run = Callable[..., int]


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, text = ANSWERS.get(self.path, (404, ""))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """The exit status of the command for a section ``tariffs`` in which ``$`` is the web server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    file = tmp_path / "evcc.yaml"

    def command(tariffs: str, *arguments: str) -> int:
        text = f"{HOME}tariffs: {{{tariffs.replace('$', f'http://127.0.0.1:{server.server_port}')}}}\n"
        file.write_text(text, encoding="utf-8")
        return cli.main(["tariff", *arguments, "-c", str(file)])

    try:
        yield command
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_list_is_shown_by_the_clock_of_the_house(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run("solar: {type: custom, forecast: {source: http, uri: '$/sun'}}, grid: {type: fixed, price: 0.3}", "solar")
        == 0
    )
    captured = capsys.readouterr()
    assert [line.split() for line in captured.out.splitlines()] == [
        ["tariff", "solar"],
        ["start", "end", "solar", "[W]", "solarp10", "[W]"],
        ["2026-10-25T02:45+02:00", "2026-10-25T02:00+01:00", "1000", "250"],
        ["2026-10-25T02:00+01:00", "2026-10-25T02:30+01:00", "2000.5", "500"],
        ["2026-10-25T02:30+01:00", "2026-10-25T03:00+01:00", "3000", "750"],
    ]
    assert captured.err == ""


def test_emissions_that_plans_are_made_by_are_shown_once(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("co2: {type: fixed, price: 400}") == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["start", "end", "co2", "[g/kWh]"]


WRONG = [
    ("type: awattar, uri: '$/locked'", r"/locked: HTTP 401 Unauthorized: the token or key is missing or not accepted"),
    ("type: awattar, uri: '$/busy'", r"/busy: HTTP 429 Too Many Requests: asked too often"),
    ("type: awattar, uri: '$/nowhere'", r"/nowhere: HTTP 404 Not Found"),
    ("type: awattar, uri: '$/html'", r"no JSON: '<html>back soon</html>'"),
    ("type: awattar, uri: '$/empty'", r"the list is empty"),
    ("type: tibber, token: abcdefg, uri: 'http://127.0.0.1:9/'", r"http://127.0.0.1:9/: "),
    ("type: csv, file: /nowhere/prices.csv", r"/nowhere/prices.csv: No such file or directory"),
]


@pytest.mark.parametrize(("tariff", "said"), WRONG, ids=[row[1][:25] for row in WRONG])
def test_what_is_wrong_is_one_line_and_the_others_are_shown(
    run: Run, capsys: pytest.CaptureFixture[str], tariff: str, said: str
) -> None:
    assert run(f"grid: {{{tariff}}}, feedin: {{type: fixed, price: 0.08}}") == 1
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("tariff grid: ")
    assert said in line
    assert "abcdefg" not in line
    assert captured.out.startswith("tariff feedin\n")


def test_a_key_that_stands_in_an_address_is_not_shown(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    roof = "lat: 52.5, lon: 13.4, dec: 30, az: 0, kwp: 10"
    assert run(f"solar: {{type: forecastsolar, apikey: abcdefgh, uri: '$/fs', {roof}}}") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "/fs/***/estimate/52.5/13.4/30/0/10: HTTP 404 Not Found" in line


def test_what_is_odd_is_said_beside_the_list(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("grid: {type: custom, forecast: {source: http, uri: '$/sun'}}") == 0
    captured = capsys.readouterr()
    assert captured.err == "tariff grid: a price of 3000 EUR/kWh: is it in another unit?\n"
    assert "3000" in captured.out


def test_a_name_that_is_not_configured_is_exit_status_2(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("grid: {type: fixed, price: 0.3}, solar: {type: csv, file: a}", "sola") == 2
    assert "tariff 'sola' is not configured, did you mean solar?" in capsys.readouterr().err
    assert run("currency: EUR", "grid") == 2
    assert "tariff 'grid' is not configured, none is" in capsys.readouterr().err
