"""Events, hooks, turns and time; knows no socket and no player."""
