"""One peer as the game sees it; knows no bytes."""
