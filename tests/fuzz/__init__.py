"""Random inputs for all code that reads bytes from peers: `nox -s fuzz`."""
