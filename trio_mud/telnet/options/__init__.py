"""The telnet options that a server speaks, one file each.

`DEFAULT_OPTIONS` is the one line to edit when an option is added; its order is the order of the offers.
"""

from typing import Final

from .base import Option, Policy
from .echo import Echo
from .naws import Naws
from .ttype import Ttype

DEFAULT_OPTIONS: Final[tuple[Option, ...]] = (Ttype(), Naws(), Echo())

__all__ = ["DEFAULT_OPTIONS", "Echo", "Naws", "Option", "Policy", "Ttype"]
