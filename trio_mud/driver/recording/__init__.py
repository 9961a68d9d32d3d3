"""Recorded sessions: a transport around a transport, its files, what it must not write."""
