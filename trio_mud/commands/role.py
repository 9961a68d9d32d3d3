"""Roles: what the person behind a character may do."""

import enum


class Role(enum.IntEnum):
    """The rank of an account. A higher role may do everything that a lower one may.

    The numbers are stored, and leave room: a game may use any number between two of them as a role of its own.
    """

    GUEST = 0
    """Has no account."""
    PLAYER = 10
    """Has an account."""
    BUILDER = 20
    """May change the world."""
    ADMIN = 30
    """May act on the accounts and connections of others."""
    OWNER = 40
    """May do everything."""
