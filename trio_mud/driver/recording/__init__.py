"""Connections written down: a transport around a transport, and the files."""
