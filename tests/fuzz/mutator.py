"""A fuzzer without instrumentation, for Pythons that atheris has no wheel for: it changes valid inputs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from .targets import Target

GENERATIONS: Final = 6  # changes heaped upon one another before it begins again
TOLD: Final = bytes((0, 1, 2, 3, 4, 5, 6, 10, 13, 27, 31, 127, 128, 192, 240, 249, 250, 251, 253, 254, 255))


def inputs(target: Target, seed: int) -> Iterator[bytes]:
    """Inputs without end, the same for the same seed; first those it begins with."""
    chance = random.Random(seed)
    seeds = target.seeds()
    yield from seeds
    while True:
        data = chance.choice(seeds)
        for _ in range(chance.randint(1, GENERATIONS)):
            data = _change(chance, data, seeds, target.words)[: target.longest]
            yield data


def _change(chance: random.Random, data: bytes, seeds: list[bytes], words: tuple[bytes, ...]) -> bytes:
    at = chance.randint(0, len(data))
    to = min(len(data), at + chance.choice((0, 1, 2, 4, 16, 64)))
    match chance.randrange(8):
        case 0:
            return data[:at] + bytes((chance.choice(TOLD),)) + data[at + 1 :]
        case 1:
            return data[:at] + chance.randbytes(chance.randint(1, 8)) + data[at:]
        case 2:
            return data[:at] + data[to:]
        case 3:
            return data[:to] + data[at:to] * chance.randint(1, 8) + data[to:]
        case 4 | 5:
            return data[:at] + chance.choice(words) + data[to:]
        case 6:
            other = chance.choice(seeds)
            return data[:at] + other[chance.randint(0, len(other)) :]
        case _:
            changed = bytearray(data or b"\0")
            changed[min(at, len(changed) - 1)] ^= 1 << chance.randrange(8)
            return bytes(changed)
