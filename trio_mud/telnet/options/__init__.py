"""The telnet options that a server speaks, one file each.

`DEFAULT_OPTIONS` is the one place to edit when an option is added; its order is the order of the offers: first who
the client is, then what it can do, compression last.  MSSP is not among them, for only the game knows its figures: put
`Mssp(…)` in front of them.  Nor are MXP and MSP, for a game that has no use for tags or sounds in its text is better
off without them: put `Mxp()` and `Msp()` behind them.
"""

from typing import Final

from .base import Engine, Option, Policy
from .charset import Charset
from .echo import Echo
from .gmcp import Gmcp
from .mccp import Mccp2, Mccp3
from .msdp import Msdp
from .msp import Msp
from .mssp import Mssp
from .mxp import Mxp
from .naws import Naws
from .new_environ import NewEnviron
from .prompts import Eor, Sga
from .ttype import Ttype

DEFAULT_OPTIONS: Final[tuple[Option, ...]] = (
    Ttype(),
    Naws(),
    NewEnviron(),
    Charset(),
    Gmcp(),
    Msdp(),
    Eor(),
    Sga(),
    Echo(),
    Mccp2(),
    Mccp3(),
)

__all__ = [
    "DEFAULT_OPTIONS",
    "Charset",
    "Echo",
    "Engine",
    "Eor",
    "Gmcp",
    "Mccp2",
    "Mccp3",
    "Msdp",
    "Msp",
    "Mssp",
    "Mxp",
    "Naws",
    "NewEnviron",
    "Option",
    "Policy",
    "Sga",
    "Ttype",
]
