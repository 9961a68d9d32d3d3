"""Events and turns; knows no socket and no player."""
