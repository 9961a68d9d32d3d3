"""The soak: a real server process on loopback, and malicious crowds. `nox -s soak` runs `run.py`."""
