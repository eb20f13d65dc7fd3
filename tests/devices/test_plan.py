"""Which requests a poll is made of."""

from __future__ import annotations

import pytest

from evcc_server.devices.template.plan import READ_FUNCTION, Spot, merge
from evcc_server.profiles.profile import Connection, Profile, Register

POWER = Register(name="power", address=10, function="holding", type="uint32", count=2)
GAP = Register(name="gap", address=12, function="holding", type="float32", count=2)
ENERGY = Register(name="energy", address=14, function="holding", type="uint32", count=2)
FAR = Register(name="far", address=120, function="holding", type="uint16")


def requests(
    *registers: Register, reads: str = "listed", wanted: str = "power energy", **ways: object
) -> list[list[int]]:
    """Address and count of each request for ``wanted``, of a device that has ``registers``."""
    connection = Connection(transports=("tcp",), reads=reads, **ways)  # type: ignore[arg-type]  # names of the cases below
    profile = Profile(id="x", kind="meter", vendor="x", connection=connection, registers=registers)
    spots = [
        Spot(key=r.key, register=r, unit=1, function=READ_FUNCTION[r.function], address=r.address)
        for r in registers
        if r.name in wanted.split()
    ]
    return [[chunk.request.address, chunk.request.count] for chunk in merge(profile, spots)]


def test_what_touches_comes_in_one_request() -> None:
    assert requests(POWER, GAP, ENERGY, wanted="power gap energy", reads="adjacent") == [[10, 6]]


def test_registers_that_the_profile_lists_may_lie_between() -> None:
    assert requests(POWER, GAP, ENERGY) == [[10, 6]]


def test_unless_the_device_takes_only_what_is_asked_for() -> None:
    assert requests(POWER, GAP, ENERGY, reads="adjacent") == [[10, 2], [14, 2]]
    assert requests(POWER, GAP, ENERGY, reads="single") == [[10, 2], [14, 2]]


@pytest.mark.parametrize(
    "between",
    [
        (),
        (Register(name="half", address=12, function="holding", type="uint16"),),
        (Register(name="gap", address=12, function="input", type="float32", count=2),),
        (Register(name="gap", address=12, function="holding", type="float32", count=2, access="w"),),
        (Register(name="gap", address=12, function="holding", type="float32", count=2, unit_id=200),),
        (Register(name="gap", address=12, function="holding", type="float32", count=2, per_connector=True),),
        (Register(name="gap", address=12, function="holding", type="float32", count=2, model=103),),
    ],
    ids=["nothing", "a part", "another function", "write only", "another unit", "it moves", "a model"],
)
def test_a_gap_that_is_not_known_to_be_readable_is_not_read(between: tuple[Register, ...]) -> None:
    assert requests(POWER, *between, ENERGY) == [[10, 2], [14, 2]]


def test_no_request_is_longer_than_the_device_allows() -> None:
    run = [
        Register(name=f"r{address}", address=address, function="holding", type="uint16") for address in range(16, 120)
    ]
    assert requests(POWER, GAP, ENERGY, *run, FAR, wanted="power far") == [[10, 111]]
    assert requests(POWER, GAP, ENERGY, *run, FAR, wanted="power far", max_read=110) == [[10, 2], [120, 1]]
