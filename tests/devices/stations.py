"""Stations for the bench: words that they hold, words that they must get. Numbers are by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Write = tuple[int, int, tuple[int, ...]]
"""Function, address, words."""
Words = Mapping[str, Sequence[int]]
"""``space address``, or ``unit space address``, to words."""
Status = tuple[Words, str | None, bool | None]
"""What is put into the device, the letter, and whether it is enabled (None: not looked at)."""


@dataclass(frozen=True, kw_only=True)
class Station:
    """One station. ``commands``: the writes of enable (6 A), 10.75 A, disable, 12 A, enable, 99 A."""

    profile: str
    note: str = ""
    unit: int | None = None
    connector: int | None = None
    words: Words
    commands: Sequence[list[Write]]
    statuses: Sequence[Status]
    start: list[Write] = field(default_factory=list)
    phases: tuple[list[Write], list[Write]] | None = None
    keepalive_s: float | None = None
    kick: list[Write] = field(default_factory=list)

    @property
    def title(self) -> str:
        return f"{self.profile} {self.note}".strip()


def w(function: int, address: int, *words: int) -> Write:
    return (function, address, words)


def pausing(function: int, address: int, *raw: int, pause: int = 0) -> list[list[Write]]:
    """A one-word limit that also pauses: ``raw`` are 6, 10.75, 12 A and the most, as the device counts."""
    six, ten, twelve, most = (w(function, address, number) for number in raw)
    return [[six], [ten], [w(function, address, pause)], [], [twelve], [most]]


def switched(on: list[Write], off: list[Write], ten: Write, twelve: Write, most: Write) -> list[list[Write]]:
    """A limit and a separate switch."""
    return [on, [ten], off, [twelve], on, [most]]


def words_of(space: str, address: int, letters: Mapping[int, str | None]) -> list[Status]:
    """One word and its letters."""
    return [({f"{space} {address}": [raw]}, letter, None) for raw, letter in letters.items()]


def text(letters: str, count: int = 1) -> list[int]:
    data = letters.encode("ascii").ljust(2 * count, b"\0")
    return [data[place] << 8 | data[place + 1] for place in range(0, 2 * count, 2)]


def texts_of(space: str, address: int, count: int, letters: Mapping[str, str | None]) -> list[Status]:
    return [({f"{space} {address}": text(raw, count)}, letter, None) for raw, letter in letters.items()]


ABL = {0x01A1: "A", 0xB1: "B", 0xB2: "B", 0xC2: "C", 0xC3: "C", 0xC4: "C", 0xE0: "E", 0xF3: "F", 0xD0: None}
HEIDELBERG = {2: "A", 3: "A", 4: "B", 5: "B", 6: "C", 7: "C", 8: "E", 9: "E", 10: "F", 11: "E", 1: None}
VICTRON = {0: "A", 1: "B", 2: "C", 3: "B", 5: "B", 6: "B", 21: "B", 22: "B", 8: "F", 4: None}
SOLAX = {0: "A", 5: "A", 1: "B", 3: "B", 7: "B", 8: "B", 11: "B", 12: "B", 13: "B", 17: "B", 2: "C", 4: "F", 9: None}
LETTERS = {65: "A", 66: "B", 67: "C", 68: "C", 69: "E", 70: "F", 73: None}

STATIONS: list[Station] = [
    Station(
        profile="abb-terra-ac",
        words={
            "holding 16390": [0, 20_000],  # it takes 20 A at most
            "holding 16394": [0, 0],
            "holding 16396": [0, 0],
            "holding 16398": [0, 0],
            "holding 16416": [40],
        },
        commands=[
            [w(16, 16640, 0, 6000)],
            [w(16, 16640, 0, 10_750)],
            [w(16, 16640, 0, 0)],
            [],
            [w(16, 16640, 0, 12_000)],
            [w(16, 16640, 0, 20_000)],
        ],
        statuses=[
            ({}, "A", False),
            ({"holding 16396": [0, 0x0100], "holding 16398": [0, 6000]}, "B", True),
            ({"holding 16396": [0, 0x0200]}, "B", True),
            ({"holding 16396": [0, 0x8300]}, "B", True),
            ({"holding 16396": [0, 0x8400]}, "C", True),
            ({"holding 16396": [0, 0x0500], "holding 16394": [0, 0x11]}, "A", None),
            ({"holding 16394": [0, 0x0101]}, "B", None),
            ({"holding 16396": [0, 0x0600]}, None, None),
        ],
        keepalive_s=10,
    ),
    Station(
        profile="abl-em4",
        words={"holding 12337": [0xA1], "holding 12338": [0]},
        commands=pausing(16, 12338, 60, 107, 120, 320),
        statuses=words_of("holding", 12337, ABL),
    ),
    Station(
        profile="abl-em4",
        note="connector 2",
        connector=2,
        words={"holding 12593": [0xA1], "holding 12594": [0]},
        commands=pausing(16, 12594, 60, 107, 120, 320),
        statuses=words_of("holding", 12593, ABL),
    ),
    Station(
        profile="alfen-ng9xx",
        words={
            "200 holding 1100": [0x4200, 0],
            "holding 1201": text("A", 5),
            "holding 1206": [0, 0],
            "holding 1210": [0, 0],
        },
        commands=[
            [w(16, 1210, 0x40C0, 0)],
            [w(16, 1210, 0x412C, 0)],
            [w(16, 1210, 0, 0)],
            [],
            [w(16, 1210, 0x4140, 0)],
            [w(16, 1210, 0x4200, 0)],
        ],
        statuses=texts_of("holding", 1201, 5, {"A": "A", "B1": "B", "B2": "B", "C1": "B", "C2": "C", "F": "F"}),
        keepalive_s=25,
        kick=[w(16, 1210, 0, 0)],
    ),
    Station(
        profile="alphatec",
        words={"holding 0": [1], "holding 5": [0]},
        commands=pausing(16, 5, 6, 10, 12, 32),
        statuses=[*words_of("holding", 0, {1: "A", 2: "B", 8: "B", 3: "C", 4: None}), ({"holding 0": [2]}, "B", False)],
    ),
    Station(
        profile="amperfied",
        note="solar",
        words={
            "input 5": [2],
            "input 100": [16],
            "holding 257": [0],
            "holding 259": [1],
            "holding 261": [0],
            "holding 262": [100],
            "input 5001": [3],
        },
        start=[w(16, 262, 60), w(16, 257, 15_000)],  # 10 A are more than safe; the watchdog was off
        commands=pausing(16, 261, 60, 107, 120, 160),
        statuses=words_of("input", 5, HEIDELBERG),
        phases=([w(16, 501, 1)], [w(16, 501, 3)]),
        keepalive_s=3.75,
    ),
    Station(
        profile="amperfied",
        note="home, one size",
        words={"input 5": [2], "input 100": [8], "holding 257": [4000], "holding 259": [1], "holding 261": [0]},
        commands=pausing(16, 261, 60, 80, 80, 80),  # set to 8 A by its switch
        statuses=words_of("input", 5, HEIDELBERG),
        keepalive_s=1,
    ),
    Station(
        profile="bender-cc",
        note="4You",
        words={
            "holding 122": [1],
            "holding 133": [16],
            "holding 142": text("4You", 10),
            "holding 1000": [0],
            "holding 1001": [0],
            "holding 1002": [65_535],
        },
        commands=pausing(16, 1001, 60, 107, 120, 160),
        statuses=words_of("holding", 122, {1: "A", 2: "B", 3: "C", 4: "C", 5: "E", 6: None}),
        phases=([w(16, 1002, 3725)], [w(16, 1002, 65_535)]),
    ),
    Station(
        profile="bender-cc",
        note="CC613",
        words={"holding 122": [1], "holding 142": text("CC613", 10), "holding 1000": [0]},
        commands=pausing(16, 1000, 6, 10, 12, 32),
        statuses=words_of("holding", 122, {1: "A", 2: "B", 3: "C", 4: "C", 5: "E", 0: None}),
    ),
    Station(
        profile="bender-cc",
        note="legacy",
        words={"holding 122": [1], "holding 1000": [0]},
        commands=pausing(16, 1000, 6, 10, 12, 32),
        statuses=[({"holding 122": [2], "holding 1000": [6]}, "B", True), ({"holding 1000": [0]}, "B", False)],
    ),
    Station(
        profile="cfos-power-brain",
        words={
            "holding 8057": [1],
            "holding 8087": [0],
            "holding 8092": [0],
            "holding 8093": [60],
            "holding 8094": [0],
            "holding 8112": [1],
            "holding 8113": [0x0100],
        },
        commands=switched([w(6, 8094, 1)], [w(6, 8094, 0)], w(6, 8093, 107), w(6, 8093, 120), w(6, 8093, 320)),
        statuses=[
            *words_of("holding", 8092, {0x0700: "A", 1: "B", 2: "C", 3: "C", 4: "E", 5: "F", 6: None}),
            ({"holding 8092": [1], "holding 8094": [0xFF01]}, "B", True),
            ({"holding 8094": [0xFF00]}, "B", False),
        ],
        phases=([w(6, 8087, 1)], [w(6, 8087, 0)]),
    ),
    Station(
        profile="cfos-power-brain",
        note="without relay",
        words={
            "holding 8092": [0],
            "holding 8093": [60],
            "holding 8094": [0],
            "holding 8112": [0],
            "holding 8113": [1],
        },
        commands=switched([w(6, 8094, 1)], [w(6, 8094, 0)], w(6, 8093, 107), w(6, 8093, 120), w(6, 8093, 320)),
        statuses=words_of("holding", 8092, {0: "A", 1: "B", 2: "C"}),
    ),
    Station(
        profile="dadapower",
        words={"input 102": [0], "input 1000": [0], "input 1002": [3], "input 1016": [10]},
        start=[w(6, 102, 300)],
        commands=switched([w(6, 1000, 1)], [w(6, 1000, 0)], w(6, 1001, 1075), w(6, 1001, 1200), w(6, 1001, 3200)),
        statuses=[
            *words_of("input", 1016, {10: "A", 11: "B", 12: "C", 13: "C", 14: "E", 0: None}),
            ({"input 1016": [11], "input 1000": [1]}, "B", True),
        ],
        phases=([w(6, 1002, 1)], [w(6, 1002, 3)]),
        keepalive_s=60,
    ),
    Station(
        profile="dadapower",
        note="unit 2",
        unit=2,
        words={"input 102": [300], "input 2000": [0], "input 2002": [3], "input 2016": [10]},
        commands=switched([w(6, 2000, 1)], [w(6, 2000, 0)], w(6, 2001, 1075), w(6, 2001, 1200), w(6, 2001, 3200)),
        statuses=words_of("input", 2016, {10: "A", 11: "B", 12: "C"}),
        phases=([w(6, 2002, 1)], [w(6, 2002, 3)]),
        keepalive_s=60,
    ),
    Station(
        profile="daheimladen",
        note="Pro",
        words={
            "holding 0": [1],
            "holding 12": [0, 0],
            "holding 32": [160],
            "holding 87": [60],
            "holding 89": [60],
            "holding 91": [0],
            "holding 184": [3],
        },
        start=[w(16, 91, 1)],  # 0 lets it start sessions of its own
        commands=pausing(16, 91, 60, 107, 120, 160, pause=1),
        statuses=[
            ({}, "A", False),
            ({"holding 0": [2], "holding 91": [60]}, "B", True),
            ({"holding 0": [3]}, "B", None),
            ({"holding 0": [4]}, "B", None),  # says charging, draws nothing
            ({"holding 12": [0, 4140]}, "C", True),
            ({"holding 0": [5]}, "B", None),
            ({"holding 0": [6], "holding 91": [1]}, "B", False),
            ({"holding 0": [9]}, "A", None),
        ],
        phases=([w(16, 186, 1)], [w(16, 186, 3)]),
        keepalive_s=30,
    ),
    Station(
        profile="daheimladen",
        note="Smart",
        words={
            "holding 0": [1],
            "holding 12": [0, 0],
            "holding 87": [160],
            "holding 89": [0],
            "holding 91": [1],
        },
        start=[w(16, 87, 60), w(16, 89, 60)],
        commands=pausing(16, 91, 60, 107, 120, 160, pause=1),
        statuses=words_of("holding", 0, {1: "A", 2: "B", 7: None}),
        keepalive_s=30,
    ),
    Station(
        profile="em2go-duo",
        note="connector 1",
        connector=1,
        words={
            "holding 50": [60],
            "holding 52": [60],
            "holding 56": [0x0301],
            "holding 300": [6],
            "holding 302": [0],
        },
        commands=switched([w(16, 302, 1)], [w(16, 302, 0)], w(16, 300, 10), w(16, 300, 12), w(16, 300, 32)),
        statuses=words_of(
            "holding", 56, {0x0301: "A", 0x0302: "B", 0x0103: "C", 0x0304: "B", 0x0309: "A", 0x0308: None}
        ),
        keepalive_s=30,
    ),
    Station(
        profile="em2go-duo",
        note="connector 2",
        connector=2,
        words={
            "holding 50": [60],
            "holding 52": [60],
            "holding 56": [0x0103],
            "holding 556": [6],
            "holding 558": [0],
        },
        commands=switched([w(16, 558, 1)], [w(16, 558, 0)], w(16, 556, 10), w(16, 556, 12), w(16, 556, 32)),
        statuses=words_of("holding", 56, {0x0103: "A", 0x0203: "B", 0x0301: "C", 0x0603: "B"}),
        keepalive_s=30,
    ),
    Station(
        profile="em2go",
        words={
            "holding 0": [1],
            "holding 32": [160],
            "holding 87": [60],
            "holding 89": [60],
            "holding 91": [0],
            "holding 95": [2],
            "holding 200": [3],
        },
        commands=[
            [w(16, 95, 1), w(16, 91, 60)],
            [w(16, 91, 100)],
            [w(16, 95, 2), w(16, 91, 0)],
            [w(16, 91, 120)],
            [w(16, 95, 1), w(16, 91, 120)],
            [w(16, 91, 160)],
        ],
        statuses=[
            *words_of("holding", 0, {1: "A", 2: "B", 3: "B", 6: "B", 4: "C", 5: None}),
            ({"holding 0": [2], "holding 95": [1]}, "B", True),
        ],
        phases=([w(16, 200, 1)], [w(16, 200, 3)]),
        keepalive_s=30,
    ),
    Station(
        profile="etrel-inch",
        words={"input 0": [1], "input 4": [0, 0]},
        commands=[
            [w(16, 8, 0x40C0, 0)],
            [w(16, 8, 0x412B, 0x3333)],
            [w(16, 8, 0, 0)],
            [],
            [w(16, 8, 0x4140, 0)],
            [w(16, 8, 0x4200, 0)],
        ],
        statuses=[
            *words_of("input", 0, {0: "A", 1: "A", 2: "A", 3: "B", 5: "B", 6: "B", 7: "B", 9: "B", 4: "C", 8: "F"}),
            ({"input 0": [3], "input 4": [0x40C0, 0]}, "B", True),
        ],
    ),
    Station(
        profile="etrel-inch",
        note="connector 2",
        connector=2,
        words={"input 100": [1], "input 104": [0, 0]},
        commands=[
            [w(16, 108, 0x40C0, 0)],
            [w(16, 108, 0x412B, 0x3333)],
            [w(16, 108, 0, 0)],
            [],
            [w(16, 108, 0x4140, 0)],
            [w(16, 108, 0x4200, 0)],
        ],
        statuses=words_of("input", 100, {1: "A", 3: "B", 4: "C"}),
    ),
    Station(
        profile="evse-din",
        note="firmware 16",
        words={"holding 1000": [0], "holding 1002": [1], "holding 1005": [16], "holding 2005": [0]},
        commands=pausing(16, 1000, 6, 10, 12, 32),
        statuses=words_of("holding", 1002, {1: "A", 2: "B", 3: "C", 4: "C", 5: "E", 6: None}),
    ),
    Station(
        profile="evse-din",
        note="firmware 17",
        words={"holding 1000": [0], "holding 1002": [1], "holding 1005": [17], "holding 2005": [0x21]},
        start=[w(16, 2005, 0xA1)],
        commands=pausing(16, 1000, 600, 1075, 1200, 3200),
        statuses=words_of("holding", 1002, {1: "A", 2: "B", 3: "C"}),
    ),
    Station(
        profile="go-e-charger",
        words={"input 100": [1], "holding 200": [1], "holding 211": [16], "holding 332": [2], "holding 337": [1]},
        commands=switched([w(16, 337, 2)], [w(16, 337, 1)], w(16, 299, 10), w(16, 299, 12), w(16, 299, 16)),
        statuses=[
            *words_of("input", 100, {0: "F", 1: "A", 2: "C", 3: "B", 4: "B", 5: None}),
            ({"input 100": [3], "holding 337": [0]}, "B", True),
            ({"holding 337": [2]}, "B", True),
        ],
        phases=([w(16, 332, 1)], [w(16, 332, 2)]),
    ),
    Station(
        profile="go-e-charger",
        note="older firmware",
        words={"input 100": [1], "holding 200": [0], "holding 211": [32]},
        commands=switched([w(16, 200, 1)], [w(16, 200, 0)], w(16, 299, 10), w(16, 299, 12), w(16, 299, 32)),
        statuses=words_of("input", 100, {1: "A", 2: "C", 3: "B"}),
    ),
    Station(
        profile="goodwe-hca",
        note="11 kW",
        words={
            "holding 10017": [0],
            "holding 10023": [1],
            "holding 10032": [1],
            "holding 10058": [1],
            "holding 10059": [0],
            "holding 10060": [1],
        },
        start=[w(6, 10032, 0)],
        # in steps of 0.15 A: 10.65 A on three phases are 7348 W, 12 A 8280 W, 15.9 A 10971 W
        commands=switched([w(6, 10060, 2)], [w(6, 10060, 1)], w(6, 10029, 73), w(6, 10029, 82), w(6, 10029, 109)),
        statuses=[
            *words_of("holding", 10017, {0: "A", 1: "B", 2: "B", 3: "C", 4: "B", 6: "B", 10: "B", 5: None}),
            ({"holding 10017": [1], "holding 10060": [2]}, "B", True),
        ],
        phases=([w(6, 10029, 14)], [w(6, 10029, 41)]),
    ),
    Station(
        profile="goodwe-hca",
        note="7 kW, one phase",
        words={
            "holding 10017": [0],
            "holding 10023": [1],
            "holding 10032": [0],
            "holding 10058": [0],
            "holding 10059": [1],
            "holding 10060": [1],
        },
        # 10.65 A on one phase are 2449 W, 12 A 2760 W
        commands=switched([w(6, 10060, 2)], [w(6, 10060, 1)], w(6, 10029, 24), w(6, 10029, 27), w(6, 10029, 70)),
        statuses=words_of("holding", 10017, {0: "A", 1: "B", 3: "C"}),
    ),
    Station(
        profile="heidelberg-ec",
        words={"input 5": [2], "input 100": [16], "holding 257": [15_000], "holding 259": [1], "holding 261": [0]},
        start=[w(16, 258, 4)],
        commands=pausing(16, 261, 60, 107, 120, 160),
        statuses=words_of("input", 5, HEIDELBERG),
        keepalive_s=3.75,
    ),
    Station(
        profile="hesotec",
        words={"holding 4098": [1], "holding 4099": [6], "holding 16408": text("A")},
        commands=switched([w(16, 4098, 0)], [w(16, 4098, 1)], w(16, 4099, 10), w(16, 4099, 12), w(16, 4099, 32)),
        statuses=[
            *texts_of("holding", 16408, 1, {"A": "A", "B": "B", "C": "C", "C2": "C", "X": None}),
            ({"holding 16408": text("B"), "holding 4098": [0]}, "B", True),
            ({"holding 4098": [1]}, "B", False),
        ],
    ),
    Station(
        profile="innogy-ebox",
        words={
            "input 175": [6],
            "input 275": text("A", 2),
            "holding 1012": [0, 0],
            "holding 1014": [0, 0],
            "holding 1016": [0, 0],
        },
        commands=[
            [w(16, address, high, low) for address in (1012, 1014, 1016)]
            for high, low in ((0x40C0, 0), (0x412B, 0x3333), (0, 0))
        ]
        + [
            [],
            [w(16, address, 0x4140, 0) for address in (1012, 1014, 1016)],
            [w(16, address, 0x4200, 0) for address in (1012, 1014, 1016)],
        ],
        statuses=[
            *texts_of("input", 275, 2, {"A": "A", "B1": "B", "B2": "B", "C1": "B", "D1": "B", "C2": "C", "F": "F"}),
            *texts_of("input", 275, 2, {"E": "A", "?": None}),
            ({"input 275": text("B2", 2), "holding 1012": [0x40C0, 0]}, "B", True),
        ],
    ),
    Station(
        profile="keba-p30",
        words={"holding 1000": [0, 5], "holding 1004": [0, 7], "holding 1550": [0, 0], "holding 1602": [0, 30]},
        commands=switched([w(6, 5014, 1)], [w(6, 5014, 0)], w(6, 5004, 10_750), w(6, 5004, 12_000), w(6, 5004, 32_000)),
        statuses=[
            ({"holding 1004": [0, 3]}, "A", None),
            ({"holding 1004": [0, 5]}, "B", False),
            ({"holding 1000": [0, 3]}, "C", True),
            ({"holding 1000": [0, 4]}, "E", None),
        ],
        keepalive_s=15,
        kick=[w(6, 5018, 30)],
    ),
    Station(
        profile="keba-p40",
        words={
            "holding 1000": [0, 2],
            "holding 1004": [0, 7],
            "holding 1018": [0, 10_201],
            "holding 1550": [0, 3],
            "holding 1552": [0, 0],
            "holding 1600": [0, 16_000],
            "holding 1602": [0, 0],
            "holding 5004": [0],
        },
        start=[w(6, 5016, 6000), w(6, 5018, 60)],
        commands=pausing(6, 5004, 6000, 10_750, 12_000, 32_000),
        statuses=[
            ({"holding 1004": [0, 3]}, "A", False),
            ({"holding 1004": [0, 5], "holding 5004": [6000]}, "B", True),
            ({"holding 1000": [0, 3]}, "C", True),
            ({"holding 1000": [0, 4]}, "E", None),
        ],
        phases=([w(6, 5052, 0)], [w(6, 5052, 1)]),
        keepalive_s=30,
        kick=[w(6, 5018, 0)],  # the bytes on this bench do not follow what was written
    ),
    Station(
        profile="kse-wbx16",
        words={"holding 3": [0], "holding 53": [0], "input 16": [3], "input 48": [0x5200], "discrete 49": [0]},
        commands=pausing(6, 3, 6, 10, 12, 16),
        statuses=words_of("input", 16, {0: "A", 1: "A", 3: "A", 4: "B", 5: "C", 6: "E", 7: "E", 8: "E", 2: None}),
        phases=([w(6, 53, 1)], [w(6, 53, 0)]),
    ),
    Station(
        profile="kse-wbx16",
        note="older firmware",
        words={"holding 3": [0], "holding 53": [0], "input 16": [3], "input 48": [0x51FF], "discrete 49": [0]},
        commands=pausing(6, 3, 6, 10, 12, 16),
        statuses=words_of("input", 16, {3: "A", 4: "B", 5: "C"}),
    ),
    Station(
        profile="mennekes-compact",
        words={
            "holding 256": [1],
            "holding 770": [0, 0],
            "holding 772": [0x41A0, 0],  # 20 A by its switches
            "holding 774": [0x4200, 0],
            "holding 780": [2],
            "holding 3333": [0],
            "holding 3586": [0],
        },
        commands=[
            [w(16, 770, 0x40C0, 0), w(6, 3333, 1)],
            [w(16, 770, 0x412B, 0x3333)],
            [w(6, 3333, 0)],
            [w(16, 770, 0x4140, 0)],
            [w(16, 770, 0x4140, 0), w(6, 3333, 1)],
            [w(16, 770, 0x41A0, 0)],
        ],
        statuses=[
            *words_of("holding", 256, {1: "A", 2: "B", 3: "B", 4: "B", 5: "C", 6: "E", 0: "E", 7: "E", 8: None}),
            ({"holding 256": [4], "holding 3333": [1]}, "B", True),
        ],
        phases=([w(6, 3332, 1)], [w(6, 3332, 0)]),
        keepalive_s=5,
        kick=[w(6, 3328, 0x55AA)],
    ),
    Station(
        profile="mennekes-hcc3",
        words={"input 770": [1], "input 777": [32], "input 778": [16], "holding 1024": [0]},
        commands=pausing(6, 1024, 6, 10, 12, 16),
        statuses=words_of("input", 770, {1: "A", 2: "A", 3: "B", 4: "B", 5: "C", 6: "C", 7: "C", 8: "C", 9: None}),
    ),
    Station(
        profile="openwb-series2",
        connector=2,
        words={"input 10214": [0], "input 10215": [0]},
        commands=pausing(6, 10271, 600, 1075, 1200, 3200),
        statuses=[
            ({}, "A", None),
            ({"input 10214": [1]}, "B", None),
            ({"input 10215": [1]}, "C", True),
        ],
        phases=([w(6, 10280, 1), w(6, 10281, 1)], [w(6, 10280, 3), w(6, 10281, 1)]),
        keepalive_s=10,
    ),
    Station(
        profile="peblar",
        words={
            "input 30092": [3],
            "input 30093": [1],
            "input 30110": [65],
            "holding 40000": [0, 0],
            "holding 40002": [0],
        },
        commands=[
            [w(16, 40000, 0, 6000)],
            [w(16, 40000, 0, 10_750)],
            [w(16, 40000, 0, 0)],
            [],
            [w(16, 40000, 0, 12_000)],
            [w(16, 40000, 0, 32_000)],
        ],
        statuses=words_of("input", 30110, {**LETTERS, 85: None}),
        phases=([w(6, 40002, 1)], [w(6, 40002, 0)]),
    ),
    Station(
        profile="phoenix-charx",
        connector=3,
        words={"holding 3299": text("A1"), "holding 3301": [0], "holding 3112": [0]},
        commands=pausing(16, 3301, 6, 10, 12, 32),
        statuses=texts_of("holding", 3299, 1, {"A1": "A", "B1": "B", "B2": "B", "C1": "B", "C2": "C", "F0": "F"}),
    ),
    Station(
        profile="phoenix-em-eth",
        words={"input 100": [65], "holding 300": [6], "coil 400": [0], "input 108": [0, 0]},
        commands=switched([w(5, 400, 0xFF00)], [w(5, 400, 0)], w(6, 300, 10), w(6, 300, 12), w(6, 300, 32)),
        statuses=words_of("input", 100, LETTERS),
    ),
    Station(
        profile="phoenix-ev-eth",
        words={"input 100": [65], "holding 528": [32], "coil 400": [0], "coil 419": [0], "input 108": [0, 0]},
        commands=switched([w(5, 400, 0xFF00)], [w(5, 400, 0)], w(6, 528, 10), w(6, 528, 12), w(6, 528, 32)),
        statuses=[*words_of("input", 100, LETTERS), ({"input 100": [66], "coil 400": [1]}, "B", True)],
    ),
    Station(
        profile="phoenix-ev-eth",
        note="Wallbe in tenths",
        words={"input 100": [65], "holding 528": [60], "coil 400": [0], "coil 419": [0], "input 108": [0, 0]},
        commands=switched([w(5, 400, 0xFF00)], [w(5, 400, 0)], w(6, 528, 107), w(6, 528, 120), w(6, 528, 320)),
        statuses=words_of("input", 100, LETTERS),
    ),
    Station(
        profile="phoenix-ev-ser",
        words={"holding 4000": [1], "holding 22000": [6], "input 24000": text("A1"), "coil 20000": [0]},
        start=[w(6, 4000, 3)],
        commands=switched([w(5, 20000, 0xFF00)], [w(5, 20000, 0)], w(6, 22000, 10), w(6, 22000, 12), w(6, 22000, 63)),
        statuses=texts_of(
            "input", 24000, 1, {"A1": "A", "B1": "B", "C1": "B", "C2": "C", "D1": "B", "D2": "C", "E0": "E"}
        ),
    ),
    Station(
        profile="pracht-alpha",
        note="connector 2",
        connector=2,
        words={"holding 2": [0], "holding 4": [0], "holding 107": [0]},
        commands=[
            [w(6, 4, 6), w(6, 2, 6)],
            [w(6, 4, 10), w(6, 2, 10)],
            [w(6, 4, 0), w(6, 2, 0)],
            [],
            [w(6, 4, 12), w(6, 2, 12)],
            [w(6, 4, 32), w(6, 2, 32)],
        ],
        statuses=[
            *words_of("holding", 107, {0: "A", 1: "B", 2: "C", 3: "C", 4: None}),
            ({"holding 107": [1], "holding 4": [6]}, "B", False),
            ({"holding 2": [6]}, "B", True),
        ],
    ),
    Station(
        profile="pulsares",
        words={
            "holding 7": [4],
            "holding 27": [0],
            "holding 31": [0],
            "holding 93": [0],
            "holding 97": [3],
            "holding 117": [1],
            "holding 119": [1],
            "holding 123": [1],
            "holding 139": [2],
        },
        commands=pausing(16, 93, 6000, 10_750, 12_000, 32_000),
        statuses=[
            ({}, "A", False),
            ({"holding 27": [1], "holding 93": [6000]}, "B", True),
            ({"holding 31": [3]}, "C", True),
            ({"holding 31": [4]}, "C", True),
        ],
        phases=([w(16, 139, 0)], [w(16, 139, 2)]),
        keepalive_s=2.5,  # code 3: 5 s
    ),
    Station(
        profile="schneider-evlink-v3",
        words={"holding 1": [1], "holding 4000": [0], "holding 4004": [0]},
        commands=pausing(6, 4004, 6, 10, 12, 32),
        statuses=words_of(
            "holding", 1, {0: "A", 1: "A", 2: "A", 6: "A", 3: "B", 4: "B", 5: "B", 7: "B", 8: "C", 9: "C", 10: None}
        ),
        keepalive_s=2,
        kick=[w(6, 4000, 1)],
    ),
    Station(
        profile="schneider-evlink-v3",
        note="without life bit",
        words={"holding 1": [1], "holding 4000": [2], "holding 4004": [0]},
        commands=pausing(6, 4004, 6, 10, 12, 32),
        statuses=words_of("holding", 1, {1: "A", 4: "B", 8: "C"}),
        keepalive_s=2,
    ),
    Station(
        profile="sigenergy-evac",
        words={"holding 32000": [1], "holding 42001": [0, 600]},
        commands=switched(
            [w(6, 42000, 0)], [w(6, 42000, 1)], w(16, 42001, 0, 1075), w(16, 42001, 0, 1200), w(16, 42001, 0, 3200)
        ),
        statuses=[
            ({}, "A", None),
            ({"holding 32000": [2]}, "B", False),
            ({"holding 32000": [3]}, "B", True),
            ({"holding 32000": [4]}, "B", False),
            ({"holding 32000": [5]}, "C", True),
            ({"holding 32000": [6]}, "F", None),
            ({"holding 32000": [7]}, "E", None),
            ({"holding 32000": [0]}, None, None),
        ],
    ),
    Station(
        profile="smartevse",
        words={"input 258": [0], "input 259": [1], "holding 513": [0x1010], "holding 516": [0x0D]},
        commands=pausing(6, 513, 0x0606, 0x0A0A, 0x0C0C, 0x2020),
        statuses=[
            *words_of("input", 259, {0x0101: "A", 2: "B", 3: "C", 0: None}),
            ({"input 259": [2], "input 258": [0x0610]}, "B", True),
            ({"input 258": [0x0010]}, "B", False),
        ],
        phases=([w(6, 516, 0x0C)], [w(6, 516, 0x0D)]),
    ),
    Station(
        profile="solax-evc",
        words={"input 29": [0], "holding 1576": [600]},
        commands=switched([w(6, 1575, 4)], [w(6, 1575, 3)], w(6, 1576, 1075), w(6, 1576, 1200), w(6, 1576, 3200)),
        statuses=words_of("input", 29, SOLAX),
    ),
    Station(
        profile="solax-evc-g2",
        words={"input 29": [0], "input 37": [905], "input 41002": [2], "holding 1576": [600]},
        commands=switched([w(6, 1575, 4)], [w(6, 1575, 3)], w(6, 1576, 1075), w(6, 1576, 1200), w(6, 1576, 3200)),
        statuses=words_of("input", 29, SOLAX),
        phases=([w(6, 41221, 1)], [w(6, 41221, 2)]),
    ),
    Station(
        profile="sungrow-ac",
        words={"input 21224": [3], "input 21269": [0], "input 21316": [1], "holding 21202": [60]},
        commands=[
            [w(6, 21210, 1), w(6, 21211, 0), w(6, 21202, 60)],
            [w(6, 21202, 107)],
            [w(6, 21211, 1)],
            [w(6, 21202, 120)],
            [w(6, 21210, 1), w(6, 21211, 0), w(6, 21202, 120)],
            [w(6, 21202, 320)],
        ],
        statuses=[
            ({}, "A", None),
            ({"input 21316": [2]}, "B", None),
            ({"input 21316": [3]}, "C", True),
            ({"input 21316": [4]}, "B", False),
            ({"input 21316": [5]}, "B", True),
            ({"input 21316": [6]}, "B", False),
            ({"input 21316": [8]}, "F", None),
            ({"input 21316": [9]}, "F", None),
            ({"input 21316": [7]}, None, None),
        ],
        phases=([w(6, 21203, 1)], [w(6, 21203, 0)]),
        keepalive_s=30,
    ),
    Station(
        profile="versicharge",
        words={"holding 1599": text("A"), "holding 1633": [0]},
        commands=pausing(6, 1633, 600, 1075, 1200, 3200),
        statuses=[
            *texts_of(
                "holding", 1599, 1, {"A": "A", "B": "B", "C": "C", "C2": "C", "\0A": "A", "\0B": "B", "\0C": "C"}
            ),
            *texts_of("holding", 1599, 1, {"E": None}),
        ],
    ),
    Station(
        profile="vestel-evc04",
        words={
            "input 404": [0],
            "holding 405": [0],
            "input 1001": [0],
            "input 1004": [0],
            "input 1104": [16],
            "holding 2000": [6],
            "holding 2002": [20],
            "holding 5004": [6],
        },
        commands=pausing(6, 5004, 6, 10, 12, 16),
        statuses=[
            ({}, "A", None),
            ({"input 1004": [1]}, "A", None),
            ({"input 1004": [2]}, "B", None),
            ({"input 1001": [1]}, "C", True),
        ],
        keepalive_s=5,
        kick=[w(6, 6000, 1)],
    ),
    Station(
        profile="victron-evcs-gx",
        words={"holding 3815": [0], "holding 3824": [0], "holding 3825": [6], "holding 3826": [0]},
        commands=switched([w(6, 3826, 1)], [w(6, 3826, 0)], w(6, 3825, 10), w(6, 3825, 12), w(6, 3825, 32)),
        statuses=[*words_of("holding", 3824, VICTRON), ({"holding 3824": [1], "holding 3826": [1]}, "B", True)],
    ),
    Station(
        profile="victron-evcs",
        words={
            "holding 5009": [0],
            "holding 5010": [0],
            "holding 5015": [0],
            "holding 5016": [6],
            "holding 5017": [20],
            "holding 5055": [0],
            "holding 5100": [1],
        },
        commands=switched([w(6, 5010, 1)], [w(6, 5010, 0)], w(6, 5016, 10), w(6, 5016, 12), w(6, 5016, 20)),
        statuses=words_of("holding", 5015, VICTRON),
        phases=([w(6, 5055, 1)], [w(6, 5055, 0)]),
    ),
    Station(
        profile="webasto-next",
        words={
            "holding 1000": [0],
            "holding 1104": [16],
            "holding 2000": [8],
            "holding 2002": [0],
            "holding 6000": [0],
        },
        start=[w(6, 6000, 1), w(6, 2000, 6), w(6, 2002, 60)],
        commands=pausing(16, 5004, 6, 10, 12, 16),
        statuses=words_of("holding", 1000, {0: "A", 1: "B", 4: "B", 3: "C", 7: "E", 8: "A", 2: None}),
        keepalive_s=30,
        kick=[w(6, 6000, 1)],
    ),
    Station(
        profile="weidmueller-ac-smart",
        words={"holding 301": [65], "holding 11050": [0, 0xFFFF], "holding 11052": [0]},
        commands=pausing(16, 11052, 6, 10, 12, 32),
        statuses=words_of("holding", 301, {0x3041: "A", 66: "B", 67: "C", 69: None}),
        phases=([w(16, 318, 0)], [w(16, 318, 1)]),
        keepalive_s=5,
        kick=[w(16, 11050, 0, 0xFFFF)],
    ),
]
