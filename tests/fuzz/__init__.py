"""Inputs nobody thought of, for all that reads what peers send: `nox -s fuzz`."""
