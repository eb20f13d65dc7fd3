"""What the tools print: tables, frames in words, lists of devices; pure."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fake_device import ascii_frame, mbap, rtu
from hypothesis import given
from hypothesis import strategies as st

from evcc_server.devices.contract import ChargerValues, MeterValues
from evcc_server.modbus.frame_text import describe_frame
from evcc_server.modbus.wire import Framing
from evcc_server.profiles import profile as profiles
from evcc_server.tools.devices_list import describe, list_devices
from evcc_server.tools.scan import parse_units
from evcc_server.tools.values_text import table, value_rows
from evcclib.model import ChargerStatus


def test_values_have_names_and_units_and_what_is_missing_is_a_dash() -> None:
    values = MeterValues(power_w=-1234.5678, currents_a=(1.0, 2.25, float("nan")), soc_pct=None)
    assert value_rows(values, frozenset({"power_w", "soc_pct"})) == [
        ("power", "-1234.568 W"),
        ("currents", "1 / 2.25 / - A"),
        ("soc", "-"),
    ]
    charger = ChargerValues(status=ChargerStatus.C, is_enabled=True, identity="", charge_duration=timedelta(seconds=90))
    assert value_rows(charger) == [
        ("status", "C"),
        ("enabled", "yes"),
        ("charge duration", "1m30s"),
        ("identity", '""'),
    ]


def test_columns_are_aligned() -> None:
    assert table(("a", "bb"), [("1", "2"), ("333", "")]) == ["a    bb", "1    2", "333"]


FRAMES = [
    (True, b"\x04\x00\x34\x00\x02", "unit 1: read input registers 52 to 53"),
    (True, b"\x03\x00\x0a\x00\x01", "unit 1: read holding registers 10"),
    (True, b"\x06\x00\x0a\x00\x05", "unit 1: write register 10 = 5"),
    (True, b"\x10\x00\x0a\x00\x02\x04\x00\x01\x00\x02", "unit 1: write registers 10 to 11 = [1, 2]"),
    (True, b"\x05\x00\x03\xff\x00", "unit 1: write coil 3 = 1"),
    (False, b"\x04\x04\x43\x66\x80\x00", "unit 1: read input registers: [17254, 32768]"),
    (False, b"\x01\x01\x05", "unit 1: read coils: 05"),
    (False, b"\x06\x00\x0a\x00\x05", "unit 1: write register 10: confirmed"),
    (False, b"\x83\x02", "unit 1: refused (read holding registers): exception 2, illegal data address"),
]


@pytest.mark.parametrize(("is_sent", "pdu", "text"), FRAMES, ids=[f[2][8:30] for f in FRAMES])
def test_frames_say_the_same_in_every_framing(is_sent: bool, pdu: bytes, text: str) -> None:
    wrapped = {
        Framing.SOCKET: mbap(7, 1, pdu),
        Framing.RTU: rtu(1, pdu),
        Framing.ASCII: ascii_frame(1, pdu),
    }
    for framing, frame in wrapped.items():
        assert describe_frame(frame, framing, is_sent=is_sent) == f"{frame.hex(' ')}  {text}"


@given(st.binary(max_size=40), st.sampled_from(Framing), st.booleans())
def test_any_bytes_are_at_least_hex(data: bytes, framing: Framing, is_sent: bool) -> None:
    assert describe_frame(data, framing, is_sent=is_sent).startswith(data.hex(" "))


def test_units_of_a_scan() -> None:
    assert parse_units("1-3, 50,2") == (1, 2, 3, 50)
    for text in ("", "0-256", "5-1", "x", "-1"):
        with pytest.raises(ValueError, match=r"unit ids|invalid literal"):
            parse_units(text)


def test_devices_are_found_by_template_vendor_and_product() -> None:
    for words in (["heidelberg"], ["Walther", "Werke"], ["heidelberg-ec"]):
        lines, was_found = list_devices(words)
        assert was_found
        assert lines[0] == "heidelberg-ec: Heidelberg (Amperfied), charger"
    lines, was_found = list_devices(["eastron"])
    assert was_found
    assert any(line.startswith("eastron-sdm630 ") for line in lines) or lines[0].startswith("eastron-sdm630")
    assert list_devices(["no such thing"]) == (["no device matches no such thing"], False)


def test_every_device_can_be_described() -> None:
    for profile in profiles.all_profiles():
        assert describe(profile)[0].startswith(f"{profile.id}: ")
