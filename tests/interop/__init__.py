"""Real programs against the server, over real sockets: `nox -s interop`."""
