"""Forty evenings of arm wrestling, in which no hook fails."""

from wrestlers import WORDS, careful

from trio_mud.testing.simulation import PlayedByWords, simulate


def test_nobody_trips() -> None:
    for seed in range(40):
        outcome = simulate(seed, game=lambda trace: PlayedByWords(careful, WORDS), name="wrestlers")
        assert outcome.violations == []
