"""A device that there is not: what is near, and which protocol the one that was named speaks."""

from __future__ import annotations

import pytest

from evcc_server.profiles import profile as profiles
from evcc_server.profiles.near_names import advice, near_names
from evcc_server.tools.devices_list import list_devices

SEARCHED = [
    (
        "go-e-v3",
        "it speaks HTTP, not Modbus: did you mean go-e-charger (Modbus)? Or write type: custom with source: http",
    ),
    ("goe", "it speaks HTTP, not Modbus: did you mean go-e-charger (Modbus)? Or write type: custom with source: http"),
    (
        "fronius-solarapi-v1",
        "it speaks HTTP, not Modbus: did you mean fronius-gen24 (Modbus)? Or write type: custom with",
    ),
    ("openwb-pro", "it speaks HTTP, not Modbus: did you mean openwb-2.0"),
    ("easee", "it is reached through its maker's cloud, which is not supported"),
    ("sungrow-hybird", "did you mean sungrow-hybrid?"),
    ("kebba", "did you mean keba-p40, keba-p30"),
]


@pytest.mark.parametrize(("word", "said"), SEARCHED, ids=[row[0] for row in SEARCHED])
def test_a_search_that_finds_nothing_names_what_is_near_and_the_protocol(word: str, said: str) -> None:
    lines, is_found = list_devices([word])
    assert (len(lines), is_found) == (1, False)
    assert lines[0].startswith(f"no device matches {word}, {said}")


def test_nothing_near_is_nothing() -> None:
    assert list_devices(["zzzzz"]) == (["no device matches zzzzz"], False)
    assert near_names("x", ["xy"]) == near_names("-", ["xy"]) == ()


def test_no_name_of_ours_is_said_to_speak_something_else() -> None:
    names = {name for profile in profiles.all_profiles() for name in (profile.id, *profile.templates)}
    assert not [name for name in names if "not Modbus" in advice(name, ())]
