"""One peer's wire; knows no game."""
