"""What is worked out beforehand for polls gives what the plain way gives, for every register of every profile."""

import math
import random

import pytest

from evcc_server.profiles.profile import Register, load, names
from evcc_server.profiles.registers import SUNSPEC_NAN, decode, decoder

EDGES = (0, 1, 0x7F, 0x7FC0, 0x7FFF, 0x8000, 0xFF80, 0xFFFF)


def words_for(register: Register, rng: random.Random) -> list[tuple[int, ...]]:
    count = register.count
    sentinels = (*register.nan, *SUNSPEC_NAN.get(register.type, ()))
    numbers = [number & ((1 << 16 * count) - 1) for number in sentinels]
    numbers += [rng.getrandbits(16 * count) for _ in range(4)]
    found = [tuple(number >> 16 * place & 0xFFFF for place in reversed(range(count))) for number in numbers]
    found += [words[::-1] for words in found]
    return found + [tuple(rng.choice(EDGES) for _ in range(count)) for _ in range(8)]


@pytest.mark.parametrize("name", names())
def test_both_ways_agree(name: str) -> None:
    rng, profile = random.Random(name), load(name)
    order = profile.connection.word_order
    for register in profile.registers:
        if register.type == "string":
            continue
        for sf in (0, -2, 1):
            quick = decoder(register, order, sf=sf)
            for words in words_for(register, rng):
                plain, ours = decode(register, words, order, sf=sf), quick(words)
                assert ours == plain, (register.key, words, sf)
                assert ours is None or math.copysign(1.0, ours) == math.copysign(1.0, plain or 0.0)
