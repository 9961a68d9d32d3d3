"""Tests of the page in a real browser: `nox -s browser`."""
