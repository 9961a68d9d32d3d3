"""The soak: a true server process on loopback, and crowds that mean it no good. `nox -s soak` runs `run.py`."""
