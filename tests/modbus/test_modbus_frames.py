"""Frames without I/O: what is not the answer is never taken for one."""

from __future__ import annotations

import itertools
import struct

import pytest
from fake_device import ascii_frame, mbap, rtu
from fake_device import crc16 as bitwise_crc16
from hypothesis import given, settings
from hypothesis import strategies as st

from evcc_server.modbus.fast_read import crc16
from evcc_server.modbus.wire import Answer, Exchange, Framing, Inbox, Request, WireError, answer_frame

READ = Request(unit=3, function=3, address=1000, count=4)
WORDS = (0x1234, 0, 0xFFFF, 3)
PDU = struct.pack(">BB4H", 3, 8, *WORDS)


def fed(framing: Framing, request: Request, received: bytes, transaction: int = 9) -> Answer | None:
    return Exchange(framing, request, transaction).feed(received)


@pytest.mark.parametrize(
    ("request_", "pdu"),
    [
        (Request(unit=1, function=1, address=19, count=10), "01 0013 000a"),
        (Request(unit=1, function=2, address=196, count=22), "02 00c4 0016"),
        (Request(unit=1, function=3, address=107, count=3), "03 006b 0003"),
        (Request(unit=1, function=4, address=8, count=1), "04 0008 0001"),
        (Request(unit=1, function=5, address=172, values=(1,)), "05 00ac ff00"),
        (Request(unit=1, function=5, address=172, values=(0,)), "05 00ac 0000"),
        (Request(unit=1, function=6, address=1, values=(3,)), "06 0001 0003"),
        (Request(unit=1, function=15, address=19, values=(1, 0, 1, 1, 0, 0, 1, 1, 1, 0)), "0f 0013 000a 02 cd01"),
        (Request(unit=1, function=16, address=1, values=(10, 258)), "10 0001 0002 04 000a 0102"),
    ],
)
def test_every_function_goes_out_as_the_standard_says(request_: Request, pdu: str) -> None:
    expected = bytes.fromhex(pdu)
    assert Exchange(Framing.SOCKET, request_, 0x1501).frame() == mbap(0x1501, 1, expected)
    assert Exchange(Framing.RTU, request_).frame() == rtu(1, expected)
    assert Exchange(Framing.ASCII, request_).frame() == ascii_frame(1, expected)


@pytest.mark.parametrize(
    "request_",
    [
        Request(unit=1, function=3, address=70000, count=1),
        Request(unit=1, function=3, address=0, count=126),
        Request(unit=1, function=3, address=0, count=0),
        Request(unit=1, function=6, address=0, values=(65536,)),
        Request(unit=1, function=6, address=0, values=(-1,)),
        Request(unit=1, function=43, address=0),
    ],
)
def test_what_no_frame_can_carry_is_refused(request_: Request) -> None:
    for framing in Framing:
        with pytest.raises(ValueError, match=r"."):
            Exchange(framing, request_).frame()


FRAMES = {
    Framing.SOCKET: mbap(9, 3, PDU),
    Framing.RTU: rtu(3, PDU),
    Framing.ASCII: ascii_frame(3, PDU),
}


@settings(deadline=None)
@given(st.sampled_from(list(Framing)), st.lists(st.integers(1, 40), max_size=5))
def test_an_answer_may_come_in_any_pieces(framing: Framing, cuts: list[int]) -> None:
    exchange, frame, found = Exchange(framing, READ, 9), FRAMES[framing], None
    edges = sorted({0, len(frame), *(cut for cut in cuts if cut < len(frame))})
    for start, end in itertools.pairwise(edges):
        assert found is None
        found = exchange.feed(frame[start:end])
    assert found == Answer(values=WORDS)


SERIAL = st.sampled_from([Framing.RTU, Framing.ASCII])


@settings(deadline=None)
@given(SERIAL, st.integers(0, 4), st.integers(0, 8), st.integers(0, 12))
def test_zeros_around_a_serial_answer_are_none_of_it(framing: Framing, before: int, after: int, cut: int) -> None:
    exchange, received = Exchange(framing, READ, 9), bytes(before) + FRAMES[framing] + bytes(after)
    assert exchange.feed(received[:cut]) is None
    assert exchange.feed(received[cut:]) == Answer(values=WORDS)


def test_an_ascii_answer_may_begin_with_another_sign() -> None:
    assert fed(Framing.ASCII, READ, b">" + FRAMES[Framing.ASCII][1:]) == Answer(values=WORDS)
    with pytest.raises(WireError):
        fed(Framing.ASCII, READ, FRAMES[Framing.ASCII][1:])


WRITE = Request(unit=3, function=6, address=100, values=(7,))
WRITE_MANY = Request(unit=3, function=16, address=100, values=(7, 8))
CONFIRMED, CONFIRMED_MANY = bytes.fromhex("0600640007"), bytes.fromhex("1000640002")
WRAPPED = {Framing.RTU: rtu, Framing.ASCII: ascii_frame}


@settings(deadline=None)
@given(
    SERIAL,
    st.sampled_from([READ, WRITE, WRITE_MANY]),
    st.booleans(),
    st.integers(0, 2),
    st.lists(st.integers(1, 80), max_size=4),
)
def test_what_an_adapter_echoes_is_no_answer(
    framing: Framing, request_: Request, is_refused: bool, zeros: int, cuts: list[int]
) -> None:
    exchange = Exchange(framing, request_, echoes=True)
    done = {3: PDU, 6: CONFIRMED, 16: CONFIRMED_MANY}[request_.function]
    pdu = bytes([request_.function | 0x80, 2]) if is_refused else done
    received = bytes(zeros) + exchange.frame() + bytes(zeros) + WRAPPED[framing](3, pdu)
    edges = sorted({0, len(received), *(cut for cut in cuts if cut < len(received))})
    answers = [exchange.feed(received[start:end]) for start, end in itertools.pairwise(edges)]
    values = WORDS if request_ is READ else ()
    assert answers[-1] == (Answer(exception=2) if is_refused else Answer(values=values))
    assert answers[:-1] == [None] * (len(answers) - 1)


@pytest.mark.parametrize("framing", [Framing.RTU, Framing.ASCII])
def test_a_refusal_that_comes_with_the_echo_counts_though_nobody_knew_of_echoes(framing: Framing) -> None:
    exchange = Exchange(framing, WRITE)
    assert exchange.feed(exchange.frame() + WRAPPED[framing](3, bytes([0x86, 2]))) == Answer(exception=2)
    exchange = Exchange(framing, WRITE)
    assert exchange.feed(exchange.frame()) == Answer()


@pytest.mark.parametrize("framing", [Framing.RTU, Framing.ASCII])
def test_zeros_after_a_confirmation_do_not_make_it_an_echo(framing: Framing) -> None:
    exchange = Exchange(framing, WRITE)
    assert exchange.feed(exchange.frame() + bytes(2)) == Answer()


@pytest.mark.parametrize("framing", [Framing.RTU, Framing.ASCII])
def test_a_line_is_known_to_echo_from_what_cannot_be_an_answer(framing: Framing) -> None:
    for request_, is_echoed, told in [(READ, True, True), (READ, False, False), (WRITE, False, None)]:
        exchange = Exchange(framing, request_)
        echo = exchange.frame() if is_echoed else b""
        assert exchange.feed(echo + (exchange.frame() if request_ is WRITE else FRAMES[framing])) is not None
        assert exchange.heard_echo is told


def test_a_confirmation_that_the_request_begins_with_is_an_answer() -> None:
    """Its checksum (here 0x6804) may be what comes next in the request: a count of bytes and the first of them."""
    confirmed = next(
        (address, rtu(3, bytes([16]) + struct.pack(">HH", address, 2)))
        for address in range(0x10000)
        if rtu(3, bytes([16]) + struct.pack(">HH", address, 2))[-2] == 4
    )
    address, frame = confirmed
    exchange = Exchange(Framing.RTU, Request(unit=3, function=16, address=address, values=(frame[-1] << 8, 0)))
    assert exchange.frame().startswith(frame)
    assert exchange.feed(frame) == Answer()


@settings(deadline=None)
@given(st.lists(st.integers(0, 8 * len(FRAMES[Framing.RTU]) - 1), min_size=1, max_size=3, unique=True))
def test_up_to_three_flipped_bits_on_a_serial_line_are_always_noticed(flips: list[int]) -> None:
    damaged = bytearray(FRAMES[Framing.RTU])
    for flip in flips:
        damaged[flip // 8] ^= 1 << flip % 8
    try:
        answer = fed(Framing.RTU, READ, bytes(damaged))
    except WireError:
        return
    assert answer is None


@given(st.binary(max_size=260))
def test_the_checksum_is_the_one_worked_out_bit_by_bit(frame: bytes) -> None:
    assert crc16(frame) == bitwise_crc16(frame)


@settings(deadline=None)
@given(st.sampled_from(list(Framing)), st.binary(max_size=80))
def test_noise_is_never_a_number(framing: Framing, noise: bytes) -> None:
    try:
        answer = fed(framing, READ, noise)
    except WireError:
        return
    assert answer is None


@settings(deadline=None)
@given(st.sampled_from(list(Framing)), st.integers(0, 255), st.integers(1, 127), st.integers(0, 9))
def test_only_the_right_unit_function_and_length_is_an_answer(
    framing: Framing, unit: int, function: int, count: int
) -> None:
    pdu = bytes([function, 2 * count]) + bytes(2 * count)
    frame = {Framing.SOCKET: mbap(9, unit, pdu), Framing.RTU: rtu(unit, pdu), Framing.ASCII: ascii_frame(unit, pdu)}
    try:
        answer = fed(framing, READ, frame[framing])
    except WireError:
        answer = None
    if answer is not None:
        assert (unit, function, count) == (3, 3, 4)


def test_answers_to_former_requests_are_skipped_on_tcp() -> None:
    exchange = Exchange(Framing.SOCKET, READ, 9)
    late = mbap(8, 3, struct.pack(">BB4H", 3, 8, 1, 1, 1, 1))
    assert exchange.feed(late + late[:5]) is None
    assert exchange.feed(late[5:] + FRAMES[Framing.SOCKET]) == Answer(values=WORDS)


def test_a_flood_ends() -> None:
    exchange = Exchange(Framing.ASCII, READ)
    with pytest.raises(WireError, match="more bytes"):
        for _ in range(100):
            exchange.feed(b":" + b"0" * 20)


@pytest.mark.parametrize("framing", list(Framing))
@pytest.mark.parametrize(
    ("request_", "echo"),
    [
        (Request(unit=3, function=6, address=7, values=(8,)), "06 0007 0009"),
        (Request(unit=3, function=6, address=7, values=(8,)), "06 0008 0008"),
        (Request(unit=3, function=16, address=7, values=(8, 9)), "10 0007 0001"),
        (Request(unit=3, function=5, address=7, values=(1,)), "05 0007 0000"),
        (Request(unit=3, function=15, address=7, values=(1, 1)), "0f 0009 0002"),
    ],
)
def test_a_write_is_confirmed_only_by_its_own_echo(framing: Framing, request_: Request, echo: str) -> None:
    pdu = bytes.fromhex(echo)
    frame = {Framing.SOCKET: mbap(9, 3, pdu), Framing.RTU: rtu(3, pdu), Framing.ASCII: ascii_frame(3, pdu)}[framing]
    with pytest.raises(WireError):
        fed(framing, request_, frame)


@pytest.mark.parametrize("framing", list(Framing))
def test_an_exception_is_an_answer(framing: Framing) -> None:
    pdu = bytes([0x83, 2])
    frame = {Framing.SOCKET: mbap(9, 3, pdu), Framing.RTU: rtu(3, pdu), Framing.ASCII: ascii_frame(3, pdu)}[framing]
    assert fed(framing, READ, frame) == Answer(exception=2)


def requests(functions: list[int], **parts: st.SearchStrategy[object]) -> st.SearchStrategy[Request]:
    return st.builds(
        Request,
        unit=st.integers(0, 255),
        function=st.sampled_from(functions),
        address=st.integers(0, 65535),
        **parts,
    )


def several(low: int, high: int, at_most: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(st.integers(low, high), min_size=1, max_size=at_most).map(tuple)


REQUESTS = st.one_of(
    requests([1, 2], count=st.integers(1, 2000)),
    requests([3, 4], count=st.integers(1, 125)),
    requests([5], values=several(0, 1, 1)),
    requests([6], values=several(0, 65535, 1)),
    requests([15], values=several(0, 1, 200)),
    requests([16], values=several(0, 65535, 123)),
)


@settings(deadline=None)
@given(REQUESTS, st.integers(1, 65535), st.data())
def test_the_proxy_understands_every_request_and_its_answers_are_understood(
    request_: Request, transaction: int, data: st.DataObject
) -> None:
    exchange = Exchange(Framing.SOCKET, request_, transaction)
    (incoming,) = Inbox().feed(exchange.frame())
    assert incoming.transaction == transaction
    assert incoming.request is not None
    seen = incoming.request
    assert (seen.unit, seen.function, seen.address, seen.values) == (
        request_.unit,
        request_.function,
        request_.address,
        request_.values,
    )
    values: tuple[int, ...] = ()
    if not request_.values:
        highest = 1 if request_.function in (1, 2) else 65535
        values = tuple(data.draw(st.lists(st.integers(0, highest), min_size=request_.count, max_size=request_.count)))
    assert exchange.feed(answer_frame(incoming, Answer(values=values))) == Answer(values=values)


@settings(deadline=None)
@given(
    st.sampled_from([Framing.SOCKET, Framing.RTU]),
    requests([3, 4], count=st.integers(1, 125)),
    st.integers(1, 65535),
    st.data(),
)
def test_the_quick_way_reads_what_pymodbus_reads(
    framing: Framing, request_: Request, transaction: int, data: st.DataObject
) -> None:
    words = tuple(data.draw(st.lists(st.integers(0, 0xFFFF), min_size=request_.count, max_size=request_.count)))
    pdu = struct.pack(f">BB{len(words)}H", request_.function, 2 * len(words), *words)
    frame = mbap(transaction, request_.unit, pdu) if framing is Framing.SOCKET else rtu(request_.unit, pdu)
    at_once, in_two = Exchange(framing, request_, transaction), Exchange(framing, request_, transaction)
    assert in_two.feed(frame[:5]) is None
    assert at_once.feed(frame) == in_two.feed(frame[5:]) == Answer(values=words)
