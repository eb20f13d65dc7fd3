"""``evcc-server check``: is the configuration valid, do the devices answer, what can each of them do?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from evcc_server.clock import Clock
from evcc_server.config.model import Config
from evcc_server.tools.read_once import Findings, read_all
from evcc_server.tools.tariff import fetch_all, unit_of
from evcc_server.tools.values_text import table
from evcc_server.wiring.factory import Devices
from evcc_server.wiring.site import to_site_config


async def check(config: Config, devices: Devices, *, clock: Clock) -> tuple[list[str], bool]:
    """The report, and whether all is well. Raises `ConfigError` or `InvalidConfig` when the site cannot be run at all."""
    to_site_config(config, devices)
    lines = [f"{config.file}: valid"]
    lines += [f"warning: {warning}" for warning in config.warnings]
    found = await read_all(devices)
    lines += ["", *table(("device", "reachable", "value", "reading"), _rows(found))]
    points = [f"{key}: {point}" for key, findings in found.items() for point in findings.open_points]
    if points:
        lines += ["", "Not confirmed by anybody; watch these when the device is used for the first time:"]
        lines += [f"  {point}" for point in points]
    tariff_lines, tariffs_ok = await _tariffs(config, devices, clock)
    lines += tariff_lines
    bad = [key for key, findings in found.items() if not findings.is_ok] + ([] if tariffs_ok else ["tariffs"])
    if config.mqtt.broker:
        is_connected = devices.plugins.topics.is_connected
        lines += ["", f"mqtt broker {config.mqtt.broker}: {'connected' if is_connected else 'not connected'}"]
        bad += [] if is_connected else ["mqtt broker"]
    objection = _database_objection(config.database.path)
    if objection:
        lines += ["", f"database: {objection}"]
        bad.append("database")
    lines += ["", f"problems: {', '.join(bad)}" if bad else "all is well"]
    return lines, not bad


def _database_objection(path: str) -> str:
    """Why the database could not be kept at ``path``; empty when it can."""
    if path == ":memory:":
        return ""
    file = Path(path).expanduser()
    if file.is_dir():
        return f"{file} is a folder"
    place = file if file.exists() else next(folder for folder in file.parents if folder.exists())
    return "" if os.access(place, os.W_OK) else f"{place} cannot be written to"


def _rows(found: Mapping[str, Findings]) -> list[tuple[str, str, str, str]]:
    rows: list[tuple[str, str, str, str]] = []
    for key, findings in found.items():
        if findings.error:
            rows.append((key, "no", "", findings.error))
            continue
        for i, (name, value) in enumerate(findings.rows or (("", ""),)):
            rows.append((key if i == 0 else "", "yes" if i == 0 else "", name, value))
    return rows


async def _tariffs(config: Config, devices: Devices, clock: Clock) -> tuple[list[str], bool]:
    found = await fetch_all(config, devices, clock)
    rows: list[tuple[str, str, str]] = []
    for kind, answer in found.items():
        if isinstance(answer, str):
            rows.append((f"tariff {kind}", "no", answer))
            continue
        for each, rates in answer.lists.items():
            rate = rates.at(clock.utc())
            text = "no value now" if rate is None else f"{rate.price:g} {unit_of(rates)} now"
            rows.append((f"tariff {each}", "yes", f"{text}, {len(rates.rates)} slots"))
        rows += [("", "", odd) for odd in answer.oddities]
    if not rows:
        return [], True
    is_ok = not any(isinstance(answer, str) for answer in found.values())
    return ["", *table(("tariff", "reachable", "value"), rows)], is_ok
