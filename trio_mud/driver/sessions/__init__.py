"""A player's stay, which outlives a lost link."""
