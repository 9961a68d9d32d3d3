"""One player's stay in the game, which outlives a dead link."""
